"""manage.py cache_audit"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.db import OperationalError
from rich.progress import Progress
from rich.table import Column, Table
from rich.text import Text

from bcraftd.cache import audit, families, store
from bcraftd.commands import ReportingCommand


class Command(ReportingCommand):
    help = (
        "Compares every live value in Redis with what PostgreSQL says now; --repair drops the keys that differ."
        " Example: manage.py cache_audit --family market --repair"
    )
    failure = ""

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--family", choices=families.names(), metavar="NAME", help=", ".join(families.names()))
        parser.add_argument("--repair", action="store_true", help="drop each key that differs")

    def handle(self, *args: Any, **options: Any) -> None:
        """The report is printed whatever is in it; what is left to do makes the exit status 1."""
        super().handle(*args, **options)
        if self.failure:
            raise CommandError(self.failure)

    def run(self, **options: Any) -> dict[str, Any]:
        chosen = [options["family"]] if options["family"] else families.names()
        try:
            with self._progress(chosen, shown=self.is_watched(options)) as done:
                found = audit.run(chosen, repair=options["repair"], done=done)
        except store.StoreDown as error:
            raise CommandError(f"Redis does not answer: {error}") from None
        except OperationalError as error:
            raise CommandError(f"PostgreSQL does not answer: {error}") from None
        self.failure = _failure(found, options["repair"])
        return found.shown()

    def show(self, report: dict[str, Any]) -> None:
        differences, problems = report["differences"], report["problems"]
        if differences or problems:
            self.console().print(_table(differences, problems))
        found = f"{len(differences)} differ" if differences else "no difference"
        repaired = f", {report['repaired']} keys dropped" if report["repaired"] else ""
        self.stdout.write(f"{report['checked']} values checked, {found}{repaired}")

    @contextmanager
    def _progress(self, chosen: list[str], *, shown: bool) -> Iterator[Callable[[int], object]]:
        """A bar of keys, which is gone at the end; where it is not shown nothing is counted. Raises StoreDown."""
        if not shown:
            yield lambda keys: None
            return
        total = sum(1 for family in chosen for _ in families.keys(family))
        with Progress(console=self.console(), transient=True) as progress:
            task = progress.add_task("keys", total=total)
            yield lambda keys: progress.advance(task, keys)


def _failure(found: audit.Report, repair: bool) -> str:
    left = []
    if found.differences and not repair:
        left.append(f"Values that differ: {len(found.differences)}. --repair drops their keys.")
    if found.problems:
        left.append(f"Values that could not be compared: {len(found.problems)}.")
    return " ".join(left)


def _table(differences: list[dict[str, Any]], problems: list[dict[str, Any]]) -> Table:
    table = Table(Column("key", overflow="fold"), Column("variant", overflow="fold"), "age s", "what is wrong")
    for row in [*differences, *problems]:
        age = "-" if row.get("age_seconds") is None else f"{row['age_seconds']:.0f}"
        # As text: brackets are no markup here.
        table.add_row(Text(row["key"]), Text(row["variant"] or ""), age, Text(row["detail"]))
    return table
