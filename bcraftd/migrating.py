"""What is different while migrations run, and what they say to whoever reads them."""

from typing import Any, TypeVar

from django.db import connections
from django.db.migrations.operations.base import Operation

from bcraftd.postgresql.base import HAS_TRANSACTION_TIMEOUT

AnyOperation = TypeVar("AnyOperation", bound=Operation)


def beside(operation: AnyOperation, why: str) -> AnyOperation:
    """An operation of a migration, with a sentence on why the version before can run on what it leaves: without one
    `make lint` refuses whatever may break that version, and all that it cannot see through (docs/upgrading.md)."""
    vars(operation)["beside"] = why
    return operation


def as_from_outside(using: str = "default", **rest: Any) -> None:
    """A data migration changes rows through models of its own time, which send no signal that we hear: the triggers
    that watch for changes from outside hear it. And it may take its time."""
    _set(using, {"bcraftd.writer": "migration", "statement_timeout": "0", "transaction_timeout": "0"})


def as_before(using: str = "default", **rest: Any) -> None:
    """After the last one: what the settings say again, and the limit that each connection of ours is given."""
    connection: Any = connections[using]
    with connection.cursor() as cursor:
        cursor.execute("RESET bcraftd.writer")
        cursor.execute("RESET statement_timeout")
    connection.init_connection_state()


def _set(using: str, values: dict[str, str]) -> None:
    connection: Any = connections[using]
    with connection.cursor() as cursor:
        for name, value in values.items():
            if name != "transaction_timeout" or connection.pg_version >= HAS_TRANSACTION_TIMEOUT:
                cursor.execute("SELECT set_config(%s, %s, false)", [name, value])
