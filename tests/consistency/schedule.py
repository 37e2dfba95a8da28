"""What happens in one episode of the checker, drawn by hypothesis: who reads and writes, what waits, dies and fails.

A run is a row of short episodes, each driven by one Schedule. The seed fixes the schedules, and so what is asked of
the system; it does not fix how the machine interleaves what it was asked. A race that one run finds, another run of the
same seed may miss: that is why a schedule that failed can be run again and again, and why only a schedule that fails
once more counts as a smaller one.
"""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from random import Random
from typing import Any, Literal

from hypothesis import HealthCheck, Phase, find, given, seed, settings
from hypothesis import strategies as st
from hypothesis.errors import NoSuchExample

FAMILIES = ("inventory", "recipe", "market", "environment", "catalogue", "name", "session")
# Those of bcraftd.cache.steps, which cannot be imported without a database; app.py compares the two.
READ_STEPS = ("read", "lease", "leased", "selected", "stored")
WRITE_STEPS = ("fence", "fenced", "committed", "dropped")
STEPS = (*READ_STEPS, *WRITE_STEPS)
# A kill at no step: the driver kills from outside, wherever the process happens to be.
ANYWHERE = "anywhere"

# flush: FLUSHALL. pause: it hangs. restart: it is stopped and started. crash: it is killed and started. rollback: it is
# killed, and comes back with what its append-only file held some time before. full: it refuses to store anything.
FaultKind = Literal["flush", "pause", "restart", "crash", "rollback", "full"]
OUTAGES = ("pause", "restart", "crash", "rollback", "full")


@dataclass(frozen=True, slots=True)
class Kill:
    """SIGKILL of an API process: `at` seconds into the episode it is armed to die at the next `step` it reaches."""

    at: float
    process: int
    step: str


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that happens to Redis `at` seconds into the episode.

    `seconds` is for how long it is away; of a rollback, how old the data is that it comes back with.
    """

    at: float
    kind: FaultKind
    seconds: float


@dataclass(frozen=True, slots=True)
class Wait:
    """Jitter: of a hundred threads that reach `step`, `percent` wait, up to `ms` milliseconds."""

    step: str
    percent: int
    ms: int


@dataclass(frozen=True, slots=True)
class Schedule:
    """One episode.

    readers, clients, writers: threads that have batches read inside the API processes, read over HTTP, and write.
    batch: reads in a batch. think_ms: the longest pause of a writer between two writes.
    seconds, rest: of load, and of reads alone after it, in which what is stale then stays stale.
    families, keys: what is written, and how many registers of each family; the first are written most.
    """

    seconds: float
    readers: int
    clients: int
    writers: int
    batch: int
    think_ms: int
    rest: float
    keys: int
    families: tuple[str, ...]
    waits: tuple[Wait, ...]
    kills: tuple[Kill, ...]
    faults: tuple[Fault, ...]

    @property
    def length(self) -> float:
        """Seconds in all."""
        return self.seconds + self.rest

    def to_json(self) -> str:
        """The schedule as `--schedule` reads it."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "Schedule":
        """Raises ValueError, TypeError or KeyError for anything that to_json did not write."""
        values = json.loads(text)
        parts: dict[str, Callable[..., Any]] = {"waits": Wait, "kills": Kill, "faults": Fault}
        rows = {name: tuple(part(**row) for row in values.pop(name)) for name, part in parts.items()}
        return cls(**{**values, "families": tuple(values["families"]), **rows})


# --- Drawing ----------------------------------------------------------------------------------------------


def _moments(first: float, last: float) -> st.SearchStrategy[float]:
    """Tenths of a second: a finer grid would only make schedules longer to read."""
    return st.integers(int(first * 10), int(last * 10)).map(lambda tenths: tenths / 10)


def _wait(step: str) -> st.SearchStrategy[Wait]:
    """Before a hit, which is what most reads are, a wait may only be rare; any other step may wait each time."""
    percent = st.integers(0, 2) if step == "read" else st.integers(0, 100)
    return st.builds(Wait, st.just(step), percent, st.sampled_from((10, 3, 40)))


# During an outage and a while after it less is asked of some reads (see history.py): half of the faults only flush.
_FAULTS = st.builds(
    Fault, _moments(0.3, 1.5), st.sampled_from([*OUTAGES, *(["flush"] * len(OUTAGES))]), _moments(0.2, 2)
)
# The steps of a write are where a death can leave something behind; most kills strike there.
_KILLS = st.builds(
    Kill,
    _moments(0.3, 3),
    st.integers(0, 7),
    st.one_of(st.sampled_from(WRITE_STEPS), st.sampled_from(WRITE_STEPS), st.sampled_from((*READ_STEPS, ANYWHERE))),
)

SCHEDULES: st.SearchStrategy[Schedule] = st.builds(
    Schedule,
    seconds=_moments(4, 6),
    readers=st.integers(8, 16),
    clients=st.integers(1, 3),
    writers=st.integers(6, 14),
    batch=st.sampled_from((25, 50, 100)),
    think_ms=st.sampled_from((300, 1000, 100, 2000)),
    rest=st.sampled_from((4.0, 0.0, 5.0)),
    keys=st.integers(1, 4),
    families=st.one_of(
        st.just(FAMILIES),
        st.lists(st.sampled_from(FAMILIES), min_size=1, max_size=len(FAMILIES), unique=True).map(tuple),
    ),
    waits=st.tuples(*(_wait(step) for step in STEPS)),
    kills=st.lists(_KILLS, min_size=1, max_size=3).map(tuple),
    faults=st.lists(_FAULTS, min_size=1, max_size=2).map(tuple),
)

_ALL_CHECKS = list(HealthCheck)


def drawn(number: int, count: int) -> list[Schedule]:
    """`count` schedules of a seed: the same ones each time, as long as hypothesis's version is the same.

    They resemble each other, as hypothesis varies what it has drawn before: draw few of each of many seeds.
    """
    found: list[Schedule] = []

    @seed(number)
    @settings(
        max_examples=count + 1, database=None, deadline=None, phases=[Phase.generate], suppress_health_check=_ALL_CHECKS
    )
    @given(SCHEDULES)
    def collect(schedule: Schedule) -> None:
        found.append(schedule)

    collect()
    # The first one is the simplest there is, whatever the seed.
    return found[1:]


# --- Shrinking --------------------------------------------------------------------------------------------


def _some_of(rows: tuple[Any, ...], least: int = 0) -> st.SearchStrategy[tuple[Any, ...]]:
    """Some of the rows in their order, none of them being the simplest case."""
    masks = st.lists(st.booleans(), min_size=len(rows), max_size=len(rows)).filter(lambda mask: sum(mask) >= least)
    return masks.map(lambda mask: tuple(row for row, kept in zip(rows, mask, strict=True) if kept))


def parts_of(schedule: Schedule) -> st.SearchStrategy[Schedule]:
    """What is left of a schedule when parts of it are taken out, the simplest first."""
    return st.builds(
        replace,
        st.just(schedule),
        readers=st.sampled_from(sorted({2, schedule.readers})),
        clients=st.sampled_from(sorted({0, schedule.clients})),
        writers=st.sampled_from(sorted({1, schedule.writers})),
        keys=st.integers(1, schedule.keys),
        families=_some_of(schedule.families, least=1),
        waits=_some_of(schedule.waits),
        kills=_some_of(schedule.kills),
        faults=_some_of(schedule.faults),
    )


def shrunk(schedule: Schedule, fails: Callable[[Schedule], bool], tries: int, number: int) -> Schedule | None:
    """A simpler schedule that failed when it was tried, None where none of `tries` did."""
    failed: list[Schedule] = []

    def tried(part: Schedule) -> bool:
        if not fails(part):
            return False
        failed.append(part)
        return True

    options = settings(max_examples=tries, database=None, deadline=None, suppress_health_check=_ALL_CHECKS)
    try:
        find(parts_of(schedule), tried, settings=options, random=Random(number))
    except NoSuchExample:
        return None
    except Exception:
        # hypothesis complains of what failed and then did not: a race. It counts if it failed once.
        if not failed:
            raise
    return failed[-1]


# --- With a mechanism switched off --------------------------------------------------------------------------

# Schedules that let each mechanism's absence show within seconds: a checker that cannot fail proves nothing.
_QUICK = Schedule(
    seconds=15, readers=6, clients=2, writers=6, batch=25, think_ms=20, rest=0, keys=2, families=FAMILIES,
    waits=(), kills=(), faults=(),
)  # fmt: skip

AIMED: dict[str, Schedule] = {
    # A writer that dies between its commit and its drop leaves what only a fence had taken away before. Few write,
    # so that the next write does not come at once and drop it.
    "fence": replace(
        _QUICK,
        kills=tuple(Kill((5 + 7 * number) / 10, number, "committed") for number in range(20)),
        families=("market", "environment", "session"),
        writers=3,
        think_ms=400,
        keys=4,
    ),
    # A reader that is slow to store what it has read is overtaken by a write, and nobody refuses it.
    "lease": replace(_QUICK, waits=(Wait("selected", 100, 40),)),
    # Fences alone cover a write for as long as Redis keeps them. It forgets them here all the time, and in between
    # a reader stores what was true before the commit.
    "drop": replace(
        _QUICK,
        waits=(Wait("fenced", 100, 60),),
        faults=tuple(Fault(0.5 + number / 20, "flush", 0) for number in range(280)),
    ),
}
