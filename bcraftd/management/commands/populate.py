"""manage.py populate"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.db import OperationalError
from rich.progress import MofNCompleteColumn, Progress, TimeElapsedColumn, TimeRemainingColumn

from bcraftd.commands import ReportingCommand, whole
from bcraftd.population.world import MOST, populate


class Command(ReportingCommand):
    help = (
        "Adds a large plausible world: players with trades and levels, coins and items with their histories, listings"
        " in every state. Example: manage.py populate --players 10000 --listings 20000 --seed 7"
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--players", type=whole(1, MOST), required=True, metavar="N", help="how many to add")
        parser.add_argument("--listings", type=whole(0, MOST), required=True, metavar="N", help="how many they made")
        parser.add_argument("--seed", type=whole(0, 2**63 - 1), metavar="S", help="makes the same lives again")
        parser.add_argument(
            "--password", help="lets everybody sign in with it; without one nobody can. Never where others can reach it"
        )

    def run(self, **options: Any) -> dict[str, Any]:
        began = time.monotonic()
        players, listings = options["players"], options["listings"]
        try:
            with self._progress(players + listings, shown=self.is_watched(options)) as done:
                populate(
                    players=players, listings=listings, seed=options["seed"], password=options["password"], done=done
                )
        except OperationalError as error:
            raise CommandError(f"PostgreSQL does not answer: {error}") from None
        return {"players": players, "listings": listings, "seconds": round(time.monotonic() - began, 1)}

    @contextmanager
    def _progress(self, total: int, *, shown: bool) -> Iterator[Callable[[int], object]]:
        """A bar of players and listings, which is gone at the end."""
        columns = (
            *Progress.get_default_columns()[:2],
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=self.console(), transient=True, disable=not shown) as progress:
            task = progress.add_task("players and listings", total=total)
            yield lambda number: progress.advance(task, number)
