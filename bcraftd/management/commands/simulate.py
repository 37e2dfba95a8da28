"""manage.py simulate"""

import argparse
import math
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.management.base import CommandError, CommandParser
from django.db import OperationalError, connection
from rich.console import RenderableType
from rich.live import Live
from rich.progress import Progress

from bcraftd.commands import ReportingCommand, whole
from bcraftd.network import own_address
from bcraftd.simulation import accounts
from bcraftd.simulation.client import Account
from bcraftd.simulation.habits import HABITS, MIX
from bcraftd.simulation.run import Plan, Unreachable, look, simulate, table

MOST_PLAYERS = 10_000
LONGEST = 30 * 24 * 3600
THINK = 2.0


def _address(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.path.strip("/") or parts.query:
        raise argparse.ArgumentTypeError(f"{text}: expected http://host:port without a path")
    return text.rstrip("/")


def _seconds(text: str) -> float:
    try:
        found = float(text)
    except ValueError:
        found = math.nan
    if not 0 <= found <= 3600:
        raise argparse.ArgumentTypeError(f"{text}: expected seconds, 0 to 3600")
    return found


def _mix(text: str) -> dict[str, int]:
    found: dict[str, int] = {}
    for part in text.split(","):
        name, _, weight = part.partition("=")
        if name not in HABITS or not weight.isascii() or not weight.isdigit():
            raise argparse.ArgumentTypeError(f"{part}: expected HABIT=N, of {', '.join(HABITS)}")
        found[name] = int(weight)
    if not sum(found.values()):
        raise argparse.ArgumentTypeError("one habit at least needs a weight")
    return found


class Command(ReportingCommand):
    help = (
        "Lets bots play over HTTP and holds each answer against those before it; what contradicts them makes the exit"
        " status 1. Ctrl-C ends it with its summary. Example: manage.py simulate --players 50 --seconds 60 --seed 7"
    )
    failure = ""

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--players", type=whole(1, MOST_PLAYERS), required=True, metavar="N", help="how many bots")
        parser.add_argument("--seconds", type=whole(1, LONGEST), required=True, metavar="N", help="for how long")
        parser.add_argument(
            "--url", type=_address, help="the API, as http://host:port; left out, this installation's at BIND and PORT"
        )
        parser.add_argument(
            "--accounts", choices=("services", "http"),
            help="whether bots are signed in beside the API in this database, which no limit counts, or over HTTP"
            " like everybody, as fast as RATE_LIMIT_REGISTER and RATE_LIMIT_LOGIN let them; http where --url is"
            " given, else services",
        )  # fmt: skip
        parser.add_argument("--seed", type=whole(0, 2**63 - 1), metavar="S", help="draws the same decisions again")
        parser.add_argument(
            "--think", type=_seconds, default=THINK, metavar="SECONDS",
            help=f"a bot's pause between an answer and its next call, on average; {THINK:g} by itself",
        )  # fmt: skip
        usual = ",".join(f"{name}={weight}" for name, weight in MIX.items())
        parser.add_argument("--mix", type=_mix, default=MIX, metavar="HABIT=N,...", help=f"weights; {usual} by itself")

    def handle(self, *args: Any, **options: Any) -> None:
        """The summary is printed whatever is in it; a violation makes the exit status 1."""
        super().handle(*args, **options)
        if self.failure:
            raise CommandError(self.failure)

    def run(self, **options: Any) -> dict[str, Any]:
        seed = secrets.token_hex(4) if options["seed"] is None else str(options["seed"])
        url = options["url"] or f"http://{own_address(settings.BIND)}:{settings.PORT}"
        plan = Plan(url, options["seconds"], options["think"], options["mix"], seed)
        looked_at = self.is_watched(options)
        try:
            look(url)
        except Unreachable as error:
            raise CommandError(f"There is nothing to play on: {error}") from None
        found = self._accounts(options, shown=looked_at)
        with self._live(shown=looked_at) as shown:
            report = simulate(plan, found, shown)
        self.failure = _failure(report)
        return report

    def show(self, report: dict[str, Any]) -> None:
        rate = report["requests_per_second"]
        self.console().print(table(report, f"{report['seconds']:.0f} s, {rate:g} requests/s"))

    def _accounts(self, options: dict[str, Any], *, shown: bool) -> list[Account]:
        number = options["players"]
        if (options["accounts"] or ("http" if options["url"] else "services")) == "http":
            return accounts.strangers(number)
        try:
            with Progress(console=self.console(), transient=True, disable=not shown) as progress:
                task = progress.add_task("accounts", total=number)
                return accounts.opened(number, lambda more: progress.advance(task, more))
        except OperationalError as error:
            raise CommandError(f"PostgreSQL does not answer: {error}") from None
        finally:
            # From here on it is HTTP alone.
            connection.close()

    @contextmanager
    def _live(self, *, shown: bool) -> Iterator[Callable[[RenderableType], object]]:
        """A table that is gone at the end, when the summary is printed."""
        if not shown:
            yield lambda table: None
            return
        with Live(console=self.console(), transient=True, auto_refresh=False) as live:
            yield lambda table: live.update(table, refresh=True)


def _failure(report: dict[str, Any]) -> str:
    if report["violation_count"]:
        return f"Violations: {report['violation_count']}. docs/worlds.md says what they are."
    return "" if report["players"] else "Nobody has played: no bot was let in."
