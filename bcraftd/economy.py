"""The economy's audit: whether everything that is kept twice is still the same twice.

Each app declares in its audit.py what must hold of its tables: CHECKS (an SQL statement that yields a row for each bad
row) and TOTALS (a statement that yields one row of figures). All of them run in one snapshot, while the game goes on.
This module is the mechanism and knows no app.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import structlog
from django.apps import AppConfig, apps
from django.db import connection, transaction
from django.utils import timezone

from bcraftd.models import EconomyAudit
from bcraftd.transactions import unhurried

# structlog's own logger: its fields stand in the line by their names.
log = structlog.stdlib.get_logger(__name__)

# How many problems of one kind are named. All are counted: after a disaster a report must still fit into memory.
NAMED = 1_000
# How many have a line of their own in the log.
LOGGED = 10
# How many of one kind are kept with a stored audit, and how many audits are kept: at one an hour, six weeks.
KEPT_OF_A_KIND = 10
KEPT_AUDITS = 1_000

# Counts all rows that a check yields and gives the first of them.
_NAMING = "SELECT count(*) OVER () AS found_in_all, bad.* FROM ({check}) bad ORDER BY 2 LIMIT {named}"
# Hashes of a million rows stay in memory; compiling a statement that runs once costs more than it saves.
_TUNING = ("SET LOCAL work_mem = '64MB'", "SET LOCAL jit = off")


@dataclass(frozen=True, kw_only=True)
class Check:
    """Something that must hold. `sql` yields the rows that break it; `detail` names one of them by its columns."""

    kind: str
    proves: str
    sql: str
    detail: str
    # What stands for %s in the statement; without any a % is a %.
    params: Sequence[Any] = ()


@dataclass(frozen=True, kw_only=True)
class Report:
    """What one run found. `problems` names the first NAMED of each kind, `counts` counts all."""

    started_at: datetime
    seconds: float
    problems: list[dict[str, str]]
    totals: dict[str, Any]

    @property
    def counts(self) -> dict[str, int]:
        """How many problems there are of each kind that there is any of."""
        found: dict[str, int] = self.totals["problems"]
        return found

    @property
    def problem_count(self) -> int:
        return sum(self.counts.values())

    @property
    def ok(self) -> bool:
        return not self.problems

    def shown(self) -> dict[str, Any]:
        """As the command prints it."""
        return {"ok": self.ok, "problems": self.problems, "totals": self.totals}


def audited() -> list[AppConfig]:
    """The apps that have an audit.py."""
    return [
        app for app in apps.get_app_configs() if not app.name.startswith("django") and find_spec(f"{app.name}.audit")
    ]


def declared() -> list[Check]:
    """Every app's CHECKS."""
    return _declarations("CHECKS")


def _declarations(name: str) -> list[Any]:
    return [each for app in audited() for each in getattr(import_module(f"{app.name}.audit"), name, [])]


def audit(done: Callable[[], object] = lambda: None) -> Report:
    """Runs every check. It begins a transaction of its own, which sees one moment and writes nothing.

    `done` is told of each check that has been made.
    """
    started_at, clock = timezone.now(), time.monotonic()
    problems: list[dict[str, str]] = []
    counts: dict[str, int] = {}
    totals: dict[str, Any] = {}
    with _snapshot() as cursor:
        for check in declared():
            count, details = _found(cursor, check)
            problems += [{"kind": check.kind, "detail": detail} for detail in details]
            if count:
                counts[check.kind] = count
            done()
        for statement in _declarations("TOTALS"):
            cursor.execute(statement)
            totals |= {name: int(value) for name, value in _rows(cursor)[0].items()}
    totals["problems"] = counts
    seconds = round(time.monotonic() - clock, 3)
    return Report(started_at=started_at, seconds=seconds, problems=problems, totals=totals)


@contextmanager
def _snapshot() -> Iterator[Any]:
    """A cursor for which the world stands still."""
    with transaction.atomic(durable=True), connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        unhurried()
        for setting in _TUNING:
            cursor.execute(setting)
        yield cursor


def _found(cursor: Any, check: Check) -> tuple[int, list[str]]:
    """How many rows break a check, and the sentences that name the first of them."""
    cursor.execute(_NAMING.format(check=check.sql, named=NAMED), check.params or None)
    rows = _rows(cursor)
    return (rows[0]["found_in_all"] if rows else 0), [_sentence(check, row) for row in rows]


def _sentence(check: Check, row: dict[str, Any]) -> str:
    return check.detail.format(**{name: "none" if value is None else value for name, value in row.items()})


def _rows(cursor: Any) -> list[dict[str, Any]]:
    names = [column.name for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def alert(report: Report) -> None:
    """Says in the log what an audit found: a line of its own for each of the first problems."""
    facts = {"problems": report.problem_count, "kinds": report.counts, "seconds": report.seconds}
    if report.ok:
        log.info("the economy is whole", **facts)
        return
    log.error("the economy is not whole", **facts)
    for problem in report.problems[:LOGGED]:
        log.error("a problem of the economy", **problem)


def record(report: Report) -> EconomyAudit:
    """Stores what an audit found, for /metrics and the admin. The oldest audits go."""
    kept: Counter[str] = Counter()
    first = []
    for problem in report.problems:
        kept[problem["kind"]] += 1
        if kept[problem["kind"]] <= KEPT_OF_A_KIND:
            first.append(problem)
    row = EconomyAudit.objects.create(
        started_at=report.started_at,
        seconds=report.seconds,
        problem_count=report.problem_count,
        problems=first,
        totals=report.totals,
    )
    newest = EconomyAudit.objects.order_by("-pk").values_list("pk", flat=True)
    EconomyAudit.objects.filter(pk__in=list(newest[KEPT_AUDITS:])).delete()
    return row
