"""Counting what the cache does, per family, without a Redis command on the request path.

Each process counts in memory; a background thread adds the counts every second, in one script call, to

- `stats:{family}`: the totals of all processes since the statistics were last dropped,
- `stats:window:{unix time}`: the same counts, all families in one hash, for BUCKET_SECONDS from that time on. These
  are what a rate over the last minutes is made from, and they end by themselves.
"""

import time
from collections.abc import Iterable, Mapping
from typing import Any, cast

from bcraftd.cache import background, breaker, scripts, store
from bcraftd.cache.batches import NUMBER_LIFE, ONCE, Batches

Counts = dict[str, int]

NAMES = ("hits", "misses", "bypasses", "refused_fills", "waits", "invalidations", "fill_us")

# What happens between a process and Redis, for whatever family: counted like a family of its own.
REDIS = "redis"
REDIS_NAMES = ("failures", "timeouts", "opened", "not_fenced", "replayed")

# Ten seconds are what somebody who watches sees move, and an hour of them is 360 small hashes.
BUCKET_SECONDS = 10
LONGEST_WINDOW_SECONDS = 60 * 60
_BUCKET_LIFE = LONGEST_WINDOW_SECONDS + 60

# KEYS writer, bucket, then one total per count. ARGV the batch's number, the lives of writer and bucket in seconds,
# then per count: its field in the bucket, its field in the total, the amount.
# Nothing is left without an end, whenever the caller dies.
_ADD = scripts.Script(
    ONCE
    + """
for i = 3, #KEYS do
  local first = 4 + 3 * (i - 3)
  redis.call('HINCRBY', KEYS[2], ARGV[first], ARGV[first + 2])
  redis.call('HINCRBY', KEYS[i], ARGV[first + 1], ARGV[first + 2])
end
redis.call('EXPIRE', KEYS[2], ARGV[3])
return 1
"""
)

_counts: dict[tuple[str, str], int] = {}


def count(family: str, name: str, amount: int = 1) -> None:
    """Adds to one of NAMES, or for REDIS to one of REDIS_NAMES."""
    background.add(_counts, (family, name), amount)


def _send(writer: str, number: int, batch: Mapping[tuple[str, str], int]) -> None:
    # What waited for Redis to come back lands in the bucket of now: right in the totals, late in the window.
    keys = [writer, _bucket(time.time())]
    args: list[str | int] = [number, NUMBER_LIFE, _BUCKET_LIFE]
    for (family, name), amount in batch.items():
        keys.append(_total(family))
        args += [_field(family, name), name, amount]
    store.guarded(lambda: scripts.run(store.client(), _ADD, keys, args))


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
    return {family: _summed(family, hashes) for family in families}


def window(family: str, seconds: int) -> Counts:
    """What one family counted in the last `seconds`; see windows()."""
    return windows([family], seconds)[family]


def series(families: Iterable[str], seconds: int, step: int) -> tuple[list[int], dict[str, list[Counts]]]:
    """What families counted in each `step` seconds of the last `seconds`, oldest first, in one round trip.

    Gives the times at which the steps begin (seconds since the epoch, whole steps) and for each family a list of
    counts as long. The newest step is still filling. Tries even while the breaker is open. Raises StoreDown.
    """
    if not 0 < seconds <= LONGEST_WINDOW_SECONDS or step <= 0 or step % BUCKET_SECONDS:
        raise ValueError(f"a series has 1 to {LONGEST_WINDOW_SECONDS} seconds, in steps of whole buckets")
    newest = int(time.time()) // step * step
    starts = list(range(newest - (seconds // step - 1) * step, newest + 1, step))
    offsets = range(0, step, BUCKET_SECONDS)
    hashes = _hashes([_bucket(start + offset) for start in starts for offset in offsets])
    steps = [hashes[index : index + len(offsets)] for index in range(0, len(hashes), len(offsets))]
    return starts, {family: [_summed(family, found) for found in steps] for family in families}


def _summed(family: str, buckets: Iterable[Mapping[bytes, bytes]]) -> Counts:
    found = list(buckets)
    return {name: sum(int(each.get(_field(family, name).encode(), 0)) for each in found) for name in _names(family)}


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


Batches(_counts, "stats", _send)
breaker.observers.append(_trouble)
