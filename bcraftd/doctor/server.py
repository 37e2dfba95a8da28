"""Redis, and what the cache makes of it."""

import time
from collections.abc import Callable
from typing import Any

from django.utils import timezone
from redis.exceptions import AuthenticationError, BusyLoadingError, TimeoutError

from bcraftd.cache import families, outbox, stats, store
from bcraftd.doctor import Finding, fault, ok, warning
from bcraftd.doctor.database import judged

WANTED_VERSION = (7, 2)
MEMORY_WARNING = 0.9
# What a window must have before its rates say anything, and where they are bad.
WINDOW_SECONDS = 15 * 60
ENOUGH_READS = 200
LOW_HIT_RATE = 0.5
HIGH_REFUSALS = 0.2
# Seconds that a drop may wait: the relay looks every second.
OUTBOX_WARNING, OUTBOX_FAULT = 10, 60
_PROBE = "doctor:probe"


def redis() -> Finding:
    """Whether it lets us in, and if not, why."""
    try:
        store.guarded(lambda: store.client().ping(), always=True)
    except store.StoreDown as error:
        return _refused(error)
    return ok("Redis answers.")


def _refused(error: store.StoreDown) -> Finding:
    cause, said = error.__cause__, str(error)
    if isinstance(cause, AuthenticationError) or any(word in said for word in ("NOAUTH", "WRONGPASS", "AUTH")):
        return fault(
            "Redis refuses the password in REDIS_URL, or wants one and is given none.",
            "Correct the password in REDIS_URL (or REDIS_PASSWORD); the server's own is its requirepass.",
        )
    if isinstance(cause, store.ClusterNode):
        return fault(
            "REDIS_URL names a node of a Redis Cluster: nothing is cached, and every write leaves a row in the outbox.",
            "Let REDIS_URL name a Redis without cluster mode, or a service under Sentinel: docs/scaling.md.",
        )
    if isinstance(cause, BusyLoadingError):
        return fault("Redis is loading its data.", "Wait. Reads go to PostgreSQL meanwhile.")
    if isinstance(cause, TimeoutError):
        return fault(
            "Redis does not answer within REDIS_TIMEOUT.",
            "Look at its load (a slow command: the observatory's list, SLOWLOG GET) and at the network between.",
        )
    return fault(
        "Nothing that is Redis answers where REDIS_URL points.",
        "Start it (`docker compose up -d redis`, or `make up`), or correct REDIS_URL. PostgreSQL serves meanwhile.",
    )


def _info() -> dict[str, Any]:
    return store.server_info()


def version() -> Finding:
    """Whether it knows what the scripts use."""
    text = str(_info()["redis_version"])
    if tuple(int(part) for part in text.split(".")[:2]) < WANTED_VERSION:
        return fault(f"Redis is {text}.", "Upgrade to Redis 7.2 or Valkey 7.2, or later.")
    return ok(f"Redis speaks as version {text}.")


def writes() -> Finding:
    """Whether it takes a write: one key of ours that ends after a second."""

    def write() -> object:
        return store.client().set(_PROBE, 1, px=1000)

    try:
        store.guarded(write, always=True)
    except store.StoreDown as error:
        if "OOM" in str(error) or "maxmemory" in str(error):
            return fault(
                "Redis has reached its maxmemory and takes no write: nothing new is cached, every write owes a drop.",
                "Raise maxmemory, or let it evict: maxmemory-policy allkeys-lru, as in redis/redis.conf.",
            )
        if "READONLY" in str(error) or "read only" in str(error):
            return fault("Redis is a replica and takes no write.", "Let REDIS_URL point at the primary.")
        return fault("Redis takes no write.", f"It said: {error}")
    return ok("Redis takes writes.")


def memory() -> Finding:
    """How near it is to its limit."""
    info = _info()
    used, limit, evicted = info["used_memory"], info["maxmemory"], info["evicted_keys"]
    if not limit:
        return warning(
            "Redis has no maxmemory: it grows until the system ends it.",
            "Set maxmemory, as redis/redis.conf does: start the server with that file.",
        )
    said = f"{used / 2**20:.0f} of {limit / 2**20:.0f} MiB are used, {evicted} keys were evicted."
    if used > MEMORY_WARNING * limit:
        return warning(said, "Raise maxmemory where the hit rate suffers; `manage.py cache_keys` shows what is large.")
    return ok(said)


def policy() -> Finding:
    """What it does at the limit."""
    found = str(_info()["maxmemory_policy"])
    if not found.startswith("allkeys-"):
        return fault(
            f"The maxmemory-policy is {found}: a full Redis refuses writes or keeps what nobody reads.",
            "CONFIG SET maxmemory-policy allkeys-lru, and start the server with redis/redis.conf.",
        )
    return ok(f"A full Redis evicts by {found}.")


def persistence() -> Finding:
    """Whether what it was told survives its restart."""
    info = _info()
    if info.get("rdb_last_bgsave_status") != "ok" or info.get("aof_last_write_status", "ok") != "ok":
        return fault("Redis could not save its data the last time.", "Look at its log, and at the disk under its dir.")
    if not info.get("aof_enabled"):
        return warning(
            "appendonly is off: rate limits and what is written behind are lost at a restart.",
            "CONFIG SET appendonly yes, and start the server with redis/redis.conf.",
        )
    return ok("Redis saves its data.")


def clock() -> Finding:
    """How far its clock is from ours."""
    before = time.time()
    seconds, micros = store.guarded(lambda: store.client().time(), always=True)
    after = time.time()
    return judged("Redis", seconds + micros / 1_000_000 - (before + after) / 2)


def hit_rate() -> Finding:
    """Which family hits too seldom."""
    recent = stats.windows(families.names(), WINDOW_SECONDS)
    low = {
        name: rate
        for name, found in recent.items()
        if found["hits"] + found["misses"] >= ENOUGH_READS
        and (rate := stats.hit_rate(found["hits"], found["misses"])) is not None
        and rate < LOW_HIT_RATE
    }
    if low:
        return warning(
            f"Low in the last quarter of an hour: {', '.join(f'{name} {rate:.0%}' for name, rate in low.items())}.",
            "Longer CACHE_..._TTL, more maxmemory where keys are evicted, or clients that ask for fewer variants.",
        )
    return ok("No family that is read hits seldom.")


def refused_fills() -> Finding:
    """Which family is written faster than it is filled."""
    recent = stats.windows(families.names(), WINDOW_SECONDS)
    high = [
        name
        for name, found in recent.items()
        if found["misses"] >= ENOUGH_READS and found["refused_fills"] > HIGH_REFUSALS * found["misses"]
    ]
    if high:
        return warning(
            f"Many fills came too late to be stored: {', '.join(high)}.",
            "Writes come faster than reads end: look for slow queries, or a client that writes in a loop.",
        )
    return ok("Fills are stored.")


def breaker() -> Finding:
    """Whether processes had to do without it lately."""
    found = stats.window(stats.REDIS, WINDOW_SECONDS)
    if found["opened"]:
        return warning(
            f"Breakers opened {found['opened']} times in a quarter of an hour, {found['timeouts']} calls timed out.",
            "Look at Redis' slow log and load, at the network between, and whether it was restarted.",
        )
    return ok("No process had to do without Redis lately.")


def waiting() -> Finding:
    """Whether drops wait for it."""
    oldest = outbox.oldest()
    if oldest is None:
        return ok("No drop waits.")
    waited = (timezone.now() - oldest).total_seconds()
    said = f"{outbox.depth()} rows wait, the oldest for {waited:.0f} s."
    mend = "A running API or worker takes them as soon as Redis answers: start one, or look at why it does not."
    judge: Callable[[str, str], Finding] = fault if waited > OUTBOX_FAULT else warning
    return judge(said, mend) if waited > OUTBOX_WARNING else ok(said)
