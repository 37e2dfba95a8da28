"""manage.py doctor"""

from typing import Any

from django.core.management.base import CommandError
from rich.table import Table
from rich.text import Text

from bcraftd.commands import ReportingCommand
from bcraftd.doctor import examine
from bcraftd.doctor.table import CHECKS

STYLES = {"ok": "green", "warning": "yellow", "fault": "bold red"}


class Command(ReportingCommand):
    help = (
        "Looks for everything that docs/troubleshooting.md knows, and says what to do about it. The exit status is 1"
        " where it found a fault. Example: manage.py doctor --json"
    )
    # What would refuse the start is a finding here, and no reason not to look.
    requires_system_checks: Any = []
    faults = 0

    def handle(self, *args: Any, **options: Any) -> None:
        """The report is printed whatever is in it."""
        super().handle(*args, **options)
        if self.faults:
            raise CommandError(f"Faults: {self.faults}.")

    def run(self, **options: Any) -> dict[str, Any]:
        found = examine(CHECKS)
        self.faults = sum(finding.status == "fault" for finding in found.values())
        rows = [
            {"name": name, "status": finding.status, "detail": finding.detail, "mend": finding.mend}
            for name, finding in found.items()
        ]
        return {"ok": not self.faults, "checks": rows}

    def show(self, report: dict[str, Any]) -> None:
        table = Table("check", "", "what was found, and what to do about it", show_lines=False)
        for row in report["checks"]:
            text = Text(row["detail"])
            if row["mend"]:
                text.append(f"\n→ {row['mend']}", style="bold")
            table.add_row(row["name"], Text(row["status"], style=STYLES[row["status"]]), text)
        self.console().print(table)
