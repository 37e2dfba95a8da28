"""Counting what the cache does, per family, without a Redis command on the request path.

Each process counts in memory; a background thread adds the counts every second, in one script call, to

- `stats:{family}`: the totals of all processes since the statistics were last dropped,
- `stats:window:{unix time}`: the same counts, all families in one hash, for BUCKET_SECONDS from that time on. These
  are what a rate over the last minutes is made from, and they end by themselves.
"""

import os
import secrets
import threading
import time
from collections.abc import Iterable, Mapping
from typing import Any, cast

from bcraftd.cache import background, scripts, store

Counts = dict[str, int]

NAMES = ("hits", "misses", "bypasses", "refused_fills", "waits", "invalidations", "fill_us")

# What happens between a process and Redis, for whatever family: counted like a family of its own.
REDIS = "redis"
REDIS_NAMES = ("failures", "timeouts", "opened", "not_fenced", "replayed")

# Ten seconds are what somebody who watches sees move, and an hour of them is 360 small hashes.
BUCKET_SECONDS = 10
LONGEST_WINDOW_SECONDS = 60 * 60
_BUCKET_LIFE = LONGEST_WINDOW_SECONDS + 60
# A batch of counts is not sent again for longer than Redis may hang and come back with it still in a socket.
_WRITER_LIFE = 60 * 60

# KEYS writer, bucket, then one total per count. ARGV the batch's number, the lives of writer and bucket in seconds,
# then per count: its field in the bucket, its field in the total, the amount.
# A call that timed out may have been taken, or may still be lying in the socket of a Redis that hangs: the batch is
# sent again under its number, and counted once. Nothing is left without an end, whenever the caller dies.
_ADD = scripts.Script("""
if tonumber(redis.call('GET', KEYS[1]) or '0') >= tonumber(ARGV[1]) then
  return 0
end
redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])
for i = 3, #KEYS do
  local first = 4 + 3 * (i - 3)
  redis.call('HINCRBY', KEYS[2], ARGV[first], ARGV[first + 2])
  redis.call('HINCRBY', KEYS[i], ARGV[first + 1], ARGV[first + 2])
end
redis.call('EXPIRE', KEYS[2], ARGV[3])
return 1
""")

_counts: dict[tuple[str, str], int] = {}


def count(family: str, name: str, amount: int = 1) -> None:
    """Adds to one of NAMES, or for REDIS to one of REDIS_NAMES."""
    background.add(_counts, (family, name), amount)


class _Writer:
    """What this process has taken out of `_counts` and does not know to be in Redis, and under which number."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._key = f"stats:writer:{secrets.token_hex(8)}"
        self._number = 0
        self._batch: dict[tuple[str, str], int] = {}

    def flush(self) -> None:
        """Sends the batch that could not be sent before, then what has been counted since. Raises StoreDown."""
        with self._lock:
            if self._batch:
                self._send()
            self._batch = background.take(_counts)
            if self._batch:
                self._number += 1
                self._send()

    def _send(self) -> None:
        # What waited for Redis to come back lands in the bucket of now: right in the totals, late in the window.
        keys = [self._key, _bucket(time.time())]
        args: list[str | int] = [self._number, _WRITER_LIFE, _BUCKET_LIFE]
        for (family, name), amount in self._batch.items():
            keys.append(_total(family))
            args += [_field(family, name), name, amount]
        store.guarded(lambda: scripts.run(store.client(), _ADD, keys, args))
        self._batch = {}


_writer = _Writer()


def _flush() -> None:
    if store.breaker.is_open:
        # This thread does not probe a Redis that is away: that needs the database too, and is done by others.
        return
    try:
        _writer.flush()
    except store.StoreDown:
        # The writer keeps its batch and tries again a second later.
        return


def _forget() -> None:
    """In a forked child: what stood in memory is the parent's to write, and its lock may have been held."""
    global _writer
    _counts.clear()
    _writer = _Writer()


def _total(family: str) -> str:
    return f"stats:{family}"


def _bucket(moment: float) -> str:
    """The bucket of a time, by the clock of this host: the hosts' clocks should agree to within a bucket."""
    return f"stats:window:{int(moment) // BUCKET_SECONDS * BUCKET_SECONDS}"


def _field(family: str, name: str) -> str:
    return f"{family}:{name}"


def _names(family: str) -> tuple[str, ...]:
    return REDIS_NAMES if family == REDIS else NAMES


def read(family: str) -> Counts:
    """The counts of a family over all processes since the statistics were last dropped. Raises StoreDown."""
    background.flush()
    return totals([family])[family]


def totals(families: Iterable[str]) -> dict[str, Counts]:
    """The counts of families over all processes, as of a second ago at most, in one round trip.

    Tries even while the breaker is open. Raises StoreDown.
    """
    wanted = list(families)
    hashes = _hashes([_total(family) for family in wanted])
    return {
        family: {name: int(found.get(name.encode(), 0)) for name in _names(family)}
        for family, found in zip(wanted, hashes, strict=True)
    }


def windows(families: Iterable[str], seconds: int) -> dict[str, Counts]:
    """What families counted in the last `seconds` and up to BUCKET_SECONDS before, in one round trip.

    Tries even while the breaker is open. Raises StoreDown.
    """
    if not 0 < seconds <= LONGEST_WINDOW_SECONDS:
        raise ValueError(f"a window has 1 to {LONGEST_WINDOW_SECONDS} seconds")
    now = time.time()
    # A bucket is asked for whole or not at all: the oldest reaches back behind the window, the newest is still filling.
    oldest = int(now - seconds) // BUCKET_SECONDS * BUCKET_SECONDS
    hashes = _hashes([_bucket(start) for start in range(oldest, int(now) + 1, BUCKET_SECONDS)])
    return {
        family: {
            name: sum(int(found.get(_field(family, name).encode(), 0)) for found in hashes) for name in _names(family)
        }
        for family in families
    }


def window(family: str, seconds: int) -> Counts:
    """What one family counted in the last `seconds`; see windows()."""
    return windows([family], seconds)[family]


def _hashes(keys: list[str]) -> list[dict[bytes, bytes]]:
    def ask() -> list[Any]:
        with store.client().pipeline(transaction=False) as pipe:
            for key in keys:
                pipe.hgetall(key)
            return pipe.execute()

    return cast("list[dict[bytes, bytes]]", store.guarded(ask, always=True))


def hit_rate(hits: int, misses: int) -> float | None:
    """The share of reads that hit, 0 to 1; None where nothing was read."""
    return round(hits / (hits + misses), 4) if hits + misses else None


def figures(counts: Mapping[str, int]) -> dict[str, int | float | None]:
    """A family's counts as operators read them; `fill_ms` is the mean of a fill in milliseconds, None without one."""
    misses = counts["misses"]
    return {
        "hits": counts["hits"],
        "misses": misses,
        "hit_rate": hit_rate(counts["hits"], misses),
        "bypasses": counts["bypasses"],
        "refused_fills": counts["refused_fills"],
        "waits": counts["waits"],
        "invalidations": counts["invalidations"],
        "fill_ms": round(counts["fill_us"] / 1000 / misses, 3) if misses else None,
    }


def _trouble(name: str) -> None:
    count(REDIS, name)


background.every_second(_flush)
store.observers.append(_trouble)
os.register_at_fork(after_in_child=_forget)
