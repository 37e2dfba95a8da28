"""Families as operators see them: which keys are whose, by the patterns that the apps declared."""

from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from typing import cast

from django.db import Error

from bcraftd.cache import background, behind, invalidation, outbox, stats, store
from bcraftd.cache.entry import Entry

# Redis holds the only copy of a window's count, so that a flush would forgive everybody.
RATE_LIMITS = "rate_limits"
ACTIVITY = "activity"
SESSIONS = "sessions"

# Not caches: a flush of these has everybody's session read anew, and forgets who has asked how often and what is yet
# to be written.
KEPT = (SESSIONS, RATE_LIMITS, ACTIVITY)

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
    return bool(of(key))


def of(key: str) -> str:
    """The family of a key, "" where it is of none."""
    return next((name for name in all_names() if any(fnmatchcase(key, pattern) for pattern in patterns(name))), "")


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


def outbox_depths() -> dict[str, int] | None:
    """How many keys wait in the outbox, by family; None where PostgreSQL, in which they stand, does not answer."""
    try:
        waiting = outbox.depth_by_family()
    except Error:
        return None
    return {**dict.fromkeys(names(), 0), **waiting}


def statistics(*, window: int) -> dict[str, dict[str, object]]:
    """What the cache did, by family and over all processes: in all, and in the last `window` seconds.

    With the keys that live and the drops that wait now. Raises StoreDown.
    """
    background.flush()
    totals, recent = stats.totals(names()), stats.windows(names(), window)
    waiting = outbox_depths() or {}
    return {
        family: {
            "keys": count(family),
            **stats.figures(totals[family]),
            "outbox": waiting.get(family),
            "window": {"seconds": window, **stats.figures(recent[family])},
        }
        for family in names()
    }
