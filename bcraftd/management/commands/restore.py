"""manage.py restore"""

import sys
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from bcraftd.backups import restoring
from bcraftd.commands import ReportingCommand


class Command(ReportingCommand):
    help = (
        "Puts a backup into an empty PostgreSQL, and Redis' files into an empty folder. Refuses anything else."
        " Example: manage.py restore /var/backups/bcraftd/20260131T180000Z --yes"
    )
    # They would ask a database that is still empty.
    requires_system_checks: Any = []

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("folder", type=Path, metavar="DIR", help="the backup's own folder")
        parser.add_argument(
            "--redis-data", type=Path, metavar="PATH", help="the empty data folder of a Redis that does not run"
        )
        parser.add_argument("--yes", action="store_true", help="do not ask")

    def run(self, **options: Any) -> dict[str, Any]:
        if not options["yes"]:
            if not sys.stdin.isatty():
                raise CommandError("Say --yes: nobody can be asked here.")
            if input(f"Restore {options['folder']} into the servers of the settings? [y/N] ").lower() not in (
                "y",
                "yes",
            ):
                raise CommandError("Nothing was restored.")
        return restoring.restore(options["folder"], redis_data=options["redis_data"])

    def show(self, report: dict[str, Any]) -> None:
        self.stdout.write(
            f"Restored what was backed up at {report['made_at']}: {sum(report['tables'].values())} rows."
            " Next: manage.py migrate, manage.py economy_audit, then start the API and the worker."
        )
