"""`make up` in a copy of this checkout: it comes up, says so, keeps what it should, and leaves no process behind."""

import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from urllib.parse import urlsplit

import psycopg2
import pytest
import redis

from bcraftd.embedded.postgres import PostgresServer
from bcraftd.embedded.process import free_port
from bcraftd.embedded.valkey import ValkeyServer
from tests.processes import PATIENCE, processes_in, wait_until, wait_until_empty

ROOT = Path(__file__).resolve().parent.parent
SECRETS = (
    "env",
    "admin",
    "keys/SECRET_KEY",
    "keys/JWT_SIGNING_KEY",
    "keys/admin",
    "postgres/password",
    "redis/password",
)


class Checkout:
    """A copy of this checkout, run by this interpreter, on a port of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.state = folder / ".bcraftd"
        self.port = free_port()
        self.started: list[subprocess.Popen[bytes]] = []
        # Without what begins with a dot: the environment, the servers' data, a developer's .env.
        shutil.copytree(ROOT, folder, ignore=shutil.ignore_patterns(".*", "__pycache__"), symlinks=True)

    def environment(self, **settings: str) -> dict[str, str]:
        """This shell's environment without what the tests (or a developer) have set for B-CraftD."""
        ours = re.compile(
            r"SECRET_KEY|JWT_SIGNING_KEY|DEBUG|BIND|PORT|HTTPS|ALLOWED_HOSTS|WEB_WORKERS|LOGIN_FAILURE_LIMIT|MAKE.*|MFLAGS|"
            r"DATABASE_URL|REDIS_.*|CACHE_.*|RATE_LIMIT_.*|BCRAFTD_.*|DJANGO_.*|PROMETHEUS_.*|METRICS_TOKEN|"
            r"PYTHONDONTWRITEBYTECODE"
        )
        kept = {name: value for name, value in os.environ.items() if not ours.fullmatch(name)}
        # Each start of Django would compile all of it again where an installation has left that out.
        compiled = str(self.folder.parent / "compiled")
        return {**kept, "PORT": str(self.port), "PYTHONPYCACHEPREFIX": compiled, **settings}

    def up(self, output: str = "output", *command: str, **settings: str) -> subprocess.Popen[bytes]:
        """Start it, as a terminal would: in a process group of its own. What it prints goes to the file `output`."""
        with (self.folder / output).open("wb") as file:
            run = subprocess.Popen(
                command or (sys.executable, "-m", "bcraftd.embedded.up"),
                cwd=self.folder,
                env=self.environment(**settings),
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.started.append(run)
        return run

    def up_and_ready(self, **settings: str) -> subprocess.Popen[bytes]:
        """Start it and wait until it says that it is up."""
        run = self.up(**settings)
        self.wait_for("Ctrl-C stops everything.", run)
        return run

    def wait_for(self, words: str, run: subprocess.Popen[bytes]) -> None:
        wait_until(lambda: words in self.said() or run.poll() is not None, words)
        assert words in self.said(), self.said()

    def said(self, output: str = "output") -> str:
        return (self.folder / output).read_text()

    def manage(self, *command: str) -> str:
        """What a manage.py command in another terminal prints."""
        done = subprocess.run(
            [sys.executable, "manage.py", *command],
            cwd=self.folder,
            env=self.environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def get(self, path: str) -> int:
        """The status of a GET."""
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)) as connection:
            connection.request("GET", path)
            return connection.getresponse().status

    def login(self, login: str, password: str) -> int:
        """The status of a login."""
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)) as connection:
            body = json.dumps({"login": login, "password": password})
            connection.request("POST", "/api/auth/login", body, {"Content-Type": "application/json"})
            return connection.getresponse().status

    def settings(self) -> dict[str, str]:
        """What .bcraftd/env holds."""
        lines = (self.state / "env").read_text().splitlines()
        return {name: value.strip("'") for name, _, value in (line.partition("=") for line in lines if line[0] != "#")}

    def end(self) -> None:
        """Kill what a failed test left."""
        for run in self.started:
            run.kill()
            run.wait()
        for pid in processes_in(self.folder):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def with_small_parts(self) -> "Checkout":
        """Put programs of a few lines in place of Django's, which take seconds to start: what is tested with them is
        who starts and stops whom. Like django-q2's, this worker hangs when its child is signalled beside it."""
        (self.folder / "manage.py").write_text(
            textwrap.dedent("""\
                import multiprocessing, pathlib, signal, sys, time

                def work():
                    signal.signal(signal.SIGTERM, lambda *_: time.sleep(1000))
                    time.sleep(1000)

                def stop(*_):
                    child.kill()
                    sys.exit(0)

                command = sys.argv[1]
                print(f"{command} runs", flush=True)
                if command == "createsuperuser":
                    pathlib.Path("created").exists() and sys.exit("Error: That login is already taken.")
                    pathlib.Path("created").touch()
                if command == "qcluster":
                    child = multiprocessing.get_context("fork").Process(target=work)
                    child.start()
                    signal.signal(signal.SIGTERM, stop)
                    time.sleep(1000)
            """)
        )
        (self.folder / "bcraftd" / "wsgi.py").write_text(
            textwrap.dedent("""\
                def application(environ, start_response):
                    start_response("200 OK", [("Content-Type", "text/plain")])
                    return [b"ok"]
            """)
        )
        return self


@pytest.fixture
def checkout(tmp_path: Path) -> Iterator[Checkout]:
    copy = Checkout(tmp_path / "copy of it")  # a space in the path, as on many a desktop
    yield copy
    copy.end()


@pytest.fixture
def small(checkout: Checkout) -> Checkout:
    return checkout.with_small_parts()


def test_a_whole_life(checkout: Checkout) -> None:
    run = checkout.up_and_ready()
    assert checkout.get("/readyz") == 200
    assert checkout.get("/api/docs") == 200
    assert checkout.get("/api/resources") == 200
    for words in (
        f"http://127.0.0.1:{checkout.port}/api/",
        "/api/docs",
        "/admin/",
        "PostgreSQL",
        "Redis",
        ".bcraftd/log",
    ):
        assert words in checkout.said()

    # Every command in another terminal talks to the same servers, and the catalogue is there.
    assert json.loads(checkout.manage("seed", "--json")) == {"created": 0}
    first = checkout.settings()
    with closing(psycopg2.connect(first["DATABASE_URL"])) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE kept AS SELECT 42 AS number")
        connection.commit()
    with redis.Redis.from_url(first["REDIS_URL"]) as client:
        client.set("kept", "42")

    # Passwords and keys are for their owner. The admin's is printed once, and lets one in.
    assert checkout.state.stat().st_mode & 0o077 in (0, 0o011)
    for name in SECRETS:
        assert (checkout.state / name).stat().st_mode & 0o777 == 0o600
    assert len(first["SECRET_KEY"]) >= 50
    assert len(first["JWT_SIGNING_KEY"]) >= 50
    assert first["SECRET_KEY"] != first["JWT_SIGNING_KEY"]
    password = (checkout.state / "keys" / "admin").read_text().strip()
    assert f"admin, password {password}" in checkout.said()
    assert password in (checkout.state / "admin").read_text()
    assert checkout.login("admin", password) == 200
    assert checkout.login("admin", password + "x") == 401

    # A second one says so, and disturbs nothing.
    second = checkout.up("second")
    assert second.wait(PATIENCE) == 0
    assert "running already" in checkout.said("second")
    assert f"http://127.0.0.1:{checkout.port}/api/" in checkout.said("second")
    assert password not in checkout.said("second")
    assert checkout.get("/readyz") == 200

    # Ctrl-C, twice, as impatient people do.
    run.send_signal(signal.SIGINT)
    checkout.wait_for("Stopping ...", run)
    run.send_signal(signal.SIGINT)
    assert run.wait(PATIENCE) == 0
    assert processes_in(checkout.folder) == {}

    # The next start finds data, keys and passwords as they were, and the killed one after it leaves nothing running.
    again = checkout.up_and_ready()
    now = checkout.settings()
    for name in ("SECRET_KEY", "JWT_SIGNING_KEY"):
        assert now[name] == first[name]
    with closing(psycopg2.connect(now["DATABASE_URL"])) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT number FROM kept")
        assert cursor.fetchall() == [(42,)]
    with redis.Redis.from_url(now["REDIS_URL"]) as client:
        assert client.get("kept") == b"42"
    assert password not in checkout.said()
    again.kill()
    again.wait()
    wait_until_empty(checkout.folder)


def test_when_a_part_dies_the_rest_is_stopped(small: Checkout) -> None:
    run = small.up_and_ready()
    victims = [pid for pid, name in processes_in(small.folder).items() if "qcluster" in name and "guard.py" not in name]
    os.kill(min(victims), signal.SIGKILL)
    assert run.wait(PATIENCE) == 1
    assert "The worker ended by itself" in small.said()
    assert "qcluster runs" in small.said()
    assert processes_in(small.folder) == {}


def test_a_worker_process_of_the_api_is_replaced(small: Checkout) -> None:
    run = small.up_and_ready(WEB_WORKERS="1")

    def web_workers() -> list[int]:
        """Those below granian's first process, which the guard started."""
        granian = [
            pid for pid, name in processes_in(small.folder).items() if "granian" in name and "guard.py" not in name
        ]
        return sorted(granian)[1:]

    (victim,) = wait_until(web_workers, "a worker of granian")
    os.kill(victim, signal.SIGKILL)
    wait_until(lambda: web_workers() not in ([], [victim]), "another worker")
    wait_until(lambda: _answers(small), "an answer of the other worker")
    run.terminate()
    assert run.wait(PATIENCE) == 0
    assert processes_in(small.folder) == {}


def _answers(small: Checkout) -> bool:
    try:
        return small.get("/healthz") == 200
    except (OSError, http.client.HTTPException):
        return False


@pytest.mark.parametrize(
    ("moment", "number"),
    [
        ("Starting PostgreSQL", signal.SIGINT),
        ("Starting PostgreSQL", signal.SIGKILL),
        ("Running migrate", signal.SIGINT),
        ("Starting the API", signal.SIGKILL),
        ("Ctrl-C stops everything", signal.SIGKILL),
    ],
)
def test_an_interrupted_start_leaves_nothing_and_can_be_repeated(
    small: Checkout, moment: str, number: signal.Signals
) -> None:
    run = small.up()
    small.wait_for(moment, run)
    run.send_signal(number)
    assert run.wait(PATIENCE) == (0 if number == signal.SIGINT else -signal.SIGKILL)
    if number == signal.SIGINT:
        assert processes_in(small.folder) == {}
    # The one after a kill waits by itself for what the killed one left to end.
    run = small.up_and_ready()
    run.terminate()
    assert run.wait(PATIENCE) == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL, signal.SIGHUP])
def test_the_end_of_make_is_the_end_of_all(small: Checkout, number: signal.Signals) -> None:
    (small.folder / "Makefile").write_text(f"up:\n\t@exec '{sys.executable}' -m bcraftd.embedded.up\n")
    make = small.up("output", "make", "up")
    small.wait_for("Ctrl-C stops everything.", make)
    if number == signal.SIGHUP:
        os.killpg(make.pid, number)  # a closed terminal tells everybody in it
    else:
        make.send_signal(number)
    make.wait(PATIENCE)
    wait_until_empty(small.folder)


def test_a_port_in_use_is_named_before_anything_starts(small: Checkout) -> None:
    with socket.create_server(("127.0.0.1", small.port)):
        run = small.up()
        assert run.wait(PATIENCE) == 1
    assert f"port {small.port}: Address already in use" in small.said()
    assert "Starting" not in small.said()
    assert not (small.state / "postgres").exists()


@pytest.mark.parametrize(("name", "value"), [("PORT", "eighty"), ("WEB_WORKERS", "0")])
def test_a_malformed_setting_is_named(checkout: Checkout, name: str, value: str) -> None:
    run = checkout.up(**{name: value})
    assert run.wait(PATIENCE) == 1
    assert f"{name}: expected" in checkout.said()
    assert "Traceback" not in checkout.said()


def test_a_failed_migration_shows_why(checkout: Checkout) -> None:
    settings = checkout.folder / "bcraftd" / "settings.py"
    settings.write_text(settings.read_text() + "\nraise RuntimeError('a mistake in the settings')\n")
    run = checkout.up()
    assert run.wait(PATIENCE) == 1
    assert "a mistake in the settings" in checkout.said()
    assert processes_in(checkout.folder) == {}


def test_given_servers_are_used_and_left_alone(small: Checkout) -> None:
    """The environment wins over .env; a Redis may also be named by its parts. What was given still runs afterwards."""
    postgres = PostgresServer(small.folder / "given" / "postgres", durable=False)
    valkey = ValkeyServer(small.folder / "given" / "redis")
    try:
        postgres.start()
        valkey.start()
        url = urlsplit(valkey.url)
        (small.folder / ".env").write_text(
            f"DATABASE_URL={postgres.url}\nREDIS_HOST=127.0.0.1\nREDIS_PORT={url.port}\n"
            f"REDIS_PASSWORD={url.password}\nPORT=1\nSECRET_KEY={'x' * 60}\n"
        )
        run = small.up_and_ready()
        assert not (small.state / "postgres").exists()
        assert not (small.state / "redis").exists()
        settings = small.settings()
        assert settings["DATABASE_URL"] == postgres.url
        assert settings["REDIS_URL"] == valkey.url
        assert settings["SECRET_KEY"] == "x" * 60
        assert "from DATABASE_URL" in small.said()
        run.terminate()
        assert run.wait(PATIENCE) == 0
        with closing(psycopg2.connect(postgres.url)):
            pass

        # A login that is there already keeps its password.
        shutil.rmtree(small.state)
        run = small.up_and_ready()
        assert "it was in this database already" in small.said()
        assert "created just now" not in small.said()
        run.terminate()
        assert run.wait(PATIENCE) == 0
    finally:
        valkey.stop()
        postgres.stop()
