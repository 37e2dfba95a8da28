"""Ways to undo a service's call in the middle, from outside of it, for tests/test_economy_machine.py."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any, Literal

from django.db import OperationalError, connection, transaction

from bcraftd.errors import Refusal
from bcraftd.postgresql import base

# none: it runs. rollback: a transaction around it is rolled back. raise: its n-th statement fails, before it has run
# or after. commit: PostgreSQL is lost before the commit. deadlock: its n-th statement is one's victim, once; it is run
# again and has to succeed. deadlocks: it is a victim each time, until it gives up.
Kind = Literal["none", "rollback", "raise", "raise_after", "commit", "deadlock", "deadlocks"]


class Injected(Exception):
    """What the call meets. Nothing of ours catches it."""


class Victim(Exception):
    """Stands where psycopg2 has PostgreSQL's code."""

    pgcode = "40P01"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a call: its answer, or a refusal's code; `undone` where nothing may be left of it."""

    answer: Any = None
    code: str | None = None
    undone: bool = False


@dataclass(frozen=True, slots=True)
class Fault:
    """One of the ways; `at` is the number of the statement that fails."""

    kind: Kind = "none"
    at: int = 1

    def run(self, act: Callable[[], Any]) -> Outcome:
        """Makes the call with this fault. A call of fewer statements meets none."""
        if self.kind == "rollback":
            return self._rolled_back(act)
        try:
            with self._injected():
                return _called(act)
        except (Injected, OperationalError):
            return Outcome(undone=True)

    def _rolled_back(self, act: Callable[[], Any]) -> Outcome:
        with transaction.atomic():
            outcome = _called(act)
            transaction.set_rollback(True)
        return Outcome(outcome.answer, outcome.code, undone=True)

    @contextmanager
    def _injected(self) -> Iterator[None]:
        if self.kind == "commit":
            base.around_commit.append(_Lost)
            try:
                yield
            finally:
                base.around_commit.remove(_Lost)
        elif self.kind == "none":
            yield
        else:
            with connection.execute_wrapper(self._failing()):
                yield

    def _failing(self) -> Callable[..., Any]:
        number = 0

        def execute(go_on: Callable[..., Any], *statement: Any) -> Any:
            nonlocal number
            number += 1
            if number == self.at and self.kind == "raise_after":
                go_on(*statement)
            if number == self.at and self.kind.startswith("raise"):
                raise Injected
            if number == self.at or (number > self.at and self.kind == "deadlocks"):
                raise OperationalError from Victim()
            return go_on(*statement)

        return execute


def _called(act: Callable[[], Any]) -> Outcome:
    try:
        return Outcome(answer=act())
    except Refusal as refusal:
        return Outcome(code=refusal.code)


class _Lost(AbstractContextManager[None]):
    """What the commit runs into."""

    def __init__(self, _: object) -> None:
        pass

    def __enter__(self) -> None:
        raise OperationalError("PostgreSQL was lost before the commit")

    def __exit__(self, *error: object) -> None:
        pass
