"""One daemon thread per process that carries counts from memory to Redis every second."""

import atexit
import logging
import operator
import os
import threading
from collections.abc import Callable, Hashable
from typing import TypeVar

K = TypeVar("K", bound=Hashable)
Merge = Callable[[int, int], int]
log = logging.getLogger(__name__)

INTERVAL_SECONDS = 1.0

_lock = threading.Lock()
_jobs: list[Callable[[], None]] = []
_wake = threading.Event()
_started_in = 0


def every_second(job: Callable[[], None]) -> None:
    """Registers a job for the thread. It must not raise for Redis."""
    _jobs.append(job)


def add(counts: dict[K, int], key: K, amount: int, merge: Merge = operator.add) -> None:
    """Merges a number in under the lock and sees that the thread runs (it does not survive a fork)."""
    global _started_in
    with _lock:
        counts[key] = merge(counts.get(key, 0), amount)
        if _started_in == os.getpid():
            return
        _started_in = os.getpid()
    threading.Thread(target=_loop, name="bcraftd-background", daemon=True).start()


def take(counts: dict[K, int]) -> dict[K, int]:
    """Everything counted so far, leaving nothing."""
    with _lock:
        taken = dict(counts)
        counts.clear()
    return taken


def flush() -> None:
    """Runs every job now."""
    for job in _jobs:
        try:
            job()
        except Exception:
            log.exception("a background job failed")


def _loop() -> None:
    while not _wake.wait(INTERVAL_SECONDS):
        flush()


def _after_fork() -> None:
    """In a forked child: another thread of the parent may have held the lock."""
    global _lock
    _lock = threading.Lock()


atexit.register(flush)
os.register_at_fork(after_in_child=_after_fork)
