"""The judge: what a read may show, given all that was known before it began. No clock, no network, no threads.

A register is something whose version only grows. The floor of a register at a moment is the highest version that
anything which had ended by then knew of: a write that was answered, a read that was answered (once anybody has seen a
version, nobody who begins later may see less), or a look into PostgreSQL. A read that shows less than the floor at its
start is a violation. Times are nanoseconds of the monotonic clock, which all processes of a machine share.

Two things are excused, because the project does not promise them:

- **Windows.** A write that cannot reach Redis says so in the outbox, and other processes may serve what it made stale
  until a relay has replayed it, 2 s after Redis is back. From the beginning of an outage until GRACE after its end, a
  read is judged by the floor as it was when the outage began: what had been answered by then must still be seen, also
  from a Redis that came back with old data. What the read's own process has answered counts all the time: it knows what
  it owes.
- **Lost fences.** A fence stands in Redis from before a write's commit until after it. A Redis that loses its memory in
  between (FLUSHALL, a restart) lets a reader store the old value again, which then stands until the write drops it. So
  for a write that was under way when that happened, only its answer counts, not what others saw of it before; where
  its process died and no answer came, the next answered write of that register ends the matter, as its drop does.
"""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from tests.consistency.floors import FOREVER, NOTHING, Floor, Known, Windows

SECOND = 1_000_000_000
# The relay's 2 s, and half a second for a machine with more to do than cores.
GRACE = 5 * SECOND // 2
# How far back floors are remembered: no read takes longer than its client waits for it.
HORIZON = 120 * SECOND
# How long PostgreSQL may take to notice that a client died; until then its COMMIT may still be under way.
LOST = SECOND
# Violations that are kept to be printed: one stale value makes thousands, and the first tell it all.
KEPT = 20


class Read(NamedTuple):
    """One read in a process, and the version of each register that it showed. `how` says of what, HIT or not."""

    start: int
    end: int
    process: int
    how: str
    shown: Sequence[tuple[str, int]]


class Write(NamedTuple):
    """One write in a process that ended, with an answer or without. Processes go by their id: each lives once."""

    start: int
    end: int
    process: int


class Violation(NamedTuple):
    """A read that showed less of a register than was known when it began."""

    read: Read
    register: str
    version: int
    known: Known

    def __str__(self) -> str:
        read, known = self.read, self.known
        before, lasted = (read.start - known.time) / 1e6, (read.end - read.start) / 1e6
        return (
            f"{self.register}: {read.how} showed version {self.version} from {read.start} to {read.end}"
            f" ({lasted:.1f} ms); version {known.version} had been known since {known.time} ({before:.1f} ms before)"
            f" by {known.source}"
        )


@dataclass(slots=True)
class _Register:
    """What is known of one register."""

    answered: Floor = field(default_factory=Floor)
    seen: Floor = field(default_factory=Floor)
    # What each process has answered itself.
    own: dict[int, Floor] = field(default_factory=dict)
    # Writes of late, by which one finds those that were under way when Redis lost its memory.
    writes: deque[Write] = field(default_factory=deque)
    # Writes without an answer, until a write that began after their end is answered.
    lost: list[Write] = field(default_factory=list)

    def known(self, read: Read, answered_by: int, seen_by: int) -> Known:
        """The floor: what answers said by one time, what was seen by another, and what the read's own process knows."""
        own = self.own[read.process].at(read.start) if read.process in self.own else NOTHING
        return max(self.answered.at(answered_by), self.seen.at(seen_by), own)

    def under_way(self, begin: int, end: int, at: int) -> bool:
        """Whether a write was under way from `begin` to `end` that began before `at` and was not settled by then."""
        last = min(end, at)
        answered = any(row.start < last and row.end > begin and row.end >= at for row in self.writes)
        return answered or any(row.start < last and row.end + LOST > begin for row in self.lost)


@dataclass(slots=True)
class Totals:
    """Reads that were judged: in all, outside of windows, excused for showing less, and not to be excused."""

    reads: int = 0
    strict: int = 0
    excused: int = 0
    violations: int = 0


class History:
    """Takes in what happened, in any order, and judges the reads once all that bears on them has arrived."""

    def __init__(self) -> None:
        self.windows = Windows()
        self.totals = Totals()
        self.violations: list[Violation] = []
        self._registers: dict[str, _Register] = {}
        self._losses: list[tuple[int, int]] = []
        self._pending: deque[tuple[int, Sequence[Read]]] = deque()
        self._retired: dict[str, int] = {}

    # --- What happened --------------------------------------------------------------------------------------

    def answered(self, register: str, write: Write, version: int, how: str) -> None:
        """A write was answered."""
        row = self._of(register)
        row.answered.rise(version, write.end, how)
        row.own.setdefault(write.process, Floor()).rise(version, write.end, how)
        row.writes.append(write)
        row.lost = [lost for lost in row.lost if write.start < lost.end]

    def lost(self, register: str, write: Write) -> None:
        """A write was not answered: its process died, or it said that it failed. It may have committed."""
        self._of(register).lost.append(write)

    def looked(self, versions: Mapping[str, int], time: int, how: str) -> None:
        """PostgreSQL has shown these versions by a time."""
        for register, version in versions.items():
            self._of(register).seen.rise(version, time, how)

    def read(self, reads: Sequence[Read], arrived: int) -> None:
        """Reads were answered; they are judged later."""
        for row in reads:
            for register, version in row.shown:
                self._of(register).seen.rise(version, row.end, row.how)
        self._pending.append((arrived, reads))

    def memory_lost(self, begin: int, end: int) -> None:
        """Between these times Redis lost what it held."""
        self._losses.append((begin, end))

    def retire(self, register: str, time: int) -> None:
        """Nobody will use a register any more."""
        self._retired[register] = time

    def lacking(self, versions: Mapping[str, int]) -> list[str]:
        """What PostgreSQL lacks, when nothing is under way any more, of the writes that were answered."""
        answers = {name: row.answered.at(FOREVER) for name, row in self._registers.items()}
        return [
            f"{name}: version {versions[name]}, and {known.version} was known by {known.source}"
            for name, known in answers.items()
            if name in versions and versions[name] < known.version
        ]

    # --- Judging --------------------------------------------------------------------------------------------

    def judge(self, until: int) -> None:
        """Judges the reads that arrived up to a time, by which all that bears on them must have arrived."""
        while self._pending and self._pending[0][0] <= until:
            for row in self._pending.popleft()[1]:
                self._judge(row)

    def _judge(self, read: Read) -> None:
        window = self.windows.beginning(read.start)
        self.totals.reads += 1
        self.totals.strict += window is None
        less = [
            (name, shown)
            for name, shown in read.shown
            if shown < self._of(name).known(read, read.start, read.start).version
        ]
        found = [row for row in less if self._convict(read, row, read.start if window is None else window)]
        self.totals.excused += bool(less) and not found
        self.totals.violations += bool(found)

    def _convict(self, read: Read, row: tuple[str, int], answered_by: int) -> bool:
        """Whether a read showed less of a register than it had to, after what excuses it."""
        register, version = row
        known = self._of(register).known(read, answered_by, min(answered_by, self._sight_ends(register, read.start)))
        if version >= known.version:
            return False
        if len(self.violations) < KEPT:
            self.violations.append(Violation(read, register, version, known))
        return True

    def _sight_ends(self, register: str, at: int) -> int:
        """From when on what others saw does not count for a read that began at a time, because of a lost fence."""
        row = self._of(register)
        return min((begin for begin, end in self._losses if begin < at and row.under_way(begin, end, at)), default=at)

    def forget(self, now: int) -> None:
        """Lets go of what no read can need any more, so that an hour takes no more memory than a minute."""
        for row in self._registers.values():
            row.answered.forget(now - HORIZON)
            row.seen.forget(now - HORIZON)
            row.own = {process: floor for process, floor in row.own.items() if floor.last > now - HORIZON}
            while row.writes and row.writes[0].end < now - HORIZON:
                row.writes.popleft()
        for register in [name for name, time in self._retired.items() if time < now - HORIZON]:
            self._registers.pop(register, None)
            del self._retired[register]

    def _of(self, register: str) -> _Register:
        found = self._registers.get(register)
        if found is None:
            found = self._registers[register] = _Register()
        return found
