"""A simulation from its start to its end: everybody at once, a table while it lasts."""

import asyncio
import random
import signal
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import aiohttp
from rich.console import Group, RenderableType
from rich.table import Column, Table
from rich.text import Text

from bcraftd.simulation.bot import Bot, Shelf
from bcraftd.simulation.client import TIMEOUT, Account, Door
from bcraftd.simulation.habits import HABITS, Habit
from bcraftd.simulation.tally import Tally

TABLE_SECONDS = 1.0
# Seconds over which the bots begin, so that they do not all ask for the same at the same moment.
START_SECONDS = 2.0
# After the end of its time a call that is on its way is waited for.
LAST_SECONDS = 10.0
SHOWN_VIOLATIONS = 5
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Unreachable(Exception):
    """Nothing answers at that address, or something else does."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to play. seconds: for how long. think: a bot's pause between two calls, in seconds on average. mix: how
    many of each habit there are, as weights. seed: draws the same habits and decisions again."""

    url: str
    seconds: float
    think: float
    mix: Mapping[str, float]
    seed: str


def habits(plan: Plan, number: int) -> list[Habit]:
    """The habits of so many bots: each has its share, to one bot, and the rest is drawn."""
    total = sum(plan.mix.values())
    sure = [HABITS[name] for name, weight in plan.mix.items() for _ in range(int(number * weight / total))]
    chance = random.Random(f"{plan.seed}:habits")  # noqa: S311 - a game's # nosec B311
    rest = chance.choices(list(plan.mix), list(plan.mix.values()), k=number - len(sure))
    return [*sure, *(HABITS[name] for name in rest)]


def look(url: str) -> None:
    """Returns where an API of ours answers at that address. Raises Unreachable."""
    asyncio.run(_look(url))


def simulate(
    plan: Plan, accounts: Sequence[Account], shown: Callable[[RenderableType], object] = lambda table: None
) -> dict[str, Any]:
    """Plays, and returns the summary. Ctrl-C and SIGTERM end it early.

    `shown` is given the table each second.
    """
    return asyncio.run(_play(plan, accounts, shown))


async def _play(plan: Plan, accounts: Sequence[Account], shown: Callable[[RenderableType], object]) -> dict[str, Any]:
    # Without a limit of its own: every bot has its connection, as every player has.
    connector = aiohttp.TCPConnector(limit=0)
    timeout = aiohttp.ClientTimeout(total=TIMEOUT)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout, auto_decompress=True) as session:
        tally = Tally()
        door = Door(session, plan.url, tally)
        loop = asyncio.get_running_loop()
        for number in _SIGNALS:
            loop.add_signal_handler(number, door.stop.set)
        try:
            await _let_loose(plan, accounts, door, shown)
        finally:
            for number in _SIGNALS:
                loop.remove_signal_handler(number)
        return tally.summary()


async def _look(url: str) -> None:
    try:
        async with aiohttp.request("GET", f"{url}/healthz", timeout=aiohttp.ClientTimeout(total=TIMEOUT)) as response:
            if response.status == 200 and (await response.json()).get("status") == "ok":
                return
            found = f"{url}/healthz says {response.status}"
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError, AttributeError) as error:
        found = f"{url} does not answer: {error or type(error).__name__}"
    raise Unreachable(found)


async def _let_loose(
    plan: Plan, accounts: Sequence[Account], door: Door, shown: Callable[[RenderableType], object]
) -> None:
    shelf = Shelf()
    bots = []
    for number, (account, habit) in enumerate(zip(accounts, habits(plan, len(accounts)), strict=True)):
        chance = random.Random(f"{plan.seed}:{number}")  # noqa: S311 - a game's # nosec B311
        bots.append(_late(Bot(door, account, habit, chance, plan.think), shelf, door, chance))
    playing = [asyncio.create_task(bot) for bot in bots]
    table = asyncio.create_task(_show(plan, door, shown))
    with suppress(TimeoutError):
        await asyncio.wait_for(door.stop.wait(), plan.seconds)
    door.stop.set()
    done, late = await asyncio.wait(playing, timeout=LAST_SECONDS)
    for task in (*late, table):
        task.cancel()
    for task in done:
        # A defect of the simulation itself is no violation of the API's.
        task.result()


async def _late(bot: Bot, shelf: Shelf, door: Door, chance: random.Random) -> None:
    """Lets a bot begin a little after the others."""
    with suppress(TimeoutError):
        await asyncio.wait_for(door.stop.wait(), chance.uniform(0, START_SECONDS))
    await bot.live(shelf)


async def _show(plan: Plan, door: Door, shown: Callable[[RenderableType], object]) -> None:
    while True:
        left = max(plan.seconds - door.tally.elapsed, 0)
        head = f"{left:.0f} s to go, {door.tally.rate():.1f} requests/s"
        shown(table(door.tally.summary(with_timeline=False), head))
        await asyncio.sleep(TABLE_SECONDS)


# --- For people -------------------------------------------------------------------------------------------


def table(report: Mapping[str, Any], head: str) -> Group:
    """A summary: a line of totals, one for each kind of action, and the newest violations."""
    players = ", ".join(f"{count} {name}s" for name, count in report["players"].items()) or "nobody yet"
    found = report["violation_count"]
    line = Text(f"{head}; {players}; violations: {found}", style="bold red" if found else "bold")
    newest = [
        Text(f"{row['second']} s, {row['player']}, {row['action']}: {row['detail']}", style="red")
        for row in report["violations"][-SHOWN_VIOLATIONS:]
    ]
    return Group(line, _rows({"all": report, **report["actions"]}, report["seconds"]), *newest)


def _rows(figures: Mapping[str, Mapping[str, Any]], seconds: float) -> Table:
    numbers = [Column(name, justify="right") for name in ("requests", "/s", "p50 ms", "p95", "p99", "hits", "304")]
    made = Table("action", *numbers, Column("errors", overflow="fold"), box=None, padding=(0, 1, 0, 0))
    for name, row in figures.items():
        latencies = ["-" if value is None else f"{value:g}" for value in row["latency_ms"].values()]
        hits = "-" if row["hit_rate"] is None else f"{row['hit_rate']:.0%}"
        errors = ", ".join(f"{code} {count}" for code, count in row["errors"].items())
        rate = f"{row['requests'] / max(seconds, 0.001):.1f}"
        made.add_row(name, str(row["requests"]), rate, *latencies, hits, str(row["not_modified"]), Text(errors))
    return made
