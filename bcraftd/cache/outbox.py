"""Drops that Redis did not take, kept until it does.

This process does not serve anything from the cache while it owes a drop: it replays what it owes first. The
list is in this process's memory, so that it covers Redis refusing or hanging while the process lives. Rows in
PostgreSQL, written in the transaction itself and replayed by a relay for all processes, take its place with
the fences: see docs/caching.md, "What is not covered yet".
"""

import logging
import threading
from collections.abc import Iterable, Mapping

from bcraftd.cache import store

log = logging.getLogger(__name__)

_lock = threading.Lock()
_keys: set[str] = set()
_generations: dict[str, str] = {}


def remember(keys: Iterable[str], generations: Mapping[str, str]) -> None:
    """Keeps drops that failed."""
    with _lock:
        _keys.update(keys)
        _generations.update(generations)
    log.error("Redis did not take an invalidation; it is kept and replayed", extra={"keys": len(_keys)})


def depth() -> int:
    """How many drops this process owes."""
    return len(_keys) + len(_generations)


def replayed() -> bool:
    """Whether nothing is owed, after trying once to replay what was. False: do not serve from the cache."""
    if not _keys and not _generations:
        return True
    if not store.breaker.admit():
        return False
    with _lock:
        keys, generations = set(_keys), dict(_generations)
    try:
        store.drop(keys, generations)
    except store.StoreDown:
        return False
    with _lock:
        _keys.difference_update(keys)
        for name in generations:
            _generations.pop(name, None)
        return not _keys and not _generations
