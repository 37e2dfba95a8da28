"""A PostgreSQL that follows another one synchronously, and takes its place."""

import os
import subprocess
from contextlib import closing
from pathlib import Path

import psycopg2

from bcraftd.embedded.files import private_folder, write_private
from bcraftd.embedded.postgres import PostgresServer, program
from bcraftd.embedded.process import Deadline, ServerError


def _tell(url: str, *statements: str) -> None:
    with closing(psycopg2.connect(url)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)


def following(primary: PostgresServer, folder: Path, *, synchronous: bool = True) -> PostgresServer:
    """A standby of a running server. synchronous: from now on that one answers a commit once the standby has it on its
    disk.

    Raises ServerError.
    """
    standby = PostgresServer(folder)
    private_folder(folder, passable=True)
    write_private(folder / "password", primary.url.split(":")[2].split("@")[0] + "\n")
    copied = subprocess.run(
        [program("pg_basebackup"), "--dbname", primary.url, "--pgdata", standby.data, "--write-recovery-conf",
         "--wal-method=stream", "--checkpoint=fast"],
        capture_output=True, text=True, env={**os.environ, "PGAPPNAME": "standby"}, check=False,
    )  # fmt: skip
    if copied.returncode != 0:
        raise ServerError(copied.stderr)
    standby.start()
    # After the copy, so that the standby does not wait for one of its own once it is promoted.
    if synchronous:
        _tell(primary.url, "ALTER SYSTEM SET synchronous_standby_names = '*'", "SELECT pg_reload_conf()")
    with closing(psycopg2.connect(primary.url)) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        for _ in Deadline(30).ticks():
            cursor.execute(
                "SELECT count(*) FROM pg_stat_replication WHERE sync_state = %s", ["sync" if synchronous else "async"]
            )
            if (cursor.fetchone() or [0])[0] == 1:
                return standby
    raise ServerError(f"the standby does not follow:\n{standby.child.tail()}")


def promote(standby: PostgresServer) -> None:
    """Returns once it takes writes."""
    _tell(standby.url, "SELECT pg_promote(true, 30)")
