"""PostgreSQL and Redis for the tests, started before anything reads a setting (`-p tests.servers` in pyproject.toml).

The servers are this run's own: in a folder of its own under .bcraftd/test, on ports of their own, gone with the run.
Where DATABASE_URL or REDIS_URL is set in the environment, that server is used instead; .env is not read, so that a
developer's settings cannot change what is tested. With `-n` each of pytest-xdist's processes has servers of its own,
and the one that hands out the tests has none. The functions below let a test break the servers that it runs on.
"""

import atexit
import fcntl
import os
import secrets
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TextIO

from bcraftd.embedded.files import private_folder
from bcraftd.embedded.postgres import Account, PostgresServer, account
from bcraftd.embedded.process import ServerError
from bcraftd.embedded.valkey import ValkeyServer

ROOT = Path(__file__).resolve().parent.parent

# What every test starts from, whatever the shell has set. A test of a limit turns that limit on for itself.
SETTINGS = {
    "BCRAFTD_ENV_FILES": "off",
    "DJANGO_SETTINGS_MODULE": "bcraftd.settings",
    # Drawn anew: one that stands in a repository is refused at the start.
    "SECRET_KEY": secrets.token_urlsafe(48),
    "JWT_SIGNING_KEY": secrets.token_urlsafe(48),
    "HTTPS": "false",
    # On a busy machine a healthy Redis may take a tenth of a second; a test that wants it slow makes it so.
    "REDIS_TIMEOUT": "1",
    "LOGIN_FAILURE_LIMIT": "0",
    "LOG_HITS": "0",
    "DRAIN_SECONDS": "5",
    **{
        f"RATE_LIMIT_{name}": "off"
        for name in ("DEFAULT", "CRAFT", "GATHER", "LOGIN", "LOGIN_FAILURES", "REGISTER", "ADMIN")
    },
}

# What stands in for the servers where there are none; whoever gets it handed down starts its own.
NOWHERE = {"DATABASE_URL": "postgres://nobody@127.0.0.1:1/nothing", "REDIS_URL": "redis://127.0.0.1:1/0"}

_folder: Path | None = None
_lock: TextIO | None = None
_postgres: PostgresServer | None = None
_valkey: ValkeyServer | None = None


def available() -> bool:
    """Whether both servers are this run's own, so that a test may stop, pause and restart them."""
    return _postgres is not None and _valkey is not None


def redis_stop() -> None:
    """Stop Redis: connections are refused from now on. Its data is kept for `redis_start`."""
    _redis().stop()


def redis_start() -> None:
    """Start Redis again, on the same port and with the data that it had."""
    _redis().start()


def redis_pause() -> None:
    """Let Redis hang: connecting works, but nothing is answered until `redis_resume`."""
    _redis().pause()


def redis_resume() -> None:
    """Let Redis go on after `redis_pause`; it then answers what was sent meanwhile."""
    _redis().resume()


def postgres_restart() -> None:
    """Stop and start PostgreSQL on the same port: all connections break, committed data stays."""
    if _postgres is None:
        raise ServerError("PostgreSQL was given by DATABASE_URL: it is not ours to restart.")
    _postgres.restart()


def _redis() -> ValkeyServer:
    if _valkey is None:
        raise ServerError("Redis was given by the environment: it is not ours to stop.")
    return _valkey


def _own_folder() -> tuple[Path, TextIO]:
    """A folder for this run, locked while it lasts; folders whose run has died are removed on the way."""
    passable = account() is Account.NOBODY
    private_folder(ROOT / ".bcraftd", passable=passable)
    home = private_folder(ROOT / ".bcraftd" / "test", passable=passable)
    with (home / "lock").open("w") as all_runs:
        fcntl.flock(all_runs, fcntl.LOCK_EX)
        for earlier in home.glob("*/lock"):
            if (abandoned := _lock_of(earlier)) is not None:
                shutil.rmtree(earlier.parent, ignore_errors=True)
                abandoned.close()
        folder = private_folder(Path(tempfile.mkdtemp(prefix=f"{os.getpid()}-", dir=home)), passable=passable)
        lock = _lock_of(folder / "lock")
    assert lock is not None
    return folder, lock


def _lock_of(path: Path) -> TextIO | None:
    """The lock, or None while another run (or the end of its servers) holds it."""
    file = path.open("w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    return file


def _hands_out() -> bool:
    """Whether this process only hands tests out to others: xdist names those in their environment."""
    return "PYTEST_XDIST_WORKER" not in os.environ and any(word.startswith("-n") for word in sys.argv[1:])


def _start() -> None:
    global _folder, _lock, _postgres, _valkey
    os.environ.update(SETTINGS)
    given = {name: os.environ[name] for name in NOWHERE if name in os.environ}
    if _hands_out():
        # Its settings are read, and nothing is connected to.
        os.environ.update({**NOWHERE, **given})
        return
    for name, url in given.items():
        if url == NOWHERE[name]:
            del os.environ[name]
    if "PYTEST_XDIST_WORKER" in os.environ and any(os.environ.get(name) for name in NOWHERE):
        raise ServerError("Tests on several processes need servers of their own: unset DATABASE_URL and REDIS_URL.")
    own_redis = not any(os.environ.get(name) for name in ("REDIS_URL", "REDIS_URI", "REDIS_HOST"))
    own_postgres = not os.environ.get("DATABASE_URL")
    if not (own_redis or own_postgres):
        return
    _folder, _lock = _own_folder()
    if own_postgres:
        _postgres = PostgresServer(_folder / "postgres", durable=False, keep_fds=[_lock.fileno()])
        _postgres.start()
        os.environ["DATABASE_URL"] = _postgres.url
    if own_redis:
        _valkey = ValkeyServer(_folder / "redis", keep_fds=[_lock.fileno()])
        _valkey.start()
        os.environ["REDIS_URL"] = _valkey.url


def _stop() -> None:
    """Stop what runs and remove its folder. Where this is not reached, the guards and the next run do it."""
    for server in (_valkey, _postgres):
        if server is not None:
            server.stop()
    if _folder is not None and _lock is not None:
        shutil.rmtree(_folder, ignore_errors=True)
        _lock.close()


def pytest_report_header() -> str:
    """Say which servers the tests run on, without their passwords."""
    ours = [
        f"{name} on port {server.port}" for name, server in (("PostgreSQL", _postgres), ("Redis", _valkey)) if server
    ]
    return f"servers: {', '.join(ours)}, of this run" if ours else "servers: those of the environment"


def pytest_unconfigure() -> None:
    """Stop the servers at the end of the run."""
    _stop()


atexit.register(_stop)
try:
    _start()
except ServerError as problem:
    _stop()
    raise SystemExit(f"The servers for the tests could not be started. {problem}") from None
