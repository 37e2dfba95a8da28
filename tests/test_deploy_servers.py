"""What deploy/ runs, run: its own scripts and files with real servers, each of which is killed once.

Containers have names; here each has an address of the loopback network instead. Ports and folders are the test's own.
"""

import http.client
import http.server
import json
import os
import re
import secrets
import shutil
import signal
import socket
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager, suppress
from email.message import Message
from pathlib import Path
from typing import Any

import psycopg2
import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from redis.sentinel import Sentinel

from bcraftd.embedded import valkey
from bcraftd.embedded.postgres import Account, account, program
from bcraftd.embedded.process import Child, free_port
from tests.haproxy import OUTER_PROXY, HAProxy
from tests.processes import wait_until
from tests.test_deploy import DEPLOY, SERVICES
from tests.tools import tool

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


# --- Redis and the Sentinels ------------------------------------------------------------------------------


class Watched:
    """Two Redis and three Sentinels, by name, as compose.ha.yml starts them."""

    def __init__(self, folder: Path, running: ExitStack) -> None:
        self.port, self.sentinel_port = free_port(), free_port()
        self._folder = folder
        self.children: dict[str, Child] = {}
        self._running = running
        # A promotion has Redis write its configuration anew. In the container it can't, and here neither: what it
        # writes first would have a longer name than this one, and no file may.
        self._configuration = folder / "redis.conf".ljust(250, "-")
        shutil.copy(valkey.CONFIGURATION, self._configuration)
        (folder / "bin").mkdir()
        (folder / "bin" / "redis-server").symlink_to(valkey.program())
        (folder / "bin" / "redis-cli").symlink_to(tool("redis-cli"))

    def start(self, name: str) -> None:
        role, own_name = SERVICES[name]["command"]
        assert own_name == name
        home = self._folder / name
        (home / "sentinel").mkdir(parents=True, exist_ok=True)
        pairs = [
            ("26379", str(self.sentinel_port)),
            ("6379", str(self.port)),
            ("/etc/redis/sentinel.conf", str(home / "template.conf")),
            ("/etc/redis/redis.conf", str(self._configuration)),
            ("/run/sentinel", str(home / "sentinel")),
            ("dir /data", f"dir {home}"),
            ("bind * -::*", f"bind {ADDRESSES[name]}"),
        ]
        (home / "start.sh").write_text(placed((DEPLOY / "redis" / "start.sh").read_text(), *pairs))
        template = placed(
            (DEPLOY / "redis" / "sentinel.conf").read_text(), ("port 26379", f"port {self.sentinel_port}")
        )
        (home / "template.conf").write_text(f"{template}bind {ADDRESSES[name]}\n")
        self.children[name] = Child(
            name, ["/bin/sh", home / "start.sh", role, ADDRESSES[name]], log=home / "log",
            env={"PATH": f"{self._folder / 'bin'}:/usr/bin:/bin", **PASSWORDS},
        )  # fmt: skip
        self.children[name].start()
        self._running.callback(self.children[name].stop)

    def untouched(self) -> bool:
        return self._configuration.read_bytes() == valkey.CONFIGURATION.read_bytes()

    def redis(self, name: str) -> "redis.Redis":
        return redis.Redis(
            ADDRESSES[name], self.port, password=PASSWORDS["REDIS_PASSWORD"], decode_responses=True, retry=ONCE,
            socket_timeout=2,
        )  # fmt: skip

    def role(self, name: str) -> str:
        """master or slave; "" where it does not answer."""
        with closing(self.redis(name)) as client, suppress(redis.RedisError):
            return str(client.role()[0])
        return ""

    def follows(self, name: str) -> bool:
        """Whether it is a replica that has all that the primary has."""
        with closing(self.redis(name)) as client, suppress(redis.RedisError):
            return bool(client.info("replication").get("master_link_status") == "up")
        return False

    def primary(self) -> str:
        """Which one the Sentinels say is the primary, asked as a client of theirs asks."""
        sentinels = Sentinel(
            [(ADDRESSES[f"sentinel-{number}"], self.sentinel_port) for number in (1, 2, 3)],
            sentinel_kwargs={"password": PASSWORDS["REDIS_SENTINEL_PASSWORD"], "socket_timeout": 2, "retry": ONCE},
        )
        with suppress(redis.RedisError):
            address, _ = sentinels.discover_master("bcraftd")
            return next(name for name, known in ADDRESSES.items() if known == address)
        return ""

    def whole(self) -> bool:
        """Whether every Sentinel knows the others and the replica."""
        for number in (1, 2, 3):
            client = redis.Redis(
                ADDRESSES[f"sentinel-{number}"], self.sentinel_port, decode_responses=True, retry=ONCE,
                password=PASSWORDS["REDIS_SENTINEL_PASSWORD"],
            )  # fmt: skip
            try:
                state = client.execute_command("SENTINEL", "MASTER", "bcraftd")
            except redis.RedisError:
                return False
            finally:
                client.close()
            if (int(state["num-other-sentinels"]), int(state["num-slaves"])) != (2, 1):
                return False
        return True


@pytest.fixture
def watched(folder: Path) -> Iterator[Watched]:
    with ExitStack() as running:
        yield Watched(folder, running)


def test_sentinels_promote_the_replica_and_the_former_primary_comes_back_as_one(watched: Watched) -> None:
    with nobody_tells_a_password():
        for name in ("redis-1", "redis-2", "sentinel-1", "sentinel-2", "sentinel-3"):
            watched.start(name)
        wait_until(lambda: watched.follows("redis-2"), "redis-2 follows redis-1")
        wait_until(watched.whole, "the Sentinels know each other")
        assert watched.primary() == "redis-1"
        with closing(watched.redis("redis-1")) as client:
            client.set("kept", "yes")
            client.wait(1, 5000)

        watched.children["redis-1"].send(signal.SIGKILL)
        wait_until(lambda: watched.role("redis-2") == "master", "redis-2 is promoted")
        wait_until(lambda: watched.primary() == "redis-2", "the Sentinels say so")
        with closing(watched.redis("redis-2")) as client:
            assert client.get("kept") == "yes"
            client.set("later", "yes")

        # Its own files know nothing of it; it asks, and is never a second primary.
        watched.start("redis-1")
        wait_until(lambda: watched.follows("redis-1"), "redis-1 follows redis-2")
        with closing(watched.redis("redis-1")) as client:
            assert client.get("later") == "yes"

        # All that the Sentinels had learnt was in memory.
        for number in (1, 2, 3):
            watched.children[f"sentinel-{number}"].stop()
        for number in (1, 2, 3):
            watched.start(f"sentinel-{number}")
        wait_until(watched.whole, "the Sentinels know each other again")
        assert watched.primary() == "redis-2"

        # Without any of them, the primary learns from its replica that it is one.
        for number in (1, 2, 3):
            watched.children[f"sentinel-{number}"].stop()
        watched.children["redis-2"].stop()
        watched.start("redis-2")
        wait_until(lambda: watched.role("redis-2") == "master", "redis-2 is the primary again")
        wait_until(lambda: watched.follows("redis-1"), "redis-1 follows it again")
    assert watched.untouched()


def test_neither_redis_nor_a_sentinel_answers_without_its_password(watched: Watched) -> None:
    watched.start("redis-1")
    watched.start("sentinel-1")
    wait_until(lambda: watched.role("redis-1") == "master", "redis-1 serves")
    wait_until(lambda: watched.primary() == "redis-1", "the Sentinel serves")
    for name, port in (("redis-1", watched.port), ("sentinel-1", watched.sentinel_port)):
        with (
            closing(redis.Redis(ADDRESSES[name], port, retry=ONCE)) as client,
            pytest.raises(redis.AuthenticationError),
        ):
            client.ping()


# --- PostgreSQL and pgbouncer -----------------------------------------------------------------------------

# What the image's own start does at the first one, as far as ours counts on it.
ENTRYPOINT = """\
#!/bin/sh
set -eu
if [ "$1" = postgres ] && [ ! -s "$PGDATA/PG_VERSION" ]; then
    printf %s "$POSTGRES_PASSWORD" >"$HOME/password"
    initdb --username="$POSTGRES_USER" --auth-local=trust --auth-host=scram-sha-256 --pwfile="$HOME/password" >/dev/null
    echo "host all all all scram-sha-256" >>"$PGDATA/pg_hba.conf"
    (shift && pg_ctl --options="$* -c listen_addresses=''" --wait --silent start)
    createdb --host="$PGHOST" --username="$POSTGRES_USER" "$POSTGRES_DB"
    . "$INIT"
    pg_ctl --wait --silent --mode=fast stop
fi
exec "$@"
"""


class Replicated:
    """A primary, its standby, and the pooler, as compose.ha.yml starts them."""

    def __init__(self, folder: Path, running: ExitStack) -> None:
        self.port, self.pooler_port = free_port(), free_port()
        self.account = account()
        self._folder = folder
        self._running = running
        self.children: dict[str, Child] = {}
        (folder / "bin").mkdir()
        (folder / "bin" / "docker-entrypoint.sh").write_text(ENTRYPOINT)
        (folder / "bin" / "docker-entrypoint.sh").chmod(0o755)
        for script in ("start.sh", "primary.sh"):
            shutil.copy(DEPLOY / "postgres" / script, folder)

    def _own(self, path: Path) -> None:
        if self.account is Account.NOBODY:
            os.chown(path, *self.account.owner)

    def home(self, name: str) -> Path:
        home = self._folder / name
        home.mkdir(exist_ok=True)
        self._own(home)
        return home

    def _environment(self, name: str) -> dict[str, str]:
        home, given = self.home(name), SERVICES[name]["environment"]
        return {
            "PATH": f"{self._folder / 'bin'}:{program('postgres').parent}:/usr/bin:/bin",
            "HOME": str(home),
            "LC_ALL": "C.UTF-8",
            "PGDATA": str(home / "18" / "docker"),
            "PGPORT": str(self.port),
            "PGHOST": str(home),
            "INIT": str(self._folder / "primary.sh"),
            **{key: ADDRESSES.get(value, value) for key, value in given.items()},
            **{key: value for key, value in PASSWORDS.items() if key in given},
        }

    def _child(self, name: str, words: list[str], environment: Mapping[str, str]) -> Child:
        command = [*self.account.prefix, "/bin/sh", str(self._folder / "start.sh"), *words]
        return Child(
            name, command, log=self.home(name) / "log", cwd=self.home(name), env=environment,
            stop_signal=signal.SIGINT,
        )  # fmt: skip

    def start(self, name: str) -> None:
        here = [f"--listen-addresses={ADDRESSES[name]}", f"--port={self.port}", "--fsync=off"]
        words = [*SERVICES[name]["command"], *here, f"--unix-socket-directories={self.home(name)}"]
        self.children[name] = self._child(name, words, self._environment(name))
        self.children[name].start()
        self._running.callback(self.children[name].stop)
        wait_until(lambda: self.answers(name), f"{name} answers:\n{self.children[name].tail()}")

    def copy_anew(self, name: str, following: str) -> None:
        """What docs/deploy.md says to do with a former primary, whose volume is removed."""
        shutil.rmtree(self.home(name) / "18")
        child = self._child(name, ["true"], {**self._environment(name), "FOLLOW": ADDRESSES[following], **PASSWORDS})
        child.start()
        assert child.wait(120) == 0, child.tail()

    def pg_ctl(self, name: str, *words: str) -> None:
        child = Child(
            "pg_ctl", [*self.account.prefix, str(program("pg_ctl")), *words], log=self._folder / "pg_ctl.log",
            env=self._environment(name), cwd=self.home(name),
        )  # fmt: skip
        child.start()
        assert child.wait(60) == 0, child.tail()

    def start_pooler(self) -> None:
        home = self.home("pgbouncer")
        for name in ("pgbouncer.ini", "primary.ini"):
            text = (DEPLOY / "pgbouncer" / name).read_text()
            pairs = [("/etc/pgbouncer", str(home)), ("/run/pgbouncer", str(home)), ("6432", str(self.pooler_port))]
            # Debian's 1.18 has no such setting, and does without prepared statements as well.
            pairs += [("max_prepared_statements = 0\n", ""), ("listen_addr = *", "listen_addr = 127.0.0.1")]
            of_this = [pair for pair in pairs if name == "pgbouncer.ini"] or [("port=5432", f"port={self.port}")]
            (home / name).write_text(placed(text, *of_this))
        script = placed(
            SERVICES["pgbouncer"]["command"][0].replace("$$", "$"),
            ("/run/pgbouncer", str(home)), ("/etc/pgbouncer", str(home)),
            ("exec pgbouncer", f"exec {tool('pgbouncer')}"),
        )  # fmt: skip
        self.children["pgbouncer"] = Child(
            "pgbouncer", [*self.account.prefix, *SERVICES["pgbouncer"]["entrypoint"], script], log=home / "log",
            env={"PATH": "/usr/bin:/bin", **PASSWORDS}, cwd=home,
        )  # fmt: skip
        self.children["pgbouncer"].start()
        self._running.callback(self.children["pgbouncer"].stop)
        wait_until(lambda: self.answers("pgbouncer"), f"pgbouncer answers:\n{self.children['pgbouncer'].tail()}")

    def point_pooler_at(self, name: str) -> None:
        file = self.home("pgbouncer") / "primary.ini"
        other = next(known for known in ("postgres-primary", "postgres-replica") if known != name)
        file.write_text(file.read_text().replace(ADDRESSES[other], ADDRESSES[name]))
        self.children["pgbouncer"].send(signal.SIGHUP)

    def ask(self, name: str, statement: str, **parameters: Any) -> list[tuple[Any, ...]]:
        where = {
            "host": ADDRESSES.get(name, "127.0.0.1"),
            "port": self.pooler_port if name == "pgbouncer" else self.port,
        }
        login = {
            "user": "bcraftd",
            "password": PASSWORDS["POSTGRES_PASSWORD"],
            "dbname": "bcraftd",
            "connect_timeout": 5,
        }
        with closing(psycopg2.connect(**{**where, **login, **parameters})) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(statement)
                return list(cursor.fetchall()) if cursor.description else []

    def answers(self, name: str) -> bool:
        assert self.children[name].running, self.children[name].tail()
        with suppress(psycopg2.Error):
            return self.ask(name, "SELECT 1") == [(1,)]
        return False


@pytest.fixture
def replicated(folder: Path) -> Iterator[Replicated]:
    with ExitStack() as running:
        yield Replicated(folder, running)


def test_a_commit_is_on_both_servers_and_the_standby_is_promoted_by_hand(replicated: Replicated) -> None:
    ask = replicated.ask
    with nobody_tells_a_password():
        replicated.start("postgres-primary")
        replicated.start("postgres-replica")
        replicated.start_pooler()
    wait_until(
        lambda: (
            ask("postgres-primary", "SELECT application_name, sync_state FROM pg_stat_replication")
            == [("postgres_replica", "sync")]
        ),
        "commits wait for the standby",
    )
    assert ask("postgres-primary", "SELECT slot_name, active FROM pg_replication_slots") == [("postgres_replica", True)]
    # What asks outside a transaction is limited too.
    assert ask("pgbouncer", "SHOW statement_timeout") == [("7s",)]
    ask("pgbouncer", "CREATE TABLE kept (number int)")
    ask("pgbouncer", "INSERT INTO kept VALUES (1)")
    wait_until(
        lambda: ask("postgres-replica", "SELECT to_regclass('kept') IS NOT NULL") == [(True,)], "it is there too"
    )
    wait_until(lambda: ask("postgres-replica", "SELECT * FROM kept") == [(1,)], "and so is the row")
    with pytest.raises(psycopg2.errors.ReadOnlySqlTransaction):
        ask("postgres-replica", "INSERT INTO kept VALUES (2)")

    # As the page has it: the primary is gone, the standby is promoted, the pooler is pointed at it.
    replicated.children["postgres-primary"].send(signal.SIGKILL)
    replicated.children["postgres-primary"].wait(30)
    replicated.pg_ctl("postgres-replica", "promote", "--wait")
    replicated.point_pooler_at("postgres-replica")

    def written() -> bool:
        with suppress(psycopg2.Error):
            ask("pgbouncer", "INSERT INTO kept VALUES (3)")
            return True
        return False

    wait_until(written, "the pooler writes to the new primary, and the commit waits for nobody")
    # What migrations and backups use finds it as well.
    both = f"{ADDRESSES['postgres-primary']},{ADDRESSES['postgres-replica']}"
    assert ask("", "SELECT * FROM kept ORDER BY 1", host=both, target_session_attrs="read-write") == [(1,), (3,)]

    # The former primary becomes the standby of the new one.
    with nobody_tells_a_password():
        replicated.copy_anew("postgres-primary", "postgres-replica")
    replicated.start("postgres-primary")
    assert ask("postgres-primary", "SELECT pg_is_in_recovery()") == [(True,)]
    ask("postgres-replica", "ALTER SYSTEM SET synchronous_standby_names = 'postgres_primary'")
    ask("postgres-replica", "SELECT pg_reload_conf()")
    wait_until(
        lambda: (
            ask("postgres-replica", "SELECT application_name, sync_state FROM pg_stat_replication")
            == [("postgres_primary", "sync")]
        ),
        "commits wait for the new standby",
    )
    ask("pgbouncer", "INSERT INTO kept VALUES (4)")
    wait_until(lambda: ask("postgres-primary", "SELECT count(*) FROM kept") == [(3,)], "it follows")

    # They change places: who asks meanwhile waits, and gets an answer.
    replicated.children["pgbouncer"].send(signal.SIGUSR1)
    with ThreadPoolExecutor(1) as other:
        # The pooler pauses when the last transaction has ended, and takes no new one.
        waiting = other.submit(ask, "pgbouncer", "INSERT INTO kept VALUES (5) RETURNING number", connect_timeout=20)
        replicated.children["postgres-replica"].stop()
        replicated.pg_ctl("postgres-primary", "promote", "--wait")
        replicated.point_pooler_at("postgres-primary")
        replicated.children["pgbouncer"].send(signal.SIGUSR2)
        assert waiting.result(30) == [(5,)]
    assert ask("postgres-primary", "SELECT count(*) FROM kept") == [(4,)]


# --- HAProxy ----------------------------------------------------------------------------------------------


class Answering(http.server.BaseHTTPRequestHandler):
    """An instance of the API, as far as HAProxy knows one: it is ready or not, and notes what it was asked."""

    def do_GET(self) -> None:
        server: Any = self.server
        body = server.name.encode()
        if self.path == "/readyz":
            self.send_response(200 if server.ready and self.headers["Host"] == "127.0.0.1" else 503)
        else:
            server.asked.append((self.command, self.headers))
            if server.hangs_up:
                self.close_connection = True
                return
            self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.do_GET()

    def log_message(self, format: str, *args: Any) -> None:
        pass


class Instance(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, name: str, port: int) -> None:
        super().__init__((ADDRESSES[name], port), Answering)
        self.name, self.ready, self.hangs_up = name, True, False
        self.asked: list[tuple[str, Message]] = []
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Balanced:
    """Two instances behind HAProxy, which listens on `url`."""

    def __init__(self, url: str, instances: list[Instance]) -> None:
        self.url, self.instances = url, instances

    def ask(self, path: str = "/api/environment", *, data: bytes | None = None, **headers: str) -> tuple[int, str]:
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        request = urllib.request.Request(self.url + path, data=data, headers=given)  # noqa: S310 - our own
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - our own
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def served_by(self) -> set[str]:
        return {self.ask()[1] for _ in range(8)}


@pytest.fixture
def balanced(folder: Path) -> Iterator[Balanced]:
    port = free_port()
    instances = [Instance(name, port) for name in ("api-1", "api-2")]
    haproxy = HAProxy(folder, {each.name: f"{ADDRESSES[each.name]}:{port}" for each in instances})
    haproxy.start()
    try:
        found = Balanced(haproxy.url, instances)

        def both() -> bool:
            assert haproxy.child.running, haproxy.child.tail()
            with suppress(OSError):
                return found.served_by() == {"api-1", "api-2"}
            return False

        wait_until(both, "both instances serve")
        with urllib.request.urlopen(f"http://127.0.0.1:{haproxy.alive_port}/", timeout=5) as answer:
            assert answer.status == 200
        for instance in instances:
            instance.asked.clear()
        yield found
    finally:
        haproxy.stop()
        for instance in instances:
            instance.shutdown()
            instance.server_close()


def test_an_instance_that_is_not_ready_gets_nobody_until_it_is(balanced: Balanced) -> None:
    one, _ = balanced.instances
    one.ready = False
    started = time.monotonic()
    wait_until(lambda: balanced.served_by() == {"api-2"}, "HAProxy leaves it alone")
    assert time.monotonic() - started < 5, "an instance drains for no longer"
    one.ready = True
    wait_until(lambda: balanced.served_by() == {"api-1", "api-2"}, "HAProxy takes it back")


def test_a_request_whose_instance_is_gone_goes_to_the_other_one(balanced: Balanced) -> None:
    one, _ = balanced.instances
    one.shutdown()
    one.server_close()
    # At once, before any check has noticed.
    assert {balanced.ask() for _ in range(10)} == {(200, "api-2")}
    assert {balanced.ask(data=b"{}") for _ in range(10)} == {(200, "api-2")}


def test_what_may_have_had_its_effect_is_not_sent_again(balanced: Balanced) -> None:
    for instance in balanced.instances:
        instance.hangs_up = True
    assert balanced.ask(data=b"{}")[0] == 502
    asked = [request for instance in balanced.instances for request in instance.asked]
    assert [method for method, _ in asked] == ["POST"]

    assert balanced.ask()[0] == 502
    asked = [request for instance in balanced.instances for request in instance.asked]
    assert sorted(method for method, _ in asked) == ["GET", "GET", "GET", "POST"]


def test_only_the_outer_proxy_may_say_who_the_client_is(balanced: Balanced) -> None:
    balanced.ask(X_Forwarded_For="203.0.113.9", X_Forwarded_Proto="https", Forwarded="for=203.0.113.9")
    ((_, headers),) = [request for instance in balanced.instances for request in instance.asked]
    assert headers.get_all("X-Forwarded-For") == ["127.0.0.1"]
    assert not {"X-Forwarded-Proto", "Forwarded"} & set(headers)


def test_the_outer_proxys_word_is_handed_on_with_its_own_address_behind_it(balanced: Balanced) -> None:
    host, _, port = balanced.url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=10, source_address=(OUTER_PROXY, 0)) as connection:
        head = ("Host: x", "X-Forwarded-For: 203.0.113.9", "X-Forwarded-Proto: https", "Connection: close")
        connection.sendall("\r\n".join(["GET / HTTP/1.1", *head, "", ""]).encode())
        while connection.recv(4096):
            pass
    ((_, headers),) = [request for instance in balanced.instances for request in instance.asked]
    # One line: of two, not every server hands both on.
    assert headers.get_all("X-Forwarded-For") == [f"203.0.113.9, {OUTER_PROXY}"]
    assert headers["X-Forwarded-Proto"] == "https"


@pytest.mark.parametrize("path", ["/metrics", "/metrics?x=1", "/%6detrics"])
def test_the_figures_of_one_instance_are_for_nobody_outside(balanced: Balanced, path: str) -> None:
    assert balanced.ask(path)[0] == 404
    assert not [request for instance in balanced.instances for request in instance.asked]


# --- All of it, with the API ------------------------------------------------------------------------------


def composed(name: str, secrets_of_env: Mapping[str, str], *pairs: tuple[str, str]) -> dict[str, str]:
    """The environment that a service of ours gets, with its servers where they are here."""

    def value(match: "re.Match[str]") -> str:
        return secrets_of_env[match[1]] if match[2] == "?" else match[3]

    given = {key: text for key, text in SERVICES[name]["environment"].items() if text is not None}
    whole = {key: re.sub(r"\$\{([A-Z_]+):([-?])([^}]*)\}", value, text) for key, text in given.items()}
    for theirs, ours in pairs:
        whole = {key: text.replace(theirs, ours) for key, text in whole.items()}
    # Of the shell that runs the tests nothing is handed on. A busy machine is slower than the default has it.
    kept = {"PATH": os.environ["PATH"], "BCRAFTD_ENV_FILES": "off", "REDIS_TIMEOUT": "1"}
    return {key: placed(text) for key, text in whole.items()} | kept


def test_the_api_serves_as_it_is_composed_and_an_instance_that_stops_costs_no_request(folder: Path) -> None:
    for name in ("data", "cache"):
        (folder / name).mkdir()
    keys = {name: secrets.token_urlsafe(48) for name in ("SECRET_KEY", "JWT_SIGNING_KEY")}
    with ExitStack() as running:
        data, watched = Replicated(folder / "data", running), Watched(folder / "cache", running)
        for name in ("redis-1", "redis-2", "sentinel-1", "sentinel-2", "sentinel-3"):
            watched.start(name)
        data.start("postgres-primary")
        data.start("postgres-replica")
        data.start_pooler()
        port = free_port()
        pairs = (
            ("pgbouncer:6432", f"127.0.0.1:{data.pooler_port}"),
            (":5432", f":{data.port}"),
            (":26379", f":{watched.sentinel_port}"),
        )

        def role(name: str, **more: str) -> Child:
            environment = {**composed(name, {**PASSWORDS, **keys}, *pairs), "PORT": str(port), **more}
            words = [sys.executable, *SERVICES[name]["command"][1:]]
            child = Child(name, words, log=folder / f"{name}.log", cwd=DEPLOY.parent, env=environment, grace=40)
            child.start()
            running.callback(child.stop)
            return child

        migrate = role("migrate")
        assert migrate.wait(240) == 0, migrate.tail()
        trusted = {"BIND": "", "TRUSTED_PROXIES": f"127.0.0.1,{OUTER_PROXY}"}
        apis = [role(name, **{**trusted, "BIND": ADDRESSES[name]}) for name in ("api-1", "api-2")]
        haproxy = HAProxy(folder, {name: f"{ADDRESSES[name]}:{port}" for name in ("api-1", "api-2")})
        haproxy.start()
        running.callback(haproxy.stop)

        def ask(method: str, path: str, body: dict[str, Any] | None = None) -> tuple[int, str]:
            """As the proxy that ends TLS asks for a client."""
            with closing(
                http.client.HTTPConnection("127.0.0.1", haproxy.port, timeout=30, source_address=(OUTER_PROXY, 0))
            ) as connection:
                headers = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "203.0.113.9", "Host": "localhost"}
                headers |= {"Content-Type": "application/json"} if body else {}
                connection.request(method, path, json.dumps(body) if body else None, headers)
                answer = connection.getresponse()
                return answer.status, answer.read().decode()

        def ready() -> bool:
            assert all(child.running for child in apis), "\n".join(child.tail() for child in apis)
            with suppress(OSError):
                return ask("GET", "/readyz")[0] == 200
            return False

        wait_until(ready, "an instance is ready")
        state = json.loads(ask("GET", "/readyz")[1])["checks"]
        assert state["database"]["state"] == "ok"
        player = {"login": "ada", "email": "ada@example.org", "password": "correct horse battery"}
        assert ask("POST", "/api/auth/register", player)[0] == 201
        wait_until(lambda: json.loads(ask("GET", "/readyz")[1])["checks"]["cache"]["state"] == "ok", "Redis counts")

        def is_up(name: str) -> bool:
            with suppress(OSError), closing(http.client.HTTPConnection(ADDRESSES[name], port, timeout=10)) as one:
                one.request("GET", "/readyz", headers={"Host": "localhost"})
                return one.getresponse().status == 200
            return False

        wait_until(lambda: is_up("api-1") and is_up("api-2"), "both are ready")
        stopping = threading.Thread(target=apis[0].stop)
        stopping.start()
        answers = []
        while stopping.is_alive():
            answers.append(ask("GET", "/api/environment/current")[0])
            answers.append(ask("POST", "/api/auth/login", {"login": "ada", "password": "wrong"})[0])
            time.sleep(0.2)
        # Refused by the rules of the game, and by nothing else.
        assert set(answers) <= {200, 401, 429}, answers
        assert len(answers) > 10
