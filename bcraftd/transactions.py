"""Transactions that are tried again where PostgreSQL asks for it."""

import logging
import random
import time
from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar, cast

from django.db import OperationalError, connection, transaction

from bcraftd.postgresql.base import HAS_TRANSACTION_TIMEOUT

P = ParamSpec("P")
T = TypeVar("T")
log = logging.getLogger(__name__)

# serialization_failure and deadlock_detected: the transaction had no effect, and may succeed when run again.
RETRIED = ("40001", "40P01")
TRIES = 3
_jitter = random.Random()  # noqa: S311 - spreads retries, hides nothing # nosec B311


def atomic(function: Callable[P, T]) -> Callable[P, T]:
    """Runs the whole function in a transaction, at most TRIES times. Inside another transaction it runs once,
    because only the outermost one can be repeated as a whole."""

    @wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        if connection.in_atomic_block:
            return function(*args, **kwargs)
        for attempt in range(1, TRIES + 1):
            try:
                with transaction.atomic():
                    return function(*args, **kwargs)
            except OperationalError as error:
                if getattr(error.__cause__, "pgcode", None) not in RETRIED or attempt == TRIES:
                    raise
                log.warning("transaction tried again", extra={"attempt": attempt, "function": function.__qualname__})
                time.sleep(_jitter.uniform(0.005, 0.03) * attempt)
        raise AssertionError("unreachable")

    return run


def unhurried() -> None:
    """Lets the running transaction take as long as it needs. For what no request waits for."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 0")
        cursor.execute("SET LOCAL lock_timeout = 0")
        if cast("Any", connection).pg_version >= HAS_TRANSACTION_TIMEOUT:
            cursor.execute("SET LOCAL transaction_timeout = 0")
