"""One run: players, clients, kills, and what it came to."""

import json
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from bcraftd.embedded.process import Child
from tests.consistency.stage import ROOT
from tests.economy import judge, truth
from tests.economy.books import Transfer
from tests.economy.chaos import Chaos
from tests.economy.client import Unsettled
from tests.economy.ground import Ground
from tests.economy.lanes import Lane
from tests.economy.stage import API, Api, Stage

PLAYERS = 60
TELL_SECONDS = 10.0
# Violations that stand in the line of numbers.
TOLD = 20
# What granian serves where a defect is built in.
BROKEN = "tests.economy.app:application"

Say = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a run is asked for."""

    operations: int
    seed: int
    clients: int = 50
    players: int = PLAYERS
    postgres_kills: int = 0
    worker_kills: int = 0
    # Defects, with commas between them.
    broken: str = ""


@dataclass(frozen=True, slots=True)
class Result:
    """What a run came to."""

    numbers: dict[str, Any]
    violations: list[str]

    def line(self) -> str:
        """The numbers as the JSON line that a run ends with."""
        return json.dumps(self.numbers, separators=(",", ":"))


class Run:
    """Players on a stage's servers, with an API and a sweep of their own."""

    def __init__(self, stage: Stage, plan: Plan, say: Say = lambda _: None) -> None:
        self.stage = stage
        self.plan = plan
        application = BROKEN if plan.broken else API
        self.api = Api(stage, application=application, ECONOMY_BROKEN=plan.broken)
        self.ground = Ground(stage, self.api.port, plan.seed)
        self._sweep = Child(
            "the sweep",
            [sys.executable, "-m", "tests.economy.inside", "sweep"],
            log=stage.folder / f"sweep-{self.api.port}.log",
            cwd=ROOT,
            env=stage.environment(),
        )
        self._say = say
        self._stack = ExitStack()
        self._trouble: list[BaseException] = []
        self._began = time.monotonic()

    def __enter__(self) -> "Run":
        """Raises StageError where the processes do not come up."""
        with ExitStack() as stack:
            stack.enter_context(self.api.up())
            self.ground.prepare(self.plan.players)
            stack.callback(self._sweep.stop)
            self._sweep.start()
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    # --- Playing ----------------------------------------------------------------------------------------------

    def play(self) -> None:
        """All clients, kills and crowds, until so many calls are settled. Raises StageError."""
        plan, books = self.plan, self.ground.books
        target = books.settled + plan.operations
        chaos = Chaos(
            self.ground, self.api, target=target, postgres_kills=plan.postgres_kills, worker_kills=plan.worker_kills
        )

        def is_over() -> bool:
            return bool(self._trouble) or (books.settled >= target and chaos.is_over)

        lanes = [Lane(self.ground, number) for number in range(plan.clients)]
        acts = [*(lane.run for lane in lanes), chaos.kill, chaos.gather]
        threads = [threading.Thread(target=self._guarded, args=(act, is_over), daemon=True) for act in acts]
        for thread in threads:
            thread.start()
        self._follow(threads, target)
        for error in self._trouble:
            if not isinstance(error, Unsettled):
                raise error

    def _guarded(self, act: Callable[[Callable[[], bool]], None], is_over: Callable[[], bool]) -> None:
        """What a thread cannot go on with ends the run. A call without a definite answer is a violation."""
        try:
            act(is_over)
        except BaseException as error:
            self._trouble.append(error)
            if isinstance(error, Unsettled):
                self.ground.books.complain(str(error))

    def _follow(self, threads: Sequence[threading.Thread], target: int) -> None:
        """Waits for the threads, and says now and then how far they are."""
        told = time.monotonic()
        for thread in threads:
            while thread.is_alive():
                thread.join(0.2)
                if time.monotonic() - told > TELL_SECONDS:
                    told = time.monotonic()
                    self._say(f"{told - self._began:.0f} s: {self.ground.books.settled} of {target}; {self._counts()}")

    def _counts(self) -> dict[str, int]:
        return {**self.ground.tally, "complaints": self.ground.books.complained}

    # --- What it came to --------------------------------------------------------------------------------------

    def result(self) -> Result:
        """Judges all that has happened on the stage since it was new. No call may be under way."""
        books, world = self.ground.books, truth.world(self.stage.url)
        audit = json.loads(self.stage.inside("audit"))
        found = [*books.complaints, *judge.violations(books, world)]
        found += [f"the audit: {row['kind']}: {row['detail']}" for row in audit["problems"]]
        if not self._sweep.running:
            found.append(f"the sweep ended by itself: {self._sweep.tail()}")
        numbers = {
            "operations": books.settled,
            "effects": dict(books.effects),
            "refusals": dict(books.refusals),
            **self._counts(),
            "expired": sum(status == judge.EXPIRED for status, _ in world.states.values()),
            "single_pieces": sum(offer.quantity == 1 for offer in books.offers.values()),
            "trades": len(world.sales),
            "movements": world.movements.total(),
            "transfers": world.transfers.total(),
            **self._logged(),
            "audit_problems": len(audit["problems"]),
            "coins_minted": -sum(_of("mint", row) * times for row, times in world.transfers.items()),
            "violations": len(found),
            "violated": found[:TOLD],
            "seed": self.plan.seed,
            "clients": self.plan.clients,
            "defect": self.plan.broken,
            "seconds": round(time.monotonic() - self._began, 1),
        }
        return Result(numbers, found)

    def _logged(self) -> dict[str, int]:
        """What the servers' logs say of locks: PostgreSQL's of every deadlock, the API's of those that it answered."""
        postgres, api = self.stage.postgres.log, self.api.log
        return {
            "deadlocks": self.stage.logged(postgres, "deadlock detected"),
            "lock_timeouts": self.stage.logged(postgres, "due to lock timeout"),
            "deadlocks_answered": self.stage.logged(api, "deadlock detected"),
        }


def _of(account: str, row: Transfer) -> int:
    return sum(amount for name, amount in row.sides if name == account)
