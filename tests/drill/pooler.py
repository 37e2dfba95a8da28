"""pgbouncer in transaction mode, Debian's, in front of a PostgreSQL."""

import os
import signal
from pathlib import Path
from urllib.parse import urlsplit

import psycopg2

from bcraftd.embedded.files import write_private
from bcraftd.embedded.postgres import account
from bcraftd.embedded.process import Child, Deadline, ServerError, free_port
from tests.tools import tool


class Pooler:
    """`database` is the URL that it connects to; `size` the connections to PostgreSQL that all clients share."""

    def __init__(self, folder: Path, database: str, size: int = 2) -> None:
        self.folder, self.size = folder, size
        self.database = urlsplit(database)
        self.port = free_port()
        self.child = Child("pgbouncer", [], log=folder / "log")

    @property
    def url(self) -> str:
        """The DATABASE_URL of its clients."""
        login = self.database.netloc.rpartition("@")[0]
        return self.database._replace(netloc=f"{login}@127.0.0.1:{self.port}").geturl()

    def point_at(self, database: str) -> None:
        """From now on it connects to another server; its clients stay."""
        self.database = urlsplit(database)
        self._configure()
        self.child.send(signal.SIGHUP)

    def start(self) -> None:
        """Returns when it lets somebody through to PostgreSQL. Raises ServerError."""
        settings = self._configure()
        # It refuses to run as root, as PostgreSQL does.
        self.child = Child("pgbouncer", [*account().prefix, tool("pgbouncer"), settings], log=self.folder / "log")
        self.child.start()
        for _ in Deadline(30).ticks(0.1):
            try:
                psycopg2.connect(self.url).close()
                return
            except psycopg2.OperationalError:
                continue
        raise ServerError(f"pgbouncer is not ready:\n{self.child.tail()}")

    def _configure(self) -> Path:
        self.folder.mkdir(parents=True, exist_ok=True)
        parts = self.database
        users, settings = self.folder / "users.txt", self.folder / "pgbouncer.ini"
        write_private(users, f'"{parts.username}" "{parts.password}"\n')
        lines = [
            "[databases]",
            f"* = host={parts.hostname} port={parts.port}",
            "[pgbouncer]",
            "pool_mode = transaction",
            "listen_addr = 127.0.0.1",
            f"listen_port = {self.port}",
            "unix_socket_dir =",
            "auth_type = scram-sha-256",
            f"auth_file = {users}",
            f"default_pool_size = {self.size}",
            "max_client_conn = 200",
            # A server that is away is asked again soon, and who waits for it is told so while its client still waits.
            "server_login_retry = 1",
            "query_wait_timeout = 5",
            # psycopg2 sends it, and no answer of ours depends on it.
            "ignore_startup_parameters = extra_float_digits",
        ]
        write_private(settings, "\n".join(lines) + "\n")
        for path in (self.folder, users, settings):
            os.chown(path, *account().owner)
        return settings

    def stop(self) -> None:
        self.child.stop()
