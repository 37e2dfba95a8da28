"""What is known of one register by time, and the times in which less is asked of its readers. As pure as history.py."""

from bisect import bisect_left, bisect_right
from typing import NamedTuple

FOREVER = 2**63


class Known(NamedTuple):
    """A version, when it was known (nanoseconds, monotonic), and from whom."""

    version: int
    time: int
    source: str


# Nothing is known before the first answer: any version is right.
NOTHING = Known(-(2**62), 0, "nobody")


class Floor:
    """The highest version known, by time: a staircase that only rises."""

    def __init__(self) -> None:
        self._times: list[int] = []
        self._steps: list[Known] = []

    def rise(self, version: int, time: int, source: str) -> None:
        """Takes in that `version` was known at `time`. What arrives late is put where it belongs."""
        if self._steps and version <= self._steps[-1].version and time >= self._times[-1]:
            return
        place = bisect_right(self._times, time)
        if place and self._steps[place - 1].version >= version:
            return
        end = place
        while end < len(self._steps) and self._steps[end].version <= version:
            end += 1
        self._times[place:end] = [time]
        self._steps[place:end] = [Known(version, time, source)]

    def at(self, time: int) -> Known:
        """What was known strictly before `time`."""
        place = bisect_left(self._times, time)
        return self._steps[place - 1] if place else NOTHING

    @property
    def last(self) -> int:
        """When it rose the last time; 0 before the first time."""
        return self._times[-1] if self._times else 0

    def forget(self, before: int) -> None:
        """Drops the steps before a time, but the last of them."""
        stale = bisect_left(self._times, before) - 1
        if stale > 0:
            del self._times[:stale], self._steps[:stale]


class Windows:
    """Times in which reads are judged by what was known at their beginning. Those that overlap are one."""

    def __init__(self) -> None:
        self._closed: list[tuple[int, int]] = []
        self._open: int | None = None

    def begins(self, time: int) -> None:
        """An outage begins, and its end is not known yet."""
        self._open = time if self._open is None else min(time, self._open)

    def ends(self, time: int) -> None:
        """The outage that began is over at `time`."""
        if self._open is not None:
            self.add(self._open, time)
            self._open = None

    def add(self, begin: int, end: int) -> None:
        """A window from beginning to end."""
        apart = [row for row in self._closed if row[1] < begin or row[0] > end]
        touching = [row for row in self._closed if row[1] >= begin and row[0] <= end]
        merged = (min([begin, *(row[0] for row in touching)]), max([end, *(row[1] for row in touching)]))
        self._closed = sorted([*apart, merged])

    def beginning(self, time: int) -> int | None:
        """The beginning of the window that a time lies in, None where it lies in none."""
        if self._open is None or time < self._open:
            return self._closed_around(time)
        # An outage may begin while the grace of the one before it still lasts.
        earlier = self._closed_around(self._open)
        return self._open if earlier is None else min(earlier, self._open)

    def _closed_around(self, time: int) -> int | None:
        place = bisect_right(self._closed, (time, FOREVER)) - 1
        return self._closed[place][0] if place >= 0 and self._closed[place][1] >= time else None

    def length(self) -> int:
        """How long the windows that are over were together, in nanoseconds."""
        return sum(end - begin for begin, end in self._closed)
