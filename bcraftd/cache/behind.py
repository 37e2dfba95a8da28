"""Write-behind: small facts gathered in Redis and written to PostgreSQL in bulk every minute.

For what may be a minute late and may be lost by a crash: last seen, view counts. A process gathers in memory
for a second, then adds to a hash in Redis; the schedule takes the hash out in one step and writes it. Whatever
fails loses at most that, and nothing is ever counted twice.
"""

import operator
from collections.abc import Callable, Mapping
from typing import cast

from bcraftd.cache import background, scripts, store
from bcraftd.cache.batches import NUMBER_LIFE, ONCE, Batches

# KEYS writer, hash. ARGV the batch's number and its life, whether a name's latest number counts, names and numbers.
_GATHER = scripts.Script(
    ONCE
    + """
for i = 4, #ARGV, 2 do
  if ARGV[3] == '0' then
    redis.call('HINCRBY', KEYS[2], ARGV[i], ARGV[i + 1])
  elseif tonumber(redis.call('HGET', KEYS[2], ARGV[i]) or '0') < tonumber(ARGV[i + 1]) then
    redis.call('HSET', KEYS[2], ARGV[i], ARGV[i + 1])
  end
end
return 1
"""
)

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
        Batches(self._counts, key, self._send)
        _all.append(self)

    def writer(self, function: Writer) -> Writer:
        """Decorator: `function({name: number})` writes to PostgreSQL and returns how many rows it changed."""
        self._writer = function
        return function

    def put(self, name: str, number: int) -> None:
        """Notes one fact. Costs no round trip."""
        if len(self._counts) < self.MAX_HELD:
            background.add(self._counts, name, number, self._merge)

    def _send(self, writer: str, number: int, batch: Mapping[str, int]) -> None:
        args: list[str | int] = [number, NUMBER_LIFE, int(self.latest)]
        for pair in batch.items():
            args += pair
        store.guarded(lambda: scripts.run(store.client(), _GATHER, [writer, self.key], args))

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
