"""Write-behind: small facts gathered in Redis and written to PostgreSQL in bulk every minute.

For what may be a minute late and may be lost by a crash: last seen, view counts. A process gathers in memory
for a second, then adds to a hash in Redis; the schedule takes the hash out in one step and writes it. Whatever
fails loses at most that, and nothing is ever counted twice.
"""

import operator
from collections.abc import Callable, Mapping
from typing import cast

from bcraftd.cache import background, scripts, store

Writer = Callable[[Mapping[str, int]], int]

_all: list["WriteBehind"] = []


class WriteBehind:
    """A hash of numbers by name. `latest` keeps the last value of a name, else values are summed."""

    # Names held in memory while Redis is away; past that the facts are let go.
    MAX_HELD = 100_000

    def __init__(self, key: str, *, latest: bool = False) -> None:
        self.key = key
        self.latest = latest
        self._counts: dict[str, int] = {}
        self._merge: background.Merge = max if latest else operator.add
        self._writer: Writer | None = None
        background.every_second(self._flush)
        _all.append(self)

    def writer(self, function: Writer) -> Writer:
        """Decorator: `function({name: number})` writes to PostgreSQL and returns how many rows it changed."""
        self._writer = function
        return function

    def put(self, name: str, number: int) -> None:
        """Notes one fact. Costs no round trip."""
        if len(self._counts) < self.MAX_HELD:
            background.add(self._counts, name, number, self._merge)

    def _flush(self) -> None:
        # This thread does not probe a Redis that is away: that needs the database too, and is done by others.
        counts = {} if store.breaker.is_open else background.take(self._counts)
        if not counts:
            return
        try:
            store.guarded(lambda: self._send(counts))
        except store.StoreDown:
            background.give_back(self._counts, counts, self._merge)

    def _send(self, counts: Mapping[str, int]) -> None:
        with store.client().pipeline(transaction=False) as pipe:
            for name, number in counts.items():
                if self.latest:
                    pipe.hset(self.key, name, number)
                else:
                    pipe.hincrby(self.key, name, number)
            pipe.execute()

    def write(self) -> int:
        """Moves what was gathered to PostgreSQL. Returns the rows changed; raises StoreDown where Redis is away."""
        background.flush()
        flat = store.guarded(lambda: cast("list[bytes]", store.client().eval(scripts.TAKE.text, 1, self.key)))
        facts = {flat[i].decode(): int(flat[i + 1]) for i in range(0, len(flat), 2)}
        if not facts or self._writer is None:
            return 0
        return self._writer(facts)


def write_all() -> dict[str, int]:
    """What the schedule runs: every declared hash. Returns rows changed by key."""
    return {behind.key: behind.write() for behind in _all}


def keys() -> list[str]:
    """The declared hashes."""
    return [behind.key for behind in _all]
