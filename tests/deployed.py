"""What deploy/ runs, as the tests run it: its own scripts and files, without containers.

Containers have names; here each has an address of the loopback network instead. Ports and folders are the test's own.
"""

import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from redis.backoff import NoBackoff
from redis.retry import Retry

ADDRESSES = {
    "postgres-primary": "127.0.30.1",
    "postgres-replica": "127.0.30.2",
    "redis-1": "127.0.30.11",
    "redis-2": "127.0.30.12",
    "sentinel-1": "127.0.30.21",
    "sentinel-2": "127.0.30.22",
    "sentinel-3": "127.0.30.23",
    "api-1": "127.0.30.31",
    "api-2": "127.0.30.32",
}
PASSWORDS = {
    name: secrets.token_urlsafe(48)
    for name in ("POSTGRES_PASSWORD", "REPLICATION_PASSWORD", "REDIS_PASSWORD", "REDIS_SENTINEL_PASSWORD")
}
ONCE = Retry(NoBackoff(), 0)


def placed(text: str, *pairs: tuple[str, str]) -> str:
    """A file of deploy/ with addresses for names, and each of these in the place of another, which has to be there."""
    for name, address in ADDRESSES.items():
        text = text.replace(name, address)
    for theirs, ours in pairs:
        assert theirs in text, theirs
        text = text.replace(theirs, ours)
    return text


def command_lines() -> str:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            found.append(path.read_bytes().decode(errors="replace"))
    return "\n".join(found)


@contextmanager
def nobody_tells_a_password() -> Iterator[None]:
    """Looks at all command lines again and again for as long as it is held."""
    seen: list[str] = []
    over = threading.Event()

    def look() -> None:
        while not over.wait(0.02):
            lines = command_lines()
            seen.extend(name for name, password in PASSWORDS.items() if password in lines)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
    assert not seen
