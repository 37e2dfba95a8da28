"""What is measured: PostgreSQL and Redis of this run alone, and every server that answers on them, one worker each."""

import http.client
import json
import os
import resource
import secrets
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from email.message import Message
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg2
import redis

from bcraftd.embedded.files import private_folder
from bcraftd.embedded.postgres import NAME, PostgresServer
from bcraftd.embedded.process import Child, Deadline, ServerError, free_port
from bcraftd.embedded.up import THREADS
from bcraftd.embedded.valkey import ValkeyServer
from bench import world
from tests.consistency.stage import running

ROOT = Path(__file__).resolve().parent.parent
START_SECONDS = 120.0
SETTLE_SECONDS = 20.0
FILES = 16_384
# A database that has been migrated and seeded, and that nobody has played in.
PRISTINE = "pristine"
# More than any load reaches: requests are counted, and none is refused.
RATE = "9999999/m"

SETTINGS = {
    "BCRAFTD_ENV_FILES": "off",
    "DJANGO_SETTINGS_MODULE": "bcraftd.settings",
    "SECRET_KEY": secrets.token_urlsafe(48),
    "JWT_SIGNING_KEY": secrets.token_urlsafe(48),
    "HTTPS": "false",
    # Two cores carry the load too: a healthy Redis may take longer than the tenth of a second that is the default.
    "REDIS_TIMEOUT": "1",
    # No server here writes a line for each request.
    "LOG_LEVEL": "WARNING",
    "CACHE_ENABLED": "true",
    **{
        f"RATE_LIMIT_{name}": RATE
        for name in ("DEFAULT", "CRAFT", "GATHER", "LOGIN", "LOGIN_FAILURES", "REGISTER", "ADMIN")
    },
}


# What deferred triggers ask when a transaction commits is counted like what a client sends: their expressions, and the
# looks of foreign keys.
_STATEMENTS = """
SELECT CASE WHEN query ~ '^\\(' OR query ~ 'FROM ONLY .* FOR KEY SHARE OF' THEN 'TRIGGER'
            ELSE upper(substring(ltrim(query) FROM '^[A-Za-z]+')) END AS kind,
       sum(calls)::bigint
FROM pg_stat_statements JOIN pg_database ON pg_database.oid = dbid
WHERE datname = %(database)s
GROUP BY kind
"""

_BUSY = """
SELECT count(*) FROM pg_stat_activity
WHERE backend_type = 'client backend' AND state <> 'idle' AND pid <> pg_backend_pid()
"""


def granian(application: str, port: int, processes: int = 1) -> list[str]:
    """The command line of `make up`, with so many worker processes."""
    where = ["--host", "127.0.0.1", "--port", str(port), "--working-dir", str(ROOT)]
    threads = ["--blocking-threads", str(THREADS), "--blocking-threads-idle-timeout", "600"]
    workers = ["--workers", str(processes), "--respawn-failed-workers", "--workers-kill-timeout", "10"]
    return ["-m", "granian", "--interface", "wsgi", "--no-ws", "--backlog", "2048", *where, *threads, *workers,
            application]  # fmt: skip


def uvicorn(application: str, port: int, processes: int = 1) -> list[str]:
    """So many workers, by the quickest event loop and parser that uvicorn has."""
    where = ["--host", "127.0.0.1", "--port", str(port), "--backlog", "2048"]
    return [
        "-m",
        "uvicorn",
        *where,
        "--workers",
        str(processes),
        "--no-access-log",
        "--log-level",
        "warning",
        application,
    ]


@dataclass(frozen=True, slots=True)
class Kind:
    """A server that can be started. redis: the number of its database. settings: environment variables. processes: of
    its own, each of which answers."""

    application: str
    redis: int = 0
    settings: Mapping[str, str] = field(default_factory=dict)
    is_asgi: bool = False
    database: str = NAME
    processes: int = 1


API = "bcraftd.wsgi:application"
PROTOTYPE = "bench.baselines.prototype.app:app"
KINDS = {
    "ours": Kind(API),
    # See scaling.py. What is warm stays warm for as long as a run takes.
    **{
        f"processes_{number}": Kind(API, redis=6, processes=number, settings={"CACHE_USER_INVENTORY_TTL": "3600"})
        for number in (1, 2, 4)
    },
    "off": Kind(API, settings={"CACHE_ENABLED": "false"}),
    "prototype": Kind(PROTOTYPE, redis=1, is_asgi=True),
    "prototype_bare": Kind(PROTOTYPE, redis=1, is_asgi=True, settings={"PROTOTYPE_GUARDED": "false"}),
    "prototype_typed": Kind(
        PROTOTYPE, redis=1, is_asgi=True, settings={"PROTOTYPE_GUARDED": "false", "PROTOTYPE_TYPED": "true"}
    ),
    "drf": Kind("bench.baselines.drf.wsgi:application", redis=2),
    "orm_cache": Kind("bench.baselines.orm_cache.wsgi:application", redis=3),
    # The growing worlds: see scenarios.growth.
    "listings_10k": Kind(API, redis=4, database="listings_10k"),
    "listings_100k": Kind(API, redis=5, database="listings_100k"),
    "listings_1m": Kind(API, redis=7, database="listings_1m"),
}


class Server:
    """One server's process."""

    def __init__(self, name: str, stack: "Stack") -> None:
        kind = KINDS[name]
        self.name = name
        self.port = free_port()
        self.database = kind.database
        metrics = private_folder(stack.folder / f"metrics-{name}")
        command = uvicorn if kind.is_asgi else granian
        self._child = Child(
            f"The server {name}",
            [sys.executable, *command(kind.application, self.port, kind.processes)],
            log=stack.folder / f"{name}.log",
            cwd=ROOT,
            env=stack.environment(kind, PROMETHEUS_MULTIPROC_DIR=str(metrics)),
            keep_fds=stack.keep_fds,
        )
        self._child.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        """Of granian's or uvicorn's own process, whose child the worker is."""
        return self._child.pid

    def wait(self) -> None:
        """Returns when it answers. Raises ServerError, with the end of its log, where it does not."""
        for _ in Deadline(START_SECONDS).ticks(0.05):
            if not self._child.running:
                break
            try:
                self.get("/healthz")
                return
            except OSError:
                continue
        raise ServerError(f"{self.name} did not come up:\n{self._child.tail()}")

    def get(self, path: str, token: str = "") -> tuple[int, Message, Any]:
        """Status, headers and body of an answer; the body is None where it is not JSON."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request("GET", path, headers={"Authorization": f"Bearer {token}"} if token else {})
            answer = connection.getresponse()
            text = answer.read()
        finally:
            connection.close()
        is_json = answer.headers.get_content_type().endswith("json")
        return answer.status, answer.headers, json.loads(text) if is_json else None

    def stop(self) -> None:
        self._child.stop()


class Stack:
    """The servers of a run, in a folder that is removed at its end."""

    def __init__(self, folder: Path, keep_fds: Sequence[int]) -> None:
        self.folder = folder
        self.keep_fds = keep_fds
        self.postgres = PostgresServer(folder / "postgres", keep_fds=keep_fds)
        self.valkey = ValkeyServer(folder / "redis", keep_fds=keep_fds)
        self._servers: dict[str, Server] = {}

    def start(self) -> None:
        """PostgreSQL, which counts statements, and Redis. Raises ServerError."""
        self.postgres.start()
        self.sql("ALTER SYSTEM SET shared_preload_libraries = 'pg_stat_statements'", "postgres")
        self.postgres.restart()
        self.sql("CREATE EXTENSION pg_stat_statements", "postgres")
        self.valkey.start()

    def stop(self) -> None:
        for server in self._servers.values():
            server.stop()
        self.valkey.stop()
        self.postgres.stop()

    def up(self, *names: str) -> list[Server]:
        """Servers by their names, started together where they do not run yet. Raises ServerError."""
        new = [name for name in names if name not in self._servers]
        for name in new:
            self._servers[name] = Server(name, self)
        for name in new:
            self._servers[name].wait()
        return [self._servers[name] for name in names]

    def down(self, *names: str) -> None:
        """Stops those of the servers that run."""
        for name in names:
            if server := self._servers.pop(name, None):
                server.stop()

    def environment(self, kind: Kind, **other: str) -> dict[str, str]:
        """What a server runs with."""
        urls = {"DATABASE_URL": self.url(kind.database), "REDIS_URL": self.redis_url(kind.redis)}
        return {**os.environ, **SETTINGS, **urls, **kind.settings, **other}

    def url(self, database: str) -> str:
        """A database of this PostgreSQL."""
        return f"{self.postgres.url.rpartition('/')[0]}/{database}"

    def redis_url(self, number: int) -> str:
        """A database of this Redis."""
        return f"{self.valkey.url.rpartition('/')[0]}/{number}"

    def redis(self, number: int) -> "redis.Redis":
        """A client of it."""
        return redis.Redis.from_url(self.redis_url(number))

    @property
    def redis_password(self) -> str:
        return urlsplit(self.valkey.url).password or ""

    def sql(
        self, statement: str, database: str = NAME, params: Mapping[str, object] | None = None
    ) -> list[tuple[Any, ...]]:
        """The rows that a statement gives, committed at once."""
        with closing(psycopg2.connect(self.url(database))) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(statement, params)
                return list(cursor.fetchall()) if cursor.description else []

    def play(self, size: world.Size, database: str = NAME) -> world.World:
        """Makes a world in a pristine database, with everybody signed in."""
        with closing(psycopg2.connect(self.url(database))) as connection, connection.cursor() as cursor:
            world.make(cursor, size)
            connection.commit()
            world.make_playable(cursor)
            connection.commit()
            found = world.look(cursor)
        # What autovacuum does within a minute of such a change.
        self.sql("VACUUM ANALYZE", database)
        return found

    def copy_pristine(self, database: str) -> None:
        """Another pristine database."""
        self.sql(f"CREATE DATABASE {database} TEMPLATE {PRISTINE}", "postgres")

    def settle(self) -> None:
        """Returns when PostgreSQL has had nothing to do twice in a row: what a load leaves on its way when it ends is
        not the next variant's to bear."""
        quiet = 0
        for _ in Deadline(SETTLE_SECONDS).ticks(0.1):
            quiet = 0 if self.sql(_BUSY, "postgres")[0][0] else quiet + 1
            if quiet == 2:
                return

    def count_statements(self, database: str) -> dict[str, int]:
        """How often each kind of statement was run in a database since the last time that this was asked."""
        rows = self.sql(_STATEMENTS, "postgres", {"database": database})
        self.sql("SELECT pg_stat_statements_reset()", "postgres")
        return {kind: int(calls) for kind, calls in rows}


@contextmanager
def stack() -> Iterator[Stack]:
    """PostgreSQL and Redis for the duration. Raises ServerError where they do not come up."""
    # Each connection of the load takes a file, and so does its other end.
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    enough = FILES if most == resource.RLIM_INFINITY else min(FILES, most)
    resource.setrlimit(resource.RLIMIT_NOFILE, (enough, most))
    with running(Stack) as found:
        yield found
