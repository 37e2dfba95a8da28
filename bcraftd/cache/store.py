"""The only module that talks to Redis for cached values, with one policy for its failures.

Every call takes at most settings.REDIS_TIMEOUT seconds. A call that fails raises StoreDown and opens the
breaker: for BREAKER_SECONDS reads do not try again but go to PostgreSQL, then one of them probes. Writes
(drops) always try, because a reader elsewhere may still reach the Redis that we did not.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar, cast

from django_redis import get_redis_connection
from redis import Redis
from redis.exceptions import NoScriptError, RedisError

from bcraftd.cache import scripts

T = TypeVar("T")
log = logging.getLogger(__name__)

BREAKER_SECONDS = 1.0
# A fill that takes longer than this has lost its lease: the statement timeout is 15 s.
LEASE_MS = 15_000


class StoreDown(Exception):
    """Redis did not take the call: refused, timed out, full, or not asked because the breaker is open."""


class Breaker:
    """Keeps a Redis that does not answer from costing every read a timeout."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open_until = 0.0
        self.opened = 0

    @property
    def is_open(self) -> bool:
        return time.monotonic() < self._open_until

    def admit(self) -> bool:
        """Whether a read may try. After a failure only one per BREAKER_SECONDS may, until one succeeds."""
        if not self._open_until:
            return True
        with self._lock:
            if time.monotonic() < self._open_until:
                return False
            self._open_until = time.monotonic() + BREAKER_SECONDS
            return True

    def failed(self, error: BaseException) -> None:
        with self._lock:
            if not self._open_until:
                self.opened += 1
                log.warning("Redis does not answer, reads go to PostgreSQL: %s", error)
            self._open_until = time.monotonic() + BREAKER_SECONDS

    def succeeded(self) -> None:
        if self._open_until:
            with self._lock:
                self._open_until = 0.0
            log.warning("Redis answers again")


breaker = Breaker()


def plain_key(key: str, prefix: str, version: int) -> str:
    """Django's KEY_FUNCTION: keys stand in Redis as the code writes them."""
    return key


def client() -> "Redis":
    """django-redis's client, on its connection pool. Values are bytes."""
    return cast("Redis", get_redis_connection("default"))


def guarded(call: Callable[[], T], *, always: bool = False) -> T:
    """Runs one call to Redis under the failure policy.

    `always` tries even while the breaker is open. Raises StoreDown where Redis did not take it.
    """
    if not always and not breaker.admit():
        raise StoreDown("the breaker is open")
    try:
        value = call()
    except (RedisError, OSError) as error:
        breaker.failed(error)
        raise StoreDown(str(error)) from error
    breaker.succeeded()
    return value


def _run(script: scripts.Script, keys: list[str], args: list[Any]) -> Any:
    """EVALSHA, and once per server and script the text itself."""
    redis = client()
    try:
        return redis.evalsha(script.sha, len(keys), *keys, *args)
    except NoScriptError:
        return redis.eval(script.text, len(keys), *keys, *args)


def lease_key(key: str) -> str:
    """Where the leases of a key's running fills stand."""
    return f"lease:{key}"


def read(key: str) -> bytes | None:
    """A string value. One command."""
    return guarded(lambda: cast("bytes | None", client().get(key)))


def read_sliding(key: str, ttl_ms: int) -> bytes | None:
    """A string value whose life starts again with each read. One command."""
    return guarded(lambda: cast("bytes | None", client().getex(key, px=ttl_ms)))


def read_variant(key: str, variant: str) -> bytes | None:
    """One field of a hash. One command."""
    return guarded(lambda: cast("bytes | None", client().hget(key, variant)))


def read_with_generation(key: str, generation_key: str) -> tuple[bytes | None, bytes | None]:
    """A string value and its family's generation. One command."""
    value, generation = guarded(lambda: cast("list[bytes | None]", client().mget(key, generation_key)))
    return value, generation


def read_variant_with_generation(key: str, variant: str, generation_key: str) -> tuple[bytes | None, bytes | None]:
    """One field of a hash and its family's generation. One script call."""
    value, generation = guarded(lambda: _run(scripts.READ_VARIANT, [key, generation_key], [variant]))
    return value, generation


@dataclass(frozen=True, slots=True)
class Lease:
    """The answer to asking for a lease: granted, or a value that was stored meanwhile, or neither: somebody fills.

    `generation` is the family's, "" where it has none.
    """

    granted: bool = False
    generation: str = ""
    body: bytes | None = None


def lease(
    key: str, variant: str, token: str, *, hashed: bool = False, generation_key: str = "", new_generation: str = ""
) -> Lease:
    """Asks to be the one that fills a missing value."""
    answer = guarded(
        lambda: _run(
            scripts.LEASE,
            [key, lease_key(key), generation_key],
            [variant, token, LEASE_MS, new_generation, int(hashed)],
        )
    )
    state, generation, body = [*answer, None, None][:3]
    return Lease(granted=state == 1, generation=(generation or b"").decode(), body=body)


def release(key: str, variant: str, token: str) -> None:
    """Gives a lease back without a value."""
    guarded(lambda: _run(scripts.RELEASE, [lease_key(key)], [variant, token]))


def fill(
    key: str, variant: str, token: str, body: bytes, ttl_ms: int, *, hashed: bool, generation_key: str, generation: str
) -> bool:
    """Stores a value if the lease still stands and the generation is still the same; else refuses."""
    return bool(
        guarded(
            lambda: _run(
                scripts.FILL,
                [key, lease_key(key), generation_key],
                [variant, token, body, ttl_ms, int(hashed), generation, scripts.MAX_VARIANTS],
            )
        )
    )


def drop(keys: Iterable[str], generations: dict[str, str] | None = None) -> int:
    """Deletes values and their leases together and renews generations, in one round trip.

    `generations` maps generation keys to new random tokens. Returns how many values were there.
    """
    names = list(keys)
    renewed = generations or {}
    if not names and not renewed:
        return 0
    all_keys = [*names, *(lease_key(name) for name in names), *renewed]
    return int(guarded(lambda: _run(scripts.DROP, all_keys, [len(names), *renewed.values()]), always=True))


def count_in_window(key: str, window: int) -> tuple[int, int]:
    """Counts one in a window of seconds, in one call. Returns the count and the seconds left, which always end."""
    count, left_ms = guarded(lambda: _run(scripts.COUNT, [key], [window * 1000]))
    return int(count), max((int(left_ms) + 999) // 1000, 1)


def scan(pattern: str) -> Iterator[str]:
    """Every key that matches, perhaps twice. For commands only, never on a request path."""

    def step(cursor: int) -> tuple[int, list[bytes]]:
        found = guarded(lambda: client().scan(cursor, match=pattern, count=1000), always=True)
        return cast("tuple[int, list[bytes]]", found)

    cursor = 0
    while True:
        cursor, found = step(cursor)
        yield from (key.decode("utf-8", "replace") for key in found)
        if not cursor:
            return


def server_info() -> dict[str, Any]:
    """What the server says of itself."""
    return guarded(lambda: client().info(), always=True)
