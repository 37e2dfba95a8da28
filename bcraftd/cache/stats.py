"""Counting what the cache does, per family, without a Redis command on the request path.

Each process counts in memory; a background thread adds the counts to the hash `stats:{family}` in Redis every
second, so that `cache_stats` sees the sum over all processes.
"""

from collections.abc import Mapping
from typing import cast

from bcraftd.cache import background, store

NAMES = ("hits", "misses", "bypasses", "refused_fills", "waits", "invalidations", "fill_us")

_counts: dict[tuple[str, str], int] = {}


def count(family: str, name: str, amount: int = 1) -> None:
    """Adds to one of NAMES."""
    background.add(_counts, (family, name), amount)


def _flush() -> None:
    counts = background.take(_counts)
    if not counts:
        return
    try:
        store.guarded(lambda: _write(counts))
    except store.StoreDown:
        background.give_back(_counts, counts)


def _write(counts: Mapping[tuple[str, str], int]) -> None:
    with store.client().pipeline(transaction=False) as pipe:
        for (family, name), amount in counts.items():
            pipe.hincrby(f"stats:{family}", name, amount)
        pipe.execute()


def read(family: str) -> dict[str, int]:
    """The counts of a family over all processes since the statistics were last dropped. Raises StoreDown."""
    background.flush()
    found = store.guarded(lambda: cast("dict[bytes, bytes]", store.client().hgetall(f"stats:{family}")))
    return {name: int(found.get(name.encode(), 0)) for name in NAMES}


background.every_second(_flush)
