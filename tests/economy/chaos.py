"""Kills, spread over a run's calls, and crowds between them."""

import random
import time
from collections.abc import Callable
from contextlib import closing

from tests.economy.ground import Ground
from tests.economy.scenes import crowd
from tests.economy.stage import Api

LOOK_SECONDS = 0.05
# How many want the one piece, and how many calls lie between two such crowds.
CROWD = 100
CALLS_BETWEEN_CROWDS = 4000

# When, in settled calls, and what.
Act = tuple[int, Callable[[], None]]


class Chaos:
    """Two threads that act when so many calls are settled: one that kills, one that gathers crowds."""

    def __init__(self, ground: Ground, api: Api, *, target: int, postgres_kills: int, worker_kills: int) -> None:
        self._ground = ground
        self._api = api
        self._begin, self._length = ground.books.settled, target - ground.books.settled
        self._chance = random.Random(f"{ground.seed}/chaos")
        self._kills = [
            *self._spread(postgres_kills, self._kill_postgres),
            *self._spread(worker_kills, self._kill_worker),
        ]
        self._kills.sort(key=lambda plan: plan[0])
        self._crowds = self._spread(max(self._length // CALLS_BETWEEN_CROWDS, 1), self._crowd)

    @property
    def is_over(self) -> bool:
        """Whether all that was planned has happened."""
        return not self._kills and not self._crowds

    def _spread(self, number: int, act: Callable[[], None]) -> list[Act]:
        """One in each part of the run, anywhere in it; not at its end, so that the run goes on after the last one."""
        part = self._length * 0.95 / max(number, 1)
        return [(self._begin + int(part * (index + self._chance.random())), act) for index in range(number)]

    def kill(self, is_over: Callable[[], bool]) -> None:
        """To be run in a thread."""
        self._carry_out(self._kills, is_over)

    def gather(self, is_over: Callable[[], bool]) -> None:
        """To be run in a thread: crowds of buyers."""
        self._carry_out(self._crowds, is_over)

    def _carry_out(self, plan: list[Act], is_over: Callable[[], bool]) -> None:
        while plan and not is_over():
            at, act = plan[0]
            if self._ground.books.settled < at:
                time.sleep(LOOK_SECONDS)
                continue
            act()
            plan.pop(0)

    def _kill_postgres(self) -> None:
        self._ground.stage.kill_postgres()
        self._ground.count("postgres_kills")

    def _kill_worker(self) -> None:
        self._api.kill_worker(self._chance)
        self._ground.count("worker_kills")

    def _crowd(self) -> None:
        with closing(self._ground.line()) as line:
            crowd(self._ground, self._chance, line, CROWD)
