"""The servers of a run: PostgreSQL as players have it (durable), Redis, and granian with its workers."""

import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import psycopg2

from bcraftd.embedded.postgres import NAME, PostgresServer
from bcraftd.embedded.process import Child, Deadline, free_port
from tests.consistency.stage import ROOT, Servers, StageError
from tests.economy.client import Line, NoAnswer

THREADS = 24
START_SECONDS = 120.0
# granian gives up where a worker dies so soon after it came: to it, that is a loop of crashes.
LOOP_SECONDS = 6.0
API = "bcraftd.wsgi:application"
PRISTINE = "pristine"


class Stage(Servers):
    """As the consistency checker's, but what PostgreSQL has committed it still has after a kill."""

    def __init__(self, folder: Path, keep_fds: Sequence[int]) -> None:
        super().__init__(folder, keep_fds)
        self.database = NAME
        self.postgres = PostgresServer(folder / "postgres", keep_fds=keep_fds)

    def start(self) -> None:
        """Starts both, fills the database, and keeps a copy of it as it is now."""
        super().start()
        self._sql("postgres", f"CREATE DATABASE {PRISTINE} TEMPLATE {NAME}")

    @contextmanager
    def another_world(self) -> Iterator[None]:
        """Another database for the duration, as the first one was at the start."""
        before, self.database = self.database, f"{self.database}_2"
        try:
            self._sql("postgres", f"CREATE DATABASE {self.database} TEMPLATE {PRISTINE}")
            yield
        finally:
            self._sql("postgres", f"DROP DATABASE IF EXISTS {self.database} WITH (FORCE)")
            self.database = before

    @property
    def url(self) -> str:
        """Of the database that is played in."""
        return self._url(self.database)

    def environment(self, **other: str) -> dict[str, str]:
        """What our processes run with."""
        return super().environment(DATABASE_URL=self.url, **other)

    def sql(self, statement: str) -> list[tuple[Any, ...]]:
        """The rows that a statement gives, committed at once."""
        return self._sql(self.database, statement)

    def _url(self, database: str) -> str:
        return self.postgres.url.rpartition("/")[0] + f"/{database}"

    def _sql(self, database: str, statement: str) -> list[tuple[Any, ...]]:
        with closing(psycopg2.connect(self._url(database), connect_timeout=10)) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(statement)
                return list(cursor.fetchall()) if cursor.description else []

    def kill_postgres(self) -> None:
        """PostgreSQL dies, all of it, and comes back by its log."""
        self.postgres.kill()
        self.postgres.start()

    def inside(self, job: str, given: str = "") -> str:
        """Runs one of inside.py's jobs to its end; returns what it printed. Raises StageError."""
        done = subprocess.run(
            [sys.executable, "-m", "tests.economy.inside", job], cwd=ROOT, env=self.environment(), input=given,
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode != 0:
            raise StageError(f"{job} failed:\n{done.stderr}")
        return done.stdout

    def logged(self, log: Path, words: str) -> int:
        """How many lines of a log hold these words."""
        with suppress(FileNotFoundError):
            return len(re.findall(f"^.*{re.escape(words)}.*$", log.read_text(errors="replace"), re.MULTILINE))
        return 0


class Api:
    """granian on one port. Workers that die come back."""

    def __init__(self, servers: Stage, *, workers: int = 2, application: str = API, **settings: str) -> None:
        self.port = free_port()
        self.log = servers.folder / f"api-{self.port}.log"
        self._count = workers
        self._child = Child(
            "the API",
            [sys.executable, "-m", "granian", "--interface", "wsgi", "--host", "127.0.0.1", "--port", str(self.port),
             "--workers", str(workers), "--respawn-failed-workers", "--workers-kill-timeout", "10", "--backlog", "2048",
             "--blocking-threads", str(THREADS), "--blocking-threads-idle-timeout", "600", "--no-ws", application],
            log=self.log,
            cwd=ROOT,
            env=servers.environment(**settings),
        )  # fmt: skip

    @contextmanager
    def up(self) -> Iterator["Api"]:
        """Serves for the duration. Raises StageError where it does not come up."""
        try:
            self._child.start()
            self._wait_until_ready()
            yield self
        finally:
            self._child.stop()

    @property
    def running(self) -> bool:
        return self._child.running

    def _wait_until_ready(self) -> None:
        for _ in Deadline(START_SECONDS).ticks():
            if not self.running:
                break
            with suppress(NoAnswer), closing(Line(self.port, lambda _: None)) as line:
                if line.ask("GET", "/readyz").status == 200 and len(self.workers()) == self._count:
                    return
        raise StageError(f"the API did not come up:\n{self._child.tail()}")

    def workers(self) -> dict[int, float]:
        """The workers' process ids, and for how many seconds each has lived."""
        found = {}
        for entry in Path("/proc").glob("[0-9]*"):
            with suppress(OSError, IndexError):
                fields = (entry / "stat").read_text(errors="replace").rpartition(")")[2].split()
                if int(fields[1]) == self._child.pid and fields[0] != "Z":
                    found[int(entry.name)] = _age(int(fields[19]))
        return found

    def kill_worker(self, chance: random.Random) -> None:
        """SIGKILL of one worker, as soon as all are there and granian would not take it for a loop of crashes."""
        for _ in Deadline(START_SECONDS).ticks():
            workers = self.workers()
            old = sorted(pid for pid, age in workers.items() if age > LOOP_SECONDS)
            if len(workers) == self._count and old:
                os.kill(chance.choice(old), signal.SIGKILL)
                return
            if not self.running:
                break
        raise StageError(f"the API's workers did not come back:\n{self._child.tail()}")


def _age(started: int) -> float:
    """Seconds since a process began, which /proc counts in ticks since the machine was started."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) - started / os.sysconf("SC_CLK_TCK")
