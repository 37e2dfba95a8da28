"""Plain JSON values under any key, on a connection pool of their own: what CacheService has below its families.

One policy for failures, on every call: it takes `timeout` seconds at most; a read that Redis does not answer gives
None, a write gives False, and whatever has to make something go away raises StoreDown, because an invalidation that
was lost in silence is a stale value later.
"""

import json
import logging
from collections.abc import Callable, Iterable
from typing import Any, Self, TypeVar, cast

from redis import Redis
from redis.backoff import NoBackoff
from redis.connection import BlockingConnectionPool
from redis.exceptions import RedisError, ResponseError
from redis.retry import Retry

from bcraftd.cache import scripts, stamp
from bcraftd.cache.store import StoreDown, fence_key, lease_key

T = TypeVar("T")
F = TypeVar("F")
log = logging.getLogger(__name__)

# What Redis answers where the value is no number, or would be too large a one: the caller's mistake, no failure.
_NO_NUMBER = ("WRONGTYPE", "value is not an integer", "increment or decrement would overflow")
_STATS = (
    "redis_version", "uptime_in_seconds", "connected_clients", "used_memory_human", "used_memory_peak_human",
    "total_commands_processed", "keyspace_hits", "keyspace_misses",
)  # fmt: skip


def encoded(value: Any, kind: type[json.JSONEncoder] | None = None) -> bytes:
    """A value as JSON. Raises TypeError or ValueError for one that JSON cannot hold, NaN among them."""
    return json.dumps(value, cls=kind, allow_nan=False, ensure_ascii=False, separators=(",", ":")).encode()


def seconds(ttl: int) -> int:
    """A life in seconds. Raises ValueError for one that is over already."""
    if ttl <= 0:
        raise ValueError(f"a life of {ttl} seconds would be over at once; one second or more is expected")
    return ttl


class PlainCache:
    """See CacheService, which adds the families of the API's cache to it."""

    def __init__(
        self,
        host: str = "127.0.0.1",
        port: int = 6379,
        password: str | None = None,
        db: int = 0,
        max_connections: int = 50,
        *,
        timeout: float = 0.1,
        redis: "Redis | None" = None,
        **connection: Any,
    ) -> None:
        """Connects with the first call, not before.

        timeout: seconds that any call takes at most, and that it waits for one of the `max_connections`.
        redis: a client that is there already; then nothing else counts.
        connection: what redis-py's connections take beyond these: `username`, `ssl_ca_certs`, `path` and so on.
        """
        if redis is not None:
            self._pool = cast("BlockingConnectionPool", redis.connection_pool)
            self._redis = redis
            return
        if "path" not in connection:
            connection |= {"host": host, "port": port}
        self._pool = BlockingConnectionPool(
            max_connections=max_connections,
            timeout=timeout,
            password=password,
            db=db,
            socket_timeout=timeout,
            socket_connect_timeout=timeout,
            # One try: a second one would make a hung Redis cost two timeouts.
            retry=Retry(NoBackoff(), 0),
            **connection,
        )
        self._redis = Redis(connection_pool=self._pool)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connections. Another call would open new ones."""
        self._pool.disconnect()

    # --- Any key ------------------------------------------------------------------------------------------

    def set(self, key: str, value: Any, ttl: int | None = None, nx: bool = False, xx: bool = False) -> bool:
        """Stores a value as JSON. True once stored; False where the condition failed or Redis did not answer.

        ttl: its life in seconds; None for one without an end. nx: only a new key. xx: only one that is there.
        Raises TypeError or ValueError, with nothing sent, for what JSON cannot hold, for a life that is over, and
        for nx together with xx.
        """
        if nx and xx:
            raise ValueError("a key cannot be new (nx) and there already (xx)")
        body = encoded(value)
        life = None if ttl is None else seconds(ttl)
        return bool(self._tried(lambda: self._redis.set(key, body, ex=life, nx=nx, xx=xx), False))

    def get(self, key: str) -> Any:
        """A value; None where there is none, where what is there is not JSON, or where Redis did not answer.

        A stored null gives None too: `exists` tells them apart. A value of the API's cache comes without its stamp
        and unchecked: the getters of the families are what leaves out the values that are not valid any more.
        """
        stored = self._tried(lambda: cast("bytes | None", self._redis.get(key)), None)
        try:
            return None if stored is None else json.loads(_without_stamp(stored))
        except ValueError:
            return None

    def delete(self, key: str) -> bool:
        """Drops a key, and refuses the fills of it that run. Whether it was there. Raises StoreDown."""
        return self._dropped([key]) > 0

    def exists(self, key: str) -> bool:
        """Whether a key is there; False where Redis did not answer."""
        return bool(self._tried(lambda: self._redis.exists(key), False))

    def expire(self, key: str, ttl: int) -> bool:
        """Ends a key in `ttl` seconds from now. False where there is none or Redis did not answer.

        Raises ValueError where that is not in the future.
        """
        life = seconds(ttl)
        return bool(self._tried(lambda: self._redis.expire(key, life), False))

    def increment(self, key: str, amount: int = 1) -> int | None:
        """Adds to a whole number, from 0 where there is none. The new one; None where Redis did not answer.

        One step, so that no increment is lost among threads; a life that the key has goes on. Raises ValueError
        where something else than a whole number is stored, or the sum would not fit 64 bits.
        """
        return self._tried(lambda: self._added(key, amount), None)

    def decrement(self, key: str, amount: int = 1) -> int | None:
        """Takes from a whole number; otherwise as `increment`."""
        return self.increment(key, -amount)

    # --- Rate limits --------------------------------------------------------------------------------------

    def check_rate_limit(self, identifier: str, max_requests: int = 60, window_seconds: int = 60) -> bool:
        """Counts one request of `identifier` in a fixed window; whether it is among the allowed ones.

        Counting and the counter's expiry are one step: no crash leaves a counter that never ends, and one that
        somebody else left so gets its end here. The window is the one that the first request of it opened.
        Where Redis does not answer every request is allowed: a limit keeps a few from taking too much, and
        refusing everybody would make Redis's failure the game's. So it is nothing to keep a password with.
        Raises ValueError for a window that is over at once.
        """
        args = [seconds(window_seconds) * 1000]
        answer = self._tried(lambda: scripts.run(self._redis, scripts.COUNT, [_counter(identifier)], args), None)
        return answer is None or int(answer[0]) <= max_requests

    def get_remaining_requests(self, identifier: str, max_requests: int = 60) -> int:
        """How many requests the running window still allows, without counting one; all where Redis is away."""
        count = self._tried(lambda: cast("bytes | None", self._redis.get(_counter(identifier))), None)
        return max(max_requests - int(count or 0), 0)

    # --- The server ---------------------------------------------------------------------------------------

    def get_stats(self) -> dict[str, Any] | None:
        """What the server says of itself, all its databases together; None where it did not answer.

        hit_rate: between 0 and 1, the share of its keys' reads that found something; 0 before the first.
        The other names are those of Redis's INFO.
        """
        info = self._tried(lambda: self._redis.info(), None)
        if info is None:
            return None
        hits, misses = int(info["keyspace_hits"]), int(info["keyspace_misses"])
        return {**{name: info[name] for name in _STATS}, "hit_rate": round(hits / max(hits + misses, 1), 4)}

    def flush_all(self) -> bool:
        """Empties its own database and no other one: True. Raises StoreDown.

        In the API's database that is every cached value, and also what nothing else holds: the counts of rate
        limits and the last minute of activity. `manage.py cache_flush` drops the cached values alone.
        """
        return bool(self._insisted(lambda: self._redis.flushdb(asynchronous=True)))

    # --- How a call goes ----------------------------------------------------------------------------------

    def _tried(self, call: Callable[[], T], otherwise: F) -> T | F:
        """A call that may fail: its answer, or something else where Redis gave none."""
        try:
            return call()
        except (RedisError, OSError) as error:
            log.warning("Redis did not take a call: %s", error)
            return otherwise

    def _insisted(self, call: Callable[[], T]) -> T:
        """A call that must not fail unseen."""
        try:
            return call()
        except (RedisError, OSError) as error:
            raise StoreDown(str(error)) from error

    def _dropped(self, keys: Iterable[str]) -> int:
        """Drops keys together with their leases, as every write of the API does. How many there were."""
        names = list(keys)
        if not names:
            return 0
        every = [*names, *(lease_key(name) for name in names), *(fence_key(name) for name in names)]
        # No mark: the fences are other writers' own, and stay until these lift them.
        return int(self._insisted(lambda: scripts.run(self._redis, scripts.DROP, every, [len(names), ""])))

    def _added(self, key: str, amount: int) -> int:
        try:
            return self._redis.incrby(key, amount)
        except ResponseError as error:
            if str(error).startswith(_NO_NUMBER):
                raise ValueError(f"{key}: {error}") from error
            raise


def _counter(identifier: str) -> str:
    return f"rl:service:{identifier}"


def _without_stamp(stored: bytes) -> bytes:
    """A value of the API's cache without its stamp, any other one as it is."""
    try:
        found = stamp.split(stored)
    except ValueError:
        found = None
    # Taken off only where all of it is there: a value of somebody's own may end nearly like it.
    return stored if found is None else stamp.take(stored, found[1], found[2]) or stored
