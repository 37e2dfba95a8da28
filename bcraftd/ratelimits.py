"""Limits on requests: the general one in one Redis call, the named ones by django-ratelimit.

A counter is a fixed window that ends by itself: the script that counts also sets the expiry, so that no crash
between the two can lock anybody out. With Redis gone each process counts for itself, which holds a single client
to the limit times the number of processes. That is not enough where passwords are guessed and accounts are made:
those are then counted in PostgreSQL, by all processes together (bcraftd/windows.py).
"""

import threading
import time
from dataclasses import dataclass

from django.conf import settings
from django.http import HttpRequest
from django_ratelimit.core import get_usage

from bcraftd import windows
from bcraftd.cache import store
from bcraftd.errors import Refusal
from bcraftd.network import counted_address

NAMED = {
    "craft": "RATE_LIMIT_CRAFT",
    "gather": "RATE_LIMIT_GATHER",
    "login": "RATE_LIMIT_LOGIN",
    "register": "RATE_LIMIT_REGISTER",
}
# Counted by address, whoever asks, because a player's token must not buy more guesses at other players' passwords; and
# counted also without Redis.
BY_ADDRESS = frozenset({"login", "register"})


@dataclass(frozen=True, slots=True)
class Usage:
    """Where a caller stands: requests allowed and counted in the window, seconds until it ends."""

    limit: int
    count: int
    reset: int

    @property
    def exceeded(self) -> bool:
        return self.count > self.limit

    def headers(self) -> dict[str, str]:
        """The X-RateLimit headers."""
        return {
            "X-RateLimit-Limit": str(self.limit),
            "X-RateLimit-Remaining": str(max(self.limit - self.count, 0)),
            "X-RateLimit-Reset": str(self.reset),
        }

    def retry_headers(self) -> dict[str, str]:
        """The X-RateLimit headers and Retry-After."""
        return {**self.headers(), "Retry-After": str(max(self.reset, 1))}


class ProcessCounter:
    """Fixed windows in this process's memory, for as long as Redis is away. Bounded."""

    MAX_KEYS = 10_000

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._windows: dict[str, tuple[float, int]] = {}

    def count(self, key: str, window: int) -> tuple[int, int]:
        """Counts one; returns the count and the seconds that the window has left."""
        now = time.monotonic()
        with self._lock:
            ends, count = self._windows.get(key, (0.0, 0))
            if ends <= now:
                ends, count = now + window, 0
            if len(self._windows) >= self.MAX_KEYS:
                self._windows = {name: value for name, value in self._windows.items() if value[0] > now}
                if len(self._windows) >= self.MAX_KEYS:
                    self._windows.clear()
            self._windows[key] = (ends, count + 1)
        return count + 1, max(int(ends - now), 1)


_fallback = ProcessCounter()


def address(of: str) -> str:
    """An address as somebody who is counted."""
    return f"address:{counted_address(of)}"


def player(player_id: int) -> str:
    """A player as somebody who is counted."""
    return f"player:{player_id}"


def counter(caller: str) -> str:
    """Where the general limit's count of somebody stands in Redis."""
    return f"rl:all:{caller}"


def who(request: HttpRequest) -> str:
    """Who is counted: the player where the token is good, else the client's address."""
    principal = getattr(request, "principal", None)
    return address(request.META["REMOTE_ADDR"]) if principal is None else player(principal.id)


def count_request(caller: str, rate: tuple[int, int]) -> Usage:
    """Counts one request against the general limit: (requests, seconds)."""
    limit, window = rate
    try:
        count, reset = store.count_in_window(counter(caller), window)
    except store.StoreDown:
        count, reset = _fallback.count(f"all:{caller}", window)
    return Usage(limit, count, reset)


def check_named(request: HttpRequest, name: str) -> None:
    """Counts one call of a limited kind (a key of NAMED). Raises Refusal `rate_limited` past the limit."""
    rate = getattr(settings, NAMED[name])
    if rate is None:
        return
    caller = address(request.META["REMOTE_ADDR"]) if name in BY_ADDRESS else who(request)
    usage = _in_redis(request, name, caller, rate) or _without_redis(name, caller, rate)
    if usage.exceeded:
        raise Refusal("rate_limited", headers=usage.retry_headers())


def _in_redis(request: HttpRequest, name: str, caller: str, rate: tuple[int, int]) -> Usage | None:
    """None where Redis did not count: it is away, or it dropped the counter between two commands of the library, which
    then tells of a limit of 0."""
    try:
        found = store.guarded(
            lambda: get_usage(request, group=name, key=lambda group, request: caller, rate=rate, increment=True)
        )
    except store.StoreDown:
        return None
    if not found or not found["limit"]:
        return None
    return Usage(found["limit"], found["count"], max(found["time_left"], 1))


def _without_redis(name: str, caller: str, rate: tuple[int, int]) -> Usage:
    limit, window = rate
    count, reset = (
        windows.count((name, caller), window) if name in BY_ADDRESS else _fallback.count(f"{name}:{caller}", window)
    )
    return Usage(limit, count, reset)
