"""One run: API processes under load, episode after episode, until the time is over or something stale was read."""

import itertools
import json
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tests.consistency.floors import FOREVER
from tests.consistency.ground import Ground
from tests.consistency.history import SECOND, Violation
from tests.consistency.keeper import DELAY_SECONDS, JUDGE_SECONDS, Keeper
from tests.consistency.lanes import lanes
from tests.consistency.schedule import OUTAGES, Schedule
from tests.consistency.stage import ApiProcess, Servers, StageError
from tests.consistency.truth import Truth

# Access tokens live for a quarter of an hour.
TOKEN_SECONDS = 300.0

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Result:
    """What a run came to."""

    numbers: dict[str, Any]
    violations: list[Violation]
    failures: list[str]

    def line(self) -> str:
        """The numbers as the JSON line that a run ends with."""
        return json.dumps(self.numbers, separators=(",", ":"))


class Run:
    """A run on given servers. `off` names mechanisms of the cache engine to switch off, with commas between them."""

    def __init__(self, stage: Servers, *, seed: int, processes: int, off: str = "", say: Say = lambda _: None) -> None:
        self.seed = seed
        self.off = off
        self.processes = [ApiProcess(number, stage, off) for number in range(processes)]
        self.ground = Ground(self.processes)
        self._stage = stage
        self._say = say
        self._keeper: Keeper | None = None
        self._started = 0
        self._episodes = 0
        self._tokens_end = 0.0
        # The last schedules, with when they began: reads are judged well before three more have been played.
        self._played: deque[tuple[int, Schedule]] = deque(maxlen=4)

    @property
    def keeper(self) -> Keeper:
        assert self._keeper is not None, "the run is not up"
        return self._keeper

    @property
    def violations(self) -> int:
        """How many reads were stale, of those that have been judged."""
        return self.ground.history.totals.violations

    @contextmanager
    def up(self) -> Iterator["Run"]:
        """The processes for the duration. Raises StageError where they do not come up."""
        try:
            # What a run before this one left in Redis was perhaps stored with a mechanism switched off.
            self._stage.flush()
            self._together(ApiProcess.start)
            self._keeper = self._learnt()
            for process in self.processes:
                process.ready.set()
            self._started = time.monotonic_ns()
            self._keeper.start()
            yield self
        finally:
            if self._keeper is not None:
                self._keeper.stop()
            self._together(ApiProcess.stop)

    def _together(self, action: Callable[[ApiProcess], None]) -> None:
        with ThreadPoolExecutor() as pool:
            list(pool.map(action, self.processes))

    def _learnt(self) -> Keeper:
        """Asks a process what there is to read and to write."""
        world = self.processes[0].call("prepare")
        self.ground.learn(world)
        names = itertools.chain.from_iterable(world["registers"].values())
        return Keeper(self._stage, self.ground, self.processes, Truth(self._stage.postgres.url, names, world["item"]))

    # --- Episodes -------------------------------------------------------------------------------------------

    def play(self, schedules: Iterable[Schedule], seconds: float) -> Schedule | None:
        """Plays schedules one after the other for so long, at most until a stale read. Returns whose it was."""
        end = time.monotonic() + seconds
        for schedule in schedules:
            left = end - time.monotonic()
            if left <= 0 or self.violations:
                break
            self._played.append((time.monotonic_ns(), schedule))
            self.episode(schedule, min(schedule.length, left))
        self.settle()
        return self._culprit() if self.violations else None

    def _culprit(self) -> Schedule:
        """The schedule in which the first stale read began: when it was judged, the next one may have been played."""
        start = self.ground.history.violations[0].read.start
        return [schedule for began, schedule in self._played if began <= start][-1]

    def forget(self) -> None:
        """Starts anew, on the same processes and with an empty Redis."""
        self._stage.flush()
        self.ground.forget()
        self.keeper.look()

    def settle(self) -> None:
        """Waits until what has been read is judged, or something was stale."""
        self._wait(DELAY_SECONDS + 2 * JUDGE_SECONDS)

    def episode(self, schedule: Schedule, seconds: float) -> None:
        """Plays one schedule, at most until a stale read."""
        if time.monotonic() > self._tokens_end:
            self.ground.renew_tokens()
            self._tokens_end = time.monotonic() + TOKEN_SECONDS
        self.keeper.instruct(schedule)
        over, before, began = threading.Event(), self._counts(), time.monotonic()
        threads = [
            threading.Thread(target=self.keeper.guarded, args=arguments, daemon=True)
            for arguments in (
                *lanes(self.ground, schedule, over, f"{self.seed}/{self._episodes}"),
                (self.keeper.strike, schedule.faults, over),
                (self.keeper.kill, schedule.kills, over),
            )
        ]
        for thread in threads:
            thread.start()
        try:
            self._wait(seconds)
        finally:
            over.set()
            for thread in threads:
                thread.join()
        self._tell(self._counts() - before, time.monotonic() - began)
        self._episodes += 1

    def _counts(self) -> Counter[str]:
        return self.ground.counts + self.keeper.faults

    def _wait(self, seconds: float) -> None:
        """Waits, at most until a stale read. Raises StageError for what another thread met."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0 and not self.violations:
            if self.keeper.trouble is not None:
                raise StageError(f"the checker itself failed: {self.keeper.trouble!r}") from self.keeper.trouble
            time.sleep(min(left, 0.1))

    def _tell(self, done: Counter[str], seconds: float) -> None:
        names = ("reads", "hits", "writes", "kills", "flush", *OUTAGES, "failures")
        counts = ", ".join(f"{name} {done[name]}" for name in names if done[name])
        self._say(f"episode {self._episodes}: {seconds:.1f} s, {counts}; {self.violations} stale")

    # --- What it came to ------------------------------------------------------------------------------------

    def result(self) -> Result:
        """To be asked for when the episodes are over; judges what is left."""
        with self.ground.lock:
            history, counts = self.ground.history, self.ground.counts
            history.judge(FOREVER)
            length = time.monotonic_ns() - self._started
            numbers = {
                "reads": counts["reads"],
                "writes": counts["writes"],
                "kills": counts["kills"],
                "redis_faults": self.keeper.faults.total(),
                "violations": history.totals.violations,
                "seed": self.seed,
                "off": self.off,
                "seconds": round(length / SECOND, 1),
                "strict_seconds": round((length - history.windows.length()) / SECOND, 1),
                "strict_reads": history.totals.strict,
                "excused_reads": history.totals.excused,
                "hits": counts["hits"],
                "lost_writes": counts["lost_writes"],
                "unfenced_windows": counts["unfenced_windows"],
                "failures": counts["failures"],
                "faults": dict(self.keeper.faults),
            }
            return Result(numbers, list(history.violations), list(self.ground.failures))
