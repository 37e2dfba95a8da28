"""Counts carried from memory to Redis so that none is counted twice.

A call that timed out may have been taken, or may still be lying in the socket of a Redis that hangs. So each process
sends numbered batches: a batch that may have arrived is sent again under its number, and a number that was taken
already is skipped. Nothing is sent while the breaker is open: this thread does not probe, which needs the database too
and is done by others.
"""

import os
import secrets
import threading
from collections.abc import Callable, Hashable, Mapping
from typing import Generic, TypeVar

from bcraftd.cache import background, store

K = TypeVar("K", bound=Hashable)

# Seconds that a batch's number is known for: longer than Redis may hang and come back with it still in a socket.
NUMBER_LIFE = 60 * 60

# What every script that takes a batch begins with. KEYS[1] the writer. ARGV[1] the batch's number, ARGV[2] its life.
ONCE = """
if tonumber(redis.call('GET', KEYS[1]) or '0') >= tonumber(ARGV[1]) then
  return 0
end
redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])
"""

# Sends one batch: the writer's key, the batch's number, the counts. Raises StoreDown where it may not have arrived.
Send = Callable[[str, int, Mapping[K, int]], object]


class Batches(Generic[K]):
    """What this process has taken out of `counts` and does not know to be in Redis, and under which number."""

    def __init__(self, counts: dict[K, int], prefix: str, send: Send[K]) -> None:
        self._counts = counts
        self._prefix = prefix
        self._send = send
        self._batch: dict[K, int] = {}
        self._begin()
        background.every_second(self.flush)
        os.register_at_fork(after_in_child=self._forget)

    def flush(self) -> None:
        """Sends what could not be sent before, then what has been counted since. Never raises for Redis."""
        if store.breaker.is_open:
            return
        try:
            with self._lock:
                self._send_batch()
                self._batch = background.take(self._counts)
                self._number += 1
                self._send_batch()
        except store.StoreDown:
            # The batch is kept and sent again a second later.
            return

    def _send_batch(self) -> None:
        if self._batch:
            self._send(self._writer, self._number, self._batch)
            self._batch = {}

    def _begin(self) -> None:
        self._lock = threading.Lock()
        self._writer = f"{self._prefix}:writer:{secrets.token_hex(8)}"
        self._number = 0
        self._batch = {}

    def _forget(self) -> None:
        """In a forked child: what stood in memory is the parent's to write, and its lock may have been held."""
        self._counts.clear()
        self._begin()
