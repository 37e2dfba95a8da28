"""The consistency checker at the stage's doors: its load, its registers and its judge, with the drill's faults.

The instances serve `tests.consistency.app`, the API with the checker's door beside it. What its own runs excuse where
Redis is alone is not excused here: no window is ever open. Of a write that is under way its answer counts, and not what
somebody saw of it before: while it waits until no old Redis is trusted, whoever reads from PostgreSQL is ahead.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

from tests.consistency.floors import FOREVER
from tests.consistency.ground import Ground
from tests.consistency.lanes import lanes
from tests.consistency.schedule import FAMILIES, Schedule
from tests.consistency.stage import Door
from tests.consistency.truth import Truth
from tests.drill.stage import Stage

APPLICATION = "tests.consistency.app:application"
# A change of a resource begins every inventory anew. Who reads one meanwhile is served past Redis, and players would
# take that for a Redis that is away.
WRITTEN = tuple(family for family in FAMILIES if family not in ("catalogue", "name"))
# Few threads, that think: the machine has to carry all of the servers too.
LOAD = Schedule(
    seconds=600, readers=2, clients=2, writers=2, batch=10, think_ms=200, rest=0, keys=2, families=WRITTEN, waits=(),
    kills=(), faults=(),
)  # fmt: skip
PACE = 0.1
# What this view shows is on the first page only as long as nobody else sells anything cheaper, as bots do.
CROWDED = "listings"


@dataclass
class Checked:
    """What the checker has found, complete once it has ended."""

    ground: Ground
    lost: list[str]

    @property
    def requests(self) -> int:
        """Reads and writes, also those that failed."""
        counts = self.ground.counts
        return sum(counts[name] for name in ("reads", "writes", "failures", "unanswered"))

    @property
    def failed(self) -> list[str]:
        """Each read or write that failed or had no answer; of many only the last ones by their words."""
        ground = self.ground
        told = [*ground.failures, *ground.silences]
        rest = ground.counts["failures"] + ground.counts["unanswered"] - len(told)
        return [*told, *["one more"] * rest]

    @property
    def stale(self) -> list[str]:
        """Each read that was stale, in the same way."""
        history = self.ground.history
        told = [f"checker: {violation}" for violation in history.violations]
        return [*told, *["one more"] * (history.totals.violations - len(told))]


@contextmanager
def checking(stage: Stage) -> Iterator[Checked]:
    """The checker reads and writes at all of the stage's doors for the duration.

    Raises StageError, NoAnswer or Failed where it can't begin.
    """
    ground = Ground([_door(number, url) for number, url in enumerate(stage.doors)])
    world = ground.processes[0].call("prepare")
    ground.learn(world)
    ground.views.pop(CROWDED)
    for process in ground.processes[: len(stage.instances)]:
        process.call("behave", waits={}, views=ground.told_views())
    ground.renew_tokens()
    ground.history.memory_lost(time.monotonic_ns(), FOREVER)
    checked, over = Checked(ground, []), threading.Event()
    errors: list[BaseException] = []

    def run(repeat: Callable[..., None], action: Callable[[Door], None]) -> None:
        try:
            repeat(action)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=each) for each in lanes(ground, LOAD, over, stage.doors[-1], PACE)]
    for thread in threads:
        thread.start()
    try:
        yield checked
    finally:
        over.set()
        for thread in threads:
            thread.join()
    if errors:
        raise errors[0]
    ground.history.judge(FOREVER)
    checked.lost += _lost(ground, stage.database_url or stage.postgres.url, world["item"])


def _door(number: int, url: str) -> Door:
    parts = urlsplit(url)
    door = Door(number, parts.port or 80, parts.hostname or "")
    door.ready.set()
    return door


def _lost(ground: Ground, database: str, item: int) -> list[str]:
    names = [name for family in ground.registers.values() for name in family]
    sessions = {session.register: session.session_id for session in ground.known_sessions()}
    with closing(Truth(database, names, item)) as truth:
        versions, _ = truth.versions(sessions)
    return [f"checker: {each}" for each in ground.history.lacking(versions)]
