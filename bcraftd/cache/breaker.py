"""When Redis is not asked: the breaker, and what a caller is told instead of an answer."""

import logging
import threading
import time
from collections.abc import Callable

log = logging.getLogger(__name__)

BREAKER_SECONDS = 1.0

# Told of each trouble by its name (failures, timeouts, opened): the statistics count them.
observers: list[Callable[[str], None]] = []
# Told whether it is open now, each time that changes, and under its lock: none of them may ask anything of it.
switched: list[Callable[[bool], None]] = []


def note(trouble: str) -> None:
    """Tells the observers."""
    for observer in observers:
        observer(trouble)


class StoreDown(Exception):
    """Redis did not take the call: refused, timed out, full, or not asked because the breaker is open."""


class Breaker:
    """Keeps a Redis that does not answer from costing every request a timeout."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._probe_at: float | None = None
        self._trips = 0
        self.opened = 0

    @property
    def is_open(self) -> bool:
        return self._probe_at is not None

    @property
    def state(self) -> str:
        """`closed`, `open`, or `half-open` where the next caller will probe."""
        if self._probe_at is None:
            return "closed"
        return "open" if time.monotonic() < self._probe_at else "half-open"

    def may_probe(self) -> bool:
        """Whether this caller is the one that probes. Only one per BREAKER_SECONDS is."""
        with self._lock:
            if self._probe_at is None or time.monotonic() < self._probe_at:
                return False
            self._probe_at = time.monotonic() + BREAKER_SECONDS
            return True

    @property
    def trips(self) -> int:
        """How often something went wrong so far; what `close` compares."""
        return self._trips

    def trip(self, error: object, *, put_off: bool = True) -> None:
        """Opens, or stays open: with `put_off` for another BREAKER_SECONDS, without it the next probe comes as it was
        to come, but a probe that is under way no longer closes."""
        with self._lock:
            was_open = self.is_open
            self._trips += 1
            if put_off or not was_open:
                self._probe_at = time.monotonic() + BREAKER_SECONDS
            if not was_open:
                self.opened += 1
                self._tell(is_open=True)
        if not was_open:
            note("opened")
            log.warning("Redis does not answer, reads go to PostgreSQL: %s", error)

    def wait_for_probe(self) -> None:
        """Opens without any trouble: nothing is asked before the next caller has probed."""
        with self._lock:
            self._probe_at = time.monotonic()

    def close(self, trips: int) -> bool:
        """Closes, unless something has gone wrong since there were so many trips. Returns whether it is closed."""
        with self._lock:
            if self._trips != trips:
                return False
            was_open, self._probe_at = self.is_open, None
            if was_open:
                self._tell(is_open=False)
        if was_open:
            log.warning("Redis answers again")
        return True

    def _tell(self, *, is_open: bool) -> None:
        for told in switched:
            told(is_open)


breaker = Breaker()
