"""What is different while migrations run."""

from typing import Any

from django.db import connections

from bcraftd.postgresql.base import HAS_TRANSACTION_TIMEOUT


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
