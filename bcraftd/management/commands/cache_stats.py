"""manage.py cache_stats"""

import time
from typing import Any

from django.core.management.base import CommandError, CommandParser
from rich.box import SIMPLE
from rich.console import Group
from rich.live import Live
from rich.table import Column, Table

from bcraftd.cache import families, store
from bcraftd.commands import ReportingCommand

SERVER = (
    "connected_clients",
    "used_memory",
    "used_memory_human",
    "used_memory_peak_human",
    "total_commands_processed",
    "uptime_in_seconds",
    "redis_version",
)
WATCH_SECONDS = 2


def _rate(hits: int, misses: int) -> float | None:
    return round(hits / (hits + misses), 4) if hits + misses else None


def report() -> dict[str, Any]:
    """The server's figures and each family's. Raises StoreDown."""
    info = store.server_info()
    server = {name: info[name] for name in SERVER}
    server["hit_rate"] = _rate(info["keyspace_hits"], info["keyspace_misses"])
    return {"server": server, "families": {name: families.statistics(name) for name in families.names()}}


def tables(found: dict[str, Any]) -> Group:
    """The report for a terminal."""
    server = Table("server", "", title="Redis")
    for name, value in found["server"].items():
        server.add_row(name, "-" if value is None else str(value))
    columns = list(next(iter(found["families"].values())))
    by_family = Table(Column("family", no_wrap=True), *columns, title="Families", box=SIMPLE, pad_edge=False)
    for name, row in found["families"].items():
        by_family.add_row(name, *("-" if row[column] is None else str(row[column]) for column in columns))
    return Group(server, by_family)


class Command(ReportingCommand):
    help = "Shows what the cache does, by family and over all processes. Example: manage.py cache_stats --watch"

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--watch", action="store_true", help=f"again every {WATCH_SECONDS} seconds, until Ctrl-C")

    def run(self, **options: Any) -> dict[str, Any]:
        try:
            if options["watch"] and not options["json"]:
                self._watch()
            return report()
        except store.StoreDown as error:
            raise CommandError(f"Redis does not answer: {error}") from None

    def show(self, report: dict[str, Any]) -> None:
        self.console().print(tables(report))

    def _watch(self) -> None:
        """Until Ctrl-C; the last state is then printed once more by show()."""
        try:
            with Live(tables(report()), console=self.console(), transient=True) as live:
                while True:
                    time.sleep(WATCH_SECONDS)
                    live.update(tables(report()))
        except KeyboardInterrupt:
            return
