"""Families as operators see them: which keys are whose, by the patterns that the apps declared."""

from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from typing import cast

from bcraftd.cache import behind, invalidation, stats, store
from bcraftd.cache.entry import Entry

# Redis holds the only copy of a window's count, so that a flush would forgive everybody.
RATE_LIMITS = "rate_limits"
ACTIVITY = "activity"
SESSIONS = "sessions"

_BATCH = 500


def entries_of(family: str) -> list[Entry]:
    """A family's declared entries."""
    return [entry for entry in invalidation.entries() if entry.family == family]


def names() -> list[str]:
    """Every family that is read through the cache, in the order of declaration."""
    return list(dict.fromkeys(entry.family for entry in invalidation.entries()))


def all_names() -> list[str]:
    """Every family, also those that are no cache: counters and what is written behind."""
    return [*names(), RATE_LIMITS, ACTIVITY]


def patterns(family: str) -> list[str]:
    """The family's keys as patterns for SCAN."""
    if family == RATE_LIMITS:
        return ["rl:*"]
    if family == ACTIVITY:
        return behind.keys()
    return [entry.pattern for entry in entries_of(family)]


def owns(key: str) -> bool:
    """Whether a key is of any family."""
    return any(fnmatchcase(key, pattern) for family in all_names() for pattern in patterns(family))


def keys(family: str) -> Iterator[str]:
    """The family's live keys, by SCAN. Raises StoreDown."""
    for pattern in dict.fromkeys(patterns(family)):
        yield from store.scan(pattern)


def count(family: str) -> int:
    """How many live keys a family has. Raises StoreDown."""
    return len(set(keys(family)))


def flush(family: str) -> int:
    """Drops a family's keys and refuses the fills that run. Returns how many there were. Raises StoreDown."""
    found = set(keys(family))
    leased = {
        name.removeprefix("lease:") for pattern in patterns(family) for name in store.scan(store.lease_key(pattern))
    }
    return flush_keys(found | leased)


def flush_keys(names: Iterable[str]) -> int:
    """Drops keys by name, in batches. Returns how many there were. Raises StoreDown."""
    ordered = sorted(names)
    return sum(store.drop(ordered[start : start + _BATCH]) for start in range(0, len(ordered), _BATCH))


def keys_of_player(player_id: int) -> list[str]:
    """The keys of every entry that is one player's own."""
    return [
        entry.name({"player_id": player_id}) for entry in invalidation.entries() if entry.parameters == ["player_id"]
    ]


def describe(key: str) -> dict[str, object] | None:
    """Type, life left (seconds, None without end) and size (bytes) of a key, None once it is gone. Raises StoreDown."""
    redis = store.client()

    def ask() -> list[object]:
        with redis.pipeline(transaction=False) as pipe:
            pipe.type(key)
            pipe.ttl(key)
            pipe.memory_usage(key)
            return cast("list[object]", pipe.execute())

    kind, ttl, size = store.guarded(ask, always=True)
    life = cast("int", ttl)
    if size is None:
        return None
    return {"type": cast("bytes", kind).decode(), "ttl": life if life >= 0 else None, "size": size}


def statistics(family: str) -> dict[str, object]:
    """Keys now, and what the cache did since its statistics began, over all processes. Raises StoreDown."""
    counts = stats.read(family)
    asked = counts["hits"] + counts["misses"]
    return {
        "keys": count(family),
        "hits": counts["hits"],
        "misses": counts["misses"],
        "hit_rate": round(counts["hits"] / asked, 4) if asked else None,
        "bypasses": counts["bypasses"],
        "refused_fills": counts["refused_fills"],
        "fill_ms": round(counts["fill_us"] / 1000 / counts["misses"], 3) if counts["misses"] else None,
    }
