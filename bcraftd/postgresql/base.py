"""The database backend that settings.DATABASES names: Django's own, which knows nothing that comes before a commit.

`transaction.on_commit` runs after it, when a process may be dead already. What has to stand before a transaction's
effects can be seen, and go away with it where it fails, belongs around the commit.
"""

import select
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from typing import Any

from django.conf import settings
from django.db.backends.postgresql import base
from django.db.utils import Error, OperationalError
from psycopg2 import InterfaceError

from bcraftd.postgresql.connecting import WORDS

# Seconds. Longer than any statement may take (settings.DATABASES), shorter than a fence stands (cache/store.py).
TRANSACTION_TIMEOUT = 8
# The first PostgreSQL that ends a transaction which takes too long. Before it, statements and idle time are
# limited, which a transaction of many short steps can pass.
HAS_TRANSACTION_TIMEOUT = 170000

# Classes of PostgreSQL's errors after which nobody can say whether a commit took place: the connection was lost, or
# the server was being stopped.
_UNCERTAIN = ("08", "57")

around_commit: list[Callable[["DatabaseWrapper"], AbstractContextManager[Any]]] = []


class CommitUnknown(OperationalError):
    """PostgreSQL was lost while it committed: the transaction has taken place, or it has not."""


class Statements:
    """What a connection has asked of PostgreSQL since it was made: who wants to know what something cost compares
    before and after. One thread uses a connection, so that there is nothing to lock.

    count: statements. seconds: the time that they took, and that commits took.
    """

    __slots__ = ("count", "seconds")

    def __init__(self) -> None:
        self.count, self.seconds = 0, 0.0

    def __call__(self, execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        """Django's hook around each statement."""
        began = time.perf_counter()
        try:
            return execute(sql, params, many, context)
        finally:
            self.count += 1
            self.seconds += time.perf_counter() - began


class DatabaseWrapper(base.DatabaseWrapper):
    """Enters every context manager of `around_commit` with the connection, then commits, then leaves them."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.statements = Statements()
        # First of all that anybody adds, and for good: around each request it would cost more than what it counts.
        self.execute_wrappers.append(self.statements)

    def init_connection_state(self) -> None:
        super().init_connection_state()
        if self.pg_version >= HAS_TRANSACTION_TIMEOUT and not settings.DATABASE_POOLED:
            with self.cursor() as cursor:
                cursor.execute(f"SET transaction_timeout = '{TRANSACTION_TIMEOUT}s'")

    def _set_autocommit(self, autocommit: bool) -> None:
        """Where a pooler gives each transaction another connection, a transaction begins with what the connection would
        have been told at its start."""
        super()._set_autocommit(autocommit)  # type: ignore[misc]
        if autocommit or not settings.DATABASE_POOLED:
            return
        try:
            with self.wrap_database_errors, self.connection.cursor() as cursor:
                cursor.execute("; ".join(f"SET LOCAL {name} = '{value}'" for name, value in self._words().items()))
        except Error:
            # Django takes it for one outside a transaction, which it is not.
            self.close()
            raise

    def _words(self) -> dict[str, str]:
        limit = {"transaction_timeout": f"{TRANSACTION_TIMEOUT}s"} if self.pg_version >= HAS_TRANSACTION_TIMEOUT else {}
        return {**WORDS, **limit}

    def is_usable(self) -> bool:
        """As Django's, which asks PostgreSQL before each request's first query; here only where something has come in
        since the last answer. A connection that nobody waits on has nothing to say but that it is over."""
        return not self._has_news() or super().is_usable()

    def _has_news(self) -> bool:
        watched = select.poll()
        try:
            watched.register(self.connection.fileno(), select.POLLIN)
        except InterfaceError:
            # Closed on our side.
            return True
        return bool(watched.poll(0))

    def commit(self) -> None:
        with ExitStack() as stack:
            for enter in around_commit:
                stack.enter_context(enter(self))
            began = time.perf_counter()
            try:
                super().commit()
            except Error as error:
                if _is_uncertain(error):
                    raise CommitUnknown(*error.args) from error.__cause__
                raise
            finally:
                self.statements.seconds += time.perf_counter() - began


def _is_uncertain(error: Error) -> bool:
    code = getattr(error.__cause__, "pgcode", None)
    return code is None or code.startswith(_UNCERTAIN)
