"""manage.py economy_audit"""

from typing import Any

from django.core.management.base import CommandError
from django.db import OperationalError
from rich.progress import Progress
from rich.table import Column, Table
from rich.text import Text

from bcraftd import economy
from bcraftd.commands import ReportingCommand


class Command(ReportingCommand):
    help = (
        "Compares balances, holdings, listings, trades and statistics with the ledgers that they follow from, and"
        " names each row that differs; what it found is kept for /metrics. Example: manage.py economy_audit --json"
    )
    failure = ""
    seconds = 0.0

    def handle(self, *args: Any, **options: Any) -> None:
        """The report is printed whatever is in it; a problem makes the exit status 1."""
        super().handle(*args, **options)
        if self.failure:
            raise CommandError(self.failure)

    def run(self, **options: Any) -> dict[str, Any]:
        try:
            with Progress(console=self.console(), transient=True, disable=not self.is_watched(options)) as progress:
                checks = progress.add_task("checks", total=len(economy.declared()))
                report = economy.audit(lambda: progress.advance(checks))
            economy.record(report)
        except OperationalError as error:
            raise CommandError(f"PostgreSQL does not answer: {error}") from None
        self.seconds = report.seconds
        if not report.ok:
            self.failure = f"Problems: {report.problem_count}. docs/economy.md says what to do about them."
        return report.shown()

    def show(self, report: dict[str, Any]) -> None:
        totals, counts = report["totals"], report["totals"]["problems"]
        if counts:
            self.console().print(_table(report["problems"], counts))
        figures = [f"{name.replace('_', ' ')}: {value}" for name, value in totals.items() if name != "problems"]
        self.stdout.write(", ".join(figures))
        found = f"problems: {sum(counts.values())}" if counts else "no problem"
        self.stdout.write(f"{found}, in {self.seconds:.1f} s")


def _table(problems: list[dict[str, str]], counts: dict[str, int]) -> Table:
    table = Table("kind", Column("what is wrong", overflow="fold"))
    for problem in problems:
        # As text: brackets are no markup here.
        table.add_row(problem["kind"], Text(problem["detail"]))
    for kind, count in counts.items():
        if count > economy.NAMED:
            table.add_row(kind, f"and {count - economy.NAMED} more")
    return table
