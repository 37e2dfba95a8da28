"""What a run plays on: a PostgreSQL and a Redis of its own, and API processes that may be killed and come back."""

import fcntl
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol, TextIO, TypeVar

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from bcraftd.embedded.files import private_folder
from bcraftd.embedded.postgres import Account, PostgresServer, account
from bcraftd.embedded.process import Child, Deadline, free_port
from bcraftd.embedded.valkey import ValkeyServer
from tests.consistency.client import Connection, Failed, NoAnswer
from tests.consistency.schedule import ANYWHERE, Fault

ROOT = Path(__file__).resolve().parents[2]
HOME = ROOT / ".bcraftd" / "consistency"

# Whatever the shell has set, as in tests/servers.py, which this cannot import: it starts servers.
SETTINGS = {
    "BCRAFTD_ENV_FILES": "off",
    "DJANGO_SETTINGS_MODULE": "bcraftd.settings",
    "SECRET_KEY": secrets.token_urlsafe(48),
    "JWT_SIGNING_KEY": secrets.token_urlsafe(48),
    "HTTPS": "false",
    # Two cores carry all of it: a healthy Redis may take longer than the tenth of a second that is the default.
    "REDIS_TIMEOUT": "0.3",
    "LOGIN_FAILURE_LIMIT": "0",
    "LOG_LEVEL": "ERROR",
    **{
        f"RATE_LIMIT_{name}": "off"
        for name in ("DEFAULT", "CRAFT", "GATHER", "LOGIN", "LOGIN_FAILURES", "REGISTER", "ADMIN")
    },
}
THREADS = 16
MAX_MEMORY = "512mb"
START_SECONDS = 60.0


class StageError(RuntimeError):
    """The checker itself cannot go on: a server or an API process did not come up."""


class Servers:
    """PostgreSQL and Redis in a folder of their own, with a migrated and seeded database."""

    def __init__(self, folder: Path, keep_fds: Sequence[int]) -> None:
        self.folder = folder
        self.postgres = PostgresServer(folder / "postgres", durable=False, keep_fds=keep_fds)
        self.valkey = ValkeyServer(folder / "redis", keep_fds=keep_fds)

    def start(self) -> None:
        """Starts both and fills the database."""
        self.postgres.start()
        self.valkey.start()
        for words in (["migrate", "--verbosity", "0"], ["seed"]):
            done = subprocess.run(
                [sys.executable, "manage.py", *words], cwd=ROOT, env=self.environment(), capture_output=True, text=True,
                check=False,
            )  # fmt: skip
            if done.returncode != 0:
                raise StageError(f"manage.py {words[0]} failed:\n{done.stderr}")

    def stop(self) -> None:
        """Stops both. A paused Redis goes on first, so that it can."""
        self.valkey.stop()
        self.postgres.stop()

    def environment(self, **other: str) -> dict[str, str]:
        """What our processes run with."""
        urls = {"DATABASE_URL": self.postgres.url, "REDIS_URL": self.valkey.url}
        return {**os.environ, **SETTINGS, **urls, **other}

    def flush(self) -> None:
        """FLUSHALL."""
        self._redis(lambda client: client.flushall())

    def strike(self, fault: Fault, begins: Callable[[], None]) -> None:
        """Lets a fault happen; returns when Redis answers again. `begins` is called before anybody can notice."""
        if fault.kind == "rollback":
            self._roll_back(fault.seconds, begins)
            return
        begins()
        if fault.kind == "flush":
            self.flush()
        elif fault.kind == "pause":
            self.valkey.pause()
            time.sleep(fault.seconds)
            self.valkey.resume()
        elif fault.kind == "full":
            self._redis(lambda client: client.config_set("maxmemory", 1))
            time.sleep(fault.seconds)
            self._redis(lambda client: client.config_set("maxmemory", MAX_MEMORY))
        else:
            self._go_and_come_back(fault)

    def _redis(self, command: Callable[["redis.Redis"], object]) -> None:
        with redis.from_url(self.valkey.url, socket_timeout=10, retry=Retry(NoBackoff(), 0)) as client:
            command(client)

    def _go_and_come_back(self, fault: Fault) -> None:
        """A restart saves what there is to save; after a crash there is what the kernel had been given."""
        if fault.kind == "crash":
            self._kill_redis()
        self.valkey.stop()
        time.sleep(fault.seconds)
        self.valkey.start()

    def _kill_redis(self) -> None:
        self.valkey.child.send(signal.SIGKILL)
        self.valkey.child.wait(10)
        self.valkey.stop()

    def _roll_back(self, age: float, begins: Callable[[], None]) -> None:
        """As after a power failure: the append-only file is written to disk once a second."""
        data, kept = self.valkey.directory / "data", self.folder / "redis-earlier"
        # What Redis is writing for later goes away while it is copied.
        shutil.copytree(data, kept, ignore=shutil.ignore_patterns("temp-*", "dump.rdb"))
        time.sleep(age)
        begins()
        self._kill_redis()
        shutil.rmtree(data)
        kept.rename(data)
        self.valkey.start()


class Startable(Protocol):
    """What `running` runs."""

    def start(self) -> None: ...

    def stop(self) -> None: ...


S = TypeVar("S", bound=Startable)


@contextmanager
def running(make: Callable[[Path, Sequence[int]], S]) -> Iterator[S]:
    """Servers for the duration, made with a folder of their own and the files that they keep open: its lock.

    Raises StageError or ServerError where they do not come up.
    """
    folder, lock = _own_folder()
    made = make(folder, [lock.fileno()])
    try:
        made.start()
        yield made
    finally:
        made.stop()
        shutil.rmtree(folder, ignore_errors=True)
        lock.close()


def _own_folder() -> tuple[Path, TextIO]:
    """A folder for this run, locked while it lasts; folders whose run was killed are removed on the way."""
    passable = account() is Account.NOBODY
    private_folder(HOME.parent, passable=passable)
    private_folder(HOME, passable=passable)
    with (HOME / "lock").open("w") as all_runs:
        fcntl.flock(all_runs, fcntl.LOCK_EX)
        for earlier in HOME.glob("*/lock"):
            if (left := _locked(earlier)) is not None:
                shutil.rmtree(earlier.parent, ignore_errors=True)
                left.close()
        folder = private_folder(Path(tempfile.mkdtemp(prefix=f"{os.getpid()}-", dir=HOME)), passable=passable)
        lock = _locked(folder / "lock")
    assert lock is not None
    return folder, lock


def _locked(path: Path) -> TextIO | None:
    """The lock, None where somebody has it."""
    file = path.open("w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    return file


class Door:
    """Where the API is asked: one process of it, or what stands in front of several. `ready` is set while it may be,
    `pid` is whose answers it gives, 0 where nobody knows."""

    def __init__(self, number: int, port: int, host: str = "127.0.0.1") -> None:
        self.number, self.port, self.host = number, port, host
        self.ready = threading.Event()
        self.pid = 0

    def connection(self) -> Connection:
        """A new one."""
        return Connection(self.port, self.host)

    def call(self, name: str, **body: Any) -> Any:
        """One of the app's calls, on a connection of its own. Raises NoAnswer or Failed."""
        with closing(self.connection()) as connection:
            return connection.call(name, **body)


class ApiProcess(Door):
    """One process of the API, on a port that it keeps when it comes back."""

    def __init__(self, number: int, stage: Servers, off: str) -> None:
        super().__init__(number, free_port())
        self._child = Child(
            f"API process {number}",
            [sys.executable, "-m", "granian", "--interface", "wsgi", "--host", "127.0.0.1", "--port", str(self.port),
             "--workers", "1", "--blocking-threads", str(THREADS), "--no-ws", "--no-log",
             "tests.consistency.app:application"],
            log=stage.folder / f"api-{number}.log",
            cwd=ROOT,
            env=stage.environment(CONSISTENCY_OFF=off),
        )  # fmt: skip

    @property
    def died(self) -> bool:
        """Whether it was up and is no more."""
        return self.ready.is_set() and not self._child.running

    def start(self) -> None:
        """Starts it, and returns when it answers. Raises StageError."""
        self._child.start()
        for _ in Deadline(START_SECONDS).ticks(0.05):
            if not self._child.running:
                break
            with suppress(NoAnswer, Failed):
                self.pid = int(self.call("hello")["pid"])
                return
        raise StageError(f"API process {self.number} did not come up:\n{self._child.tail()}")

    def stop(self) -> None:
        """Ends it, whatever it does."""
        self.ready.clear()
        self._child.stop()

    def arm(self, step: str) -> None:
        """Lets it die at the next step of that name, or at once where the step is ANYWHERE."""
        if not self.ready.is_set():
            return
        with suppress(NoAnswer, Failed, ProcessLookupError):
            if step == ANYWHERE:
                os.kill(self.pid, signal.SIGKILL)
            else:
                self.call("arm", step=step)
