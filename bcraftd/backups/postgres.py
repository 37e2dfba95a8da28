"""PostgreSQL's part: a dump of one moment with the counts of that moment, and its way back into an empty database."""

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg2
from django.db import connection
from psycopg2 import sql

from bcraftd.backups import BackupError
from bcraftd.embedded.postgres import program
from bcraftd.embedded.process import ServerError

# What a restored world is compared by, beside the rows of each table.
TOTALS = {
    "coins": "SELECT coalesce(sum(coins), 0) FROM accounts_player",
    "ledger": "SELECT coalesce(sum(amount), 0) FROM accounts_ledgerentry WHERE player_id IS NOT NULL",
    "items": "SELECT coalesce(sum(quantity), 0) FROM inventory_inventoryitem",
    "movements": "SELECT coalesce(sum(quantity), 0) FROM inventory_itemmovement",
    "trades": "SELECT coalesce(sum(total_price), 0) FROM market_trade",
}
# Materialized views are made anew by a restore, and may know more than they did.
_TABLES = """
    SELECT relname FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
    WHERE nspname = 'public' AND relkind IN ('r', 'p') ORDER BY relname
"""
_OBJECTS = """
    SELECT (SELECT count(*) FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
            WHERE nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast'))
         + (SELECT count(*) FROM pg_proc WHERE pronamespace = 'public'::regnamespace)
"""


@dataclass(frozen=True)
class World:
    """What a database held at a moment: rows by table, sums, the migrations that were applied, the server's version."""

    tables: dict[str, int]
    totals: dict[str, int]
    migrations: list[str]
    server: str


def _parameters() -> dict[str, Any]:
    """How psycopg2 reaches the database, without what limits a request's time."""
    found: dict[str, Any] = connection.get_connection_params()
    return {name: value for name, value in found.items() if name not in ("options", "cursor_factory", "context")}


def _environment() -> dict[str, str]:
    """The same for PostgreSQL's programs. The password is in no argument, which others could read."""
    same = ("host", "port", "user", "password", "sslmode", "sslrootcert", "sslcert", "sslkey", "connect_timeout")
    names = {"dbname": "PGDATABASE", **{name: f"PG{name.upper()}" for name in same}}
    given = {names[name]: str(value) for name, value in _parameters().items() if name in names}
    limits = "-c statement_timeout=0 -c lock_timeout=60000 -c idle_in_transaction_session_timeout=0"
    return {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C.UTF-8", "PGOPTIONS": limits, **given}


def _connect() -> Any:
    try:
        return psycopg2.connect(**_parameters())
    except psycopg2.OperationalError:
        raise BackupError("PostgreSQL cannot be reached. `manage.py doctor` says why.") from None


def find(name: str, server: str) -> tuple[Path, str]:
    """One of PostgreSQL's programs that knows a server's version, and its own version: of this system, or of the wheel
    that brings them.

    Raises BackupError where there is none.
    """
    candidates = [Path(path)] if (path := shutil.which(name)) else []
    with suppress(ServerError):
        candidates.append(program(name))
    versions = [version_of(candidate) for candidate in candidates]
    for candidate, version in zip(candidates, versions, strict=True):
        if _major(version) >= _major(server):
            return candidate, version
    there = f"only {', '.join(versions)}" if versions else "none"
    raise BackupError(f"PostgreSQL is {server}, and of {name} there is {there}: install that of {_major(server)}.")


def version_of(path: Path) -> str:
    """`pg_dump (PostgreSQL) 18.1` is "18.1"."""
    said = subprocess.run([path, "--version"], capture_output=True, text=True, check=False).stdout
    return said.split("(PostgreSQL)")[-1].strip().split(" ")[0]


def _major(version: str) -> int:
    return int(version.split(".")[0] or 0)


@contextmanager
def moment() -> Iterator[tuple[str, World]]:
    """A moment that stands still for as long as it is held: its snapshot's name, and the world in it.

    Raises BackupError.
    """
    with closing(_connect()) as held:
        held.set_session(isolation_level="REPEATABLE READ", readonly=True)
        with held.cursor() as cursor:
            cursor.execute("SELECT pg_export_snapshot()")
            snapshot = cursor.fetchone()[0]
            yield snapshot, _world(cursor)


def _world(cursor: Any) -> World:
    cursor.execute(_TABLES)
    tables = {}
    for (name,) in cursor.fetchall():
        cursor.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier("public", name)))
        tables[name] = cursor.fetchone()[0]
    totals = {}
    for name, statement in TOTALS.items():
        cursor.execute(statement)
        totals[name] = int(cursor.fetchone()[0])
    cursor.execute("SELECT app || '.' || name FROM django_migrations ORDER BY 1")
    migrations = [name for (name,) in cursor.fetchall()]
    cursor.execute("SELECT current_setting('server_version')")
    return World(tables, totals, migrations, cursor.fetchone()[0].split(" ")[0])


def dump(snapshot: str, server: str, target: Path) -> str:
    """Writes the database of a snapshot to a file, in pg_dump's custom format. Returns pg_dump's version.

    Raises BackupError.
    """
    path, version = find("pg_dump", server)
    _run([path, "--format=custom", "--no-owner", "--no-privileges", f"--snapshot={snapshot}", f"--file={target}"])
    return version


def _run(command: list[Any]) -> None:
    ran = subprocess.run(command, env=_environment(), capture_output=True, text=True, check=False)
    if ran.returncode:
        lines = ran.stderr.strip().splitlines() or ["no reason given"]
        # The line that says what happened; the statement in which it did may follow.
        said = next((line for line in lines if "error: " in line), lines[-1]).split("error: ")[-1]
        raise BackupError(f"{Path(command[0]).name} failed: {said}")


def refuse_unless_empty() -> None:
    """Raises BackupError where there is anything in the database, or it cannot be reached."""
    with closing(_connect()) as held, held.cursor() as cursor:
        cursor.execute(_OBJECTS)
        if cursor.fetchone()[0]:
            raise BackupError(
                "The database is not empty: restore into a new one (CREATE DATABASE), and nothing is lost."
            )


def refuse_if_older(dumped_from: str) -> None:
    """Raises BackupError where the server is of an older major version than the one that was dumped."""
    with closing(_connect()) as held, held.cursor() as cursor:
        cursor.execute("SELECT current_setting('server_version')")
        server = cursor.fetchone()[0].split(" ")[0]
    if _major(server) < _major(dumped_from):
        raise BackupError(f"The backup is of PostgreSQL {dumped_from}, and the server is {server}: it is too old.")


def restore(source: Path, pg_dump: str) -> None:
    """Puts what a pg_dump of that version wrote into the empty database: all of it, or nothing. Raises BackupError."""
    command = [
        find("pg_restore", pg_dump)[0],
        "--exit-on-error",
        "--single-transaction",
        "--no-owner",
        "--no-privileges",
    ]
    _run([*command, f"--dbname={_parameters()['dbname']}", source])


def differences(tables: Mapping[str, int], totals: Mapping[str, int]) -> list[str]:
    """How the database differs from what a manifest says, a sentence each. Raises BackupError."""
    with closing(_connect()) as held, held.cursor() as cursor:
        found = _world(cursor)
        cursor.execute("ANALYZE")
        held.commit()
    wanted, have = {**tables, **totals}, {**found.tables, **found.totals}
    return [f"{name}: {have.get(name)} and not {wanted[name]}" for name in wanted if have.get(name) != wanted[name]]
