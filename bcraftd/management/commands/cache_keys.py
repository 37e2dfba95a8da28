"""manage.py cache_keys"""

from typing import Any

from django.core.management.base import CommandError, CommandParser
from rich.table import Column, Table

from bcraftd.cache import families, store
from bcraftd.commands import ReportingCommand


class Command(ReportingCommand):
    help = "Lists live keys by family. Example: manage.py cache_keys --family market"

    waiting = "going through the keys"

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "--family", choices=families.all_names(), metavar="NAME", help=", ".join(families.all_names())
        )

    def run(self, **options: Any) -> list[dict[str, Any]]:
        chosen = [options["family"]] if options["family"] else families.all_names()
        try:
            return [
                {"key": key, "family": family, **found}
                for family in chosen
                for key in sorted(set(families.keys(family)))
                if (found := families.describe(key)) is not None
            ]
        except store.StoreDown as error:
            raise CommandError(f"Redis does not answer: {error}") from None

    def show(self, report: list[dict[str, Any]]) -> None:
        table = Table(Column("key", overflow="fold"), "family", "type", "ttl s", "bytes")
        for row in report:
            ttl = "-" if row["ttl"] is None else str(row["ttl"])
            table.add_row(row["key"], row["family"], row["type"], ttl, str(row["size"]))
        self.console().print(table)
