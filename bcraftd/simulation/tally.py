"""What a simulation counts, and the summary that comes of it. Of one event loop, so that nothing is locked."""

import math
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

# Latencies are counted in steps of this factor, so that a run of days takes no more memory than one of minutes.
STEP = 1.02
# How many violations are named. All are counted.
NAMED = 100
PERCENTILES = (50, 95, 99)
# Seconds over which the table's rate is reckoned.
RECENT = 10


class Latencies:
    """Milliseconds, known to two percent."""

    def __init__(self) -> None:
        self._steps: Counter[int] = Counter()

    def add(self, milliseconds: float) -> None:
        self._steps[math.ceil(math.log(max(milliseconds, 0.01), STEP))] += 1

    def percentiles(self) -> dict[str, float | None]:
        """p50, p95 and p99; None where there was nothing."""
        return {f"p{percent}": self._at(percent) for percent in PERCENTILES}

    def _at(self, percent: int) -> float | None:
        left = math.ceil(self._steps.total() * percent / 100)
        for step in sorted(self._steps):
            left -= self._steps[step]
            if left <= 0:
                return float(f"{STEP**step:.3g}")
        return None


@dataclass(slots=True)
class Figures:
    """Of one kind of action, or of all of them. `cache` is by the X-Cache header, `codes` by a refusal's code."""

    requests: int = 0
    not_modified: int = 0
    cache: Counter[str] = field(default_factory=Counter)
    codes: Counter[str] = field(default_factory=Counter)
    latencies: Latencies = field(default_factory=Latencies)

    @property
    def hit_rate(self) -> float | None:
        """Of the cached reads those that came from Redis; None where there was none."""
        total = self.cache.total()
        return round(self.cache["HIT"] / total, 4) if total else None

    def summary(self) -> dict[str, Any]:
        return {
            "requests": self.requests,
            "not_modified": self.not_modified,
            "hit_rate": self.hit_rate,
            "errors": dict(sorted(self.codes.items())),
            "latency_ms": self.latencies.percentiles(),
        }


class Tally:
    """Everything that happened, in all, by kind of action and by second."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._began = clock()
        self.total = Figures()
        self.actions: dict[str, Figures] = {}
        self.statuses: Counter[int] = Counter()
        self.playing: Counter[str] = Counter()
        self.violations: list[dict[str, Any]] = []
        self.violation_count = 0
        self._seconds: dict[int, Counter[str]] = {}
        self._recent: deque[tuple[float, int]] = deque()

    @property
    def elapsed(self) -> float:
        """Seconds since the start."""
        return self._clock() - self._began

    def _now(self) -> Counter[str]:
        return self._seconds.setdefault(int(self.elapsed), Counter())

    def answered(self, kind: str, status: int, seconds: float, *, code: str = "", cache: str = "") -> None:
        """An answer came, whatever it was. `code` is an error's."""
        self.statuses[status] += 1
        now = self._now()
        now["requests"] += 1
        if status == 503:
            now["unavailable"] += 1
        elif status >= 500:
            now["server_errors"] += 1
        for figures in (self.total, self.actions.setdefault(kind, Figures())):
            figures.requests += 1
            figures.not_modified += status == 304
            figures.latencies.add(seconds * 1000)
            if cache:
                figures.cache[cache] += 1
            if code:
                figures.codes[code] += 1

    def broken(self, kind: str) -> None:
        """No answer came: the connection broke, or it took too long."""
        self._now()["broken"] += 1
        for figures in (self.total, self.actions.setdefault(kind, Figures())):
            figures.codes["no_answer"] += 1

    def violation(self, player: str, kind: str, detail: str) -> None:
        """Something that must not be was seen."""
        self._now()["violations"] += 1
        self.violation_count += 1
        if len(self.violations) < NAMED:
            second = round(self.elapsed, 1)
            self.violations.append({"second": second, "player": player, "action": kind, "detail": detail})

    def rate(self) -> float:
        """Requests a second over the last seconds."""
        now = self.elapsed
        self._recent.append((now, self.total.requests))
        while len(self._recent) > 1 and self._recent[0][0] < now - RECENT:
            self._recent.popleft()
        since, before = self._recent[0] if len(self._recent) > 1 else (0.0, 0)
        return (self.total.requests - before) / max(now - since, 0.001)

    def timeline(self) -> list[dict[str, int]]:
        """Each second from the start to now, also one in which nothing happened."""
        names = ("requests", "server_errors", "unavailable", "broken", "violations")
        return [
            {"second": second, **{name: self._seconds.get(second, Counter())[name] for name in names}}
            for second in range(int(self.elapsed) + 1)
        ]

    def summary(self, *, with_timeline: bool = True) -> dict[str, Any]:
        """What the command reports: docs/worlds.md says what each of it means."""
        seconds = self.elapsed
        return {
            "seconds": round(seconds, 1),
            "players": dict(sorted(self.playing.items())),
            "requests_per_second": round(self.total.requests / max(seconds, 0.001), 1),
            **self.total.summary(),
            "statuses": {str(status): count for status, count in sorted(self.statuses.items())},
            "actions": {kind: figures.summary() for kind, figures in sorted(self.actions.items())},
            "violation_count": self.violation_count,
            "violations": self.violations,
            **({"timeline": self.timeline()} if with_timeline else {}),
        }
