"""A whole run: the trap table once, then rounds of storms and of drawn traps until there were enough cases."""

import itertools
import json
import logging
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from bcraftd.economy import audit
from tests import live
from tests.fuzz import wire
from tests.fuzz.door import Application, Door
from tests.fuzz.storm import storm
from tests.fuzz.traps import Judge, Trap, drawn, table
from tests.fuzz.world import World

# A round begins with a new world, in which what was bought, sold and ended is there again. It is made up of random
# cases of schemathesis for each operation, and of traps drawn in twos and threes.
EXAMPLES, DRAWN = 60, 1500
# After so many traps it says how far it is.
SPOKEN = 5000
# From so many cases on a granian is started too.
WORTH_A_SERVER = 1000


@dataclass
class Outcome:
    """What all of it came to."""

    seed: int
    statuses: Counter[int] = field(default_factory=Counter)
    sources: Counter[str] = field(default_factory=Counter)
    checks: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    failed: int = 0
    seconds: float = 0.0

    @property
    def cases(self) -> int:
        return sum(self.statuses.values())

    def line(self) -> str:
        """One line of JSON."""
        return json.dumps(
            {
                "cases": self.cases,
                "by_status": {str(status): number for status, number in sorted(self.statuses.items())},
                "server_errors": sum(number for status, number in self.statuses.items() if status >= 500),
                "failures": self.failed,
                "by_source": dict(self.sources),
                "checks": dict(sorted(self.checks.items())),
                "seed": self.seed,
                "seconds": round(self.seconds, 1),
            }
        )


@contextmanager
def quiet() -> Iterator[None]:
    """Without the log: every refused request writes a line."""
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)


class Run:
    """Collects over several worlds, each with a door of its own."""

    def __init__(self, application: Application, seed: int, say: Callable[[str], None]) -> None:
        self.application = application
        self.outcome = Outcome(seed)
        self._say = say
        self._began = time.monotonic()

    @contextmanager
    def door(self, source: str) -> Iterator[Door]:
        """A new world and its door; what happened there is added up at the end."""
        with quiet(), Door(self.application, World()).open() as door:
            yield door
            report = audit()
        outcome, cases = self.outcome, sum(door.statuses.values())
        outcome.statuses += door.statuses
        outcome.sources[source] += cases
        self._note(door.findings, door.found)
        self._note([f"the economy's audit: {problem}" for problem in report.problems], report.problem_count)
        outcome.seconds = time.monotonic() - self._began
        self._say(f"{outcome.cases} cases, {outcome.failed} failures, {outcome.seconds:.0f} s: {source}")

    def _note(self, failures: list[str], number: int) -> None:
        self.outcome.failed += number
        self.outcome.failures += failures
        for failure in failures:
            self._say(f"FAILED {failure}")

    def wire(self) -> None:
        """Bytes of every kind to a granian."""
        cases = wire.everything()
        with quiet():
            World()
            with live.server(LOG_LEVEL="CRITICAL") as url:
                faults = [fault for case in cases if (fault := wire.fault(url, case)) is not None]
        self.outcome.sources["wire"] += len(cases)
        self._note(faults, len(faults))

    def traps(self, traps: Sequence[Trap]) -> None:
        """The trap table, or a part of it."""
        with self.door("trap table") as door:
            judge = Judge(door)
            for begin in range(0, len(traps), SPOKEN):
                judge.spring(traps[begin : begin + SPOKEN])
                self._say(f"{min(begin + SPOKEN, len(traps))} of {len(traps)} traps, {door.found} failures")

    def traps_drawn(self, number: int, chance: random.Random) -> None:
        """Two or three at once."""
        with self.door("traps drawn") as door:
            Judge(door).spring(itertools.islice(drawn(table(), chance), number))

    def storm(
        self, phases: tuple[str, ...], *, seed: int, examples: int, signed_in: bool, only: str | None = None
    ) -> None:
        """schemathesis, as the player or as nobody; `only` names a path."""
        who = "signed in" if signed_in else "anonymous"
        with self.door(f"schemathesis, {who}") as door:
            result = storm(door, seed=seed, examples=examples, phases=phases, signed_in=signed_in, only=only)
        self.outcome.checks += result.checks
        self._note(result.failures, len(result.failures))

    def everything(self, cases: int) -> None:
        """All of it, as far as there are cases for it: the wire, the trap table, what schemathesis enumerates, and then
        rounds of what is drawn."""
        if cases >= WORTH_A_SERVER:
            self.wire()
        traps = table()
        self.traps(traps[:: max(1, -(-len(traps) // cases))])
        for signed_in in (True, False):
            if self.outcome.cases < cases:
                self.storm(("examples", "coverage"), seed=self.outcome.seed, examples=1, signed_in=signed_in)
        chance = random.Random(self.outcome.seed)
        while self.outcome.cases < cases:
            self.storm(("fuzzing", "stateful"), seed=chance.getrandbits(32), examples=EXAMPLES, signed_in=True)
            self.storm(("fuzzing",), seed=chance.getrandbits(32), examples=EXAMPLES // 6, signed_in=False)
            self.traps_drawn(min(DRAWN, max(cases - self.outcome.cases, 0)), chance)
