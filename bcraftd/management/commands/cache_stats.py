"""manage.py cache_stats"""

import time
from argparse import ArgumentTypeError
from collections.abc import Iterable, Mapping
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.db import close_old_connections
from django.utils import timezone
from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.live import Live
from rich.table import Column, Table
from rich.text import Text

from bcraftd.cache import families, stats, store
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
# What has a total and a figure for the window; above each stands its heading, short enough for 100 columns in all.
COUNTED = {
    "hits": "hits",
    "misses": "misses",
    "hit_rate": "hit\nrate",
    "bypasses": "bypasses",
    "refused_fills": "refused\nfills",
    "waits": "waits",
    "invalidations": "invali-\ndations",
    "fill_ms": "fill\nms",
}
WATCH_SECONDS = 2
WINDOW_MINUTES = 5
LONGEST_MINUTES = stats.LONGEST_WINDOW_SECONDS // 60


def report(window_minutes: int = WINDOW_MINUTES) -> dict[str, Any]:
    """The server's figures, the processes' trouble with it, and each family's figures. Raises StoreDown."""
    info = store.server_info()
    server = {name: info[name] for name in SERVER}
    server["hit_rate"] = stats.hit_rate(info["keyspace_hits"], info["keyspace_misses"])
    # What this process has still to write is written for the families' figures, and counts here too.
    by_family = families.statistics(window=window_minutes * 60)
    return {"server": server, "redis": stats.totals([stats.REDIS])[stats.REDIS], "families": by_family}


def tables(found: Mapping[str, Any]) -> Group:
    """The report for a terminal of 100 columns: for each family its totals, and below them the window's figures."""
    numbers = [Column(heading, justify="right") for heading in (*COUNTED.values(), "keys", "outbox")]
    by_family = Table(Column("family", no_wrap=True), *numbers, box=SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0))
    for name, row in found["families"].items():
        window = row["window"]
        by_family.add_row(name, *_cells(row, (*COUNTED, "keys", "outbox")))
        by_family.add_row(f"last {window['seconds'] // 60} min", *_cells(window, COUNTED), style="dim")
    return Group(_line("server", found["server"]), _line("redis", found["redis"]), "", by_family)


def _cells(row: Mapping[str, Any], names: Iterable[str]) -> list[str]:
    return ["-" if row[name] is None else str(row[name]) for name in names]


def _line(title: str, figures: Mapping[str, Any]) -> Text:
    """Names with their values, as they stand in the JSON."""
    line = Text(f"{title}:", style="bold")
    for name, value in zip(figures, _cells(figures, figures), strict=True):
        line.append(f" {name}=", style="not bold dim").append(value, style="not bold")
    return line


def _minutes(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= LONGEST_MINUTES):
        raise ArgumentTypeError(f"a whole number of minutes, 1 to {LONGEST_MINUTES}")
    return int(text)


class _Watched:
    """The report as it changes; while Redis does not answer, the last one and since when it is the last."""

    def __init__(self, window_minutes: int) -> None:
        self._minutes = window_minutes
        self._last = report(window_minutes)
        self._asked = timezone.localtime()

    def tables(self) -> Group:
        """The newest report so far."""
        return tables(self._last)

    def again(self) -> RenderableType:
        """A new report, or what keeps it from being one."""
        # A watch outlives a restart of PostgreSQL, as a server does between its requests.
        close_old_connections()
        try:
            self._last, self._asked = report(self._minutes), timezone.localtime()
        except store.StoreDown as error:
            return Group(self._trouble(error), self.tables())
        return self.tables()

    def _trouble(self, error: store.StoreDown) -> Text:
        depths = families.outbox_depths()
        waiting = "an unknown number of" if depths is None else sum(depths.values())
        return Text(
            f"Redis does not answer: {error}\n{waiting} drops wait in the outbox; the figures are of {self._asked:%X}.",
            style="bold red",
        )


class Command(ReportingCommand):
    help = "Shows what the cache does, by family and over all processes. Example: manage.py cache_stats --watch"

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--watch", action="store_true", help=f"again every {WATCH_SECONDS} seconds, until Ctrl-C")
        parser.add_argument(
            "--window", type=_minutes, default=WINDOW_MINUTES, metavar="MINUTES",
            help=f"what to show beside the totals: the last 1 to {LONGEST_MINUTES} minutes; {WINDOW_MINUTES} by itself",
        )  # fmt: skip

    def run(self, **options: Any) -> dict[str, Any]:
        try:
            if options["watch"] and not options["json"]:
                self._watch(options["window"])
            return report(options["window"])
        except store.StoreDown as error:
            raise CommandError(f"Redis does not answer: {error}") from None

    def show(self, report: dict[str, Any]) -> None:
        self.console().print(tables(report))

    def _watch(self, window_minutes: int) -> None:
        """Until Ctrl-C; the last state is then printed once more by show()."""
        try:
            watched = _Watched(window_minutes)
            with Live(watched.tables(), console=self.console(), transient=True) as live:
                while True:
                    time.sleep(WATCH_SECONDS)
                    live.update(watched.again(), refresh=True)
        except KeyboardInterrupt:
            return
