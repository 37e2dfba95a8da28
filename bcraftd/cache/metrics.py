"""The cache for Prometheus: the sums over all processes that stand in Redis, and what Redis and the outbox say now.

Two round trips to Redis and three short queries to PostgreSQL, however much is cached. What cannot be asked for is
left out: a gap in a counter is honest, and a counter that falls to 0 would read as a restart.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from django.db import Error
from django.utils import timezone
from prometheus_client import CollectorRegistry, Gauge, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from bcraftd.cache import breaker, families, outbox, stats, store

Sums = Mapping[str, Mapping[str, int]]

# Metric, count, divisor, help.
BY_FAMILY = (
    ("bcraftd_cache_hits_total", "hits", 1, "Reads answered from Redis."),
    ("bcraftd_cache_misses_total", "misses", 1, "Reads answered from PostgreSQL, of which each tried to fill."),
    ("bcraftd_cache_bypasses_total", "bypasses", 1, "Reads answered from PostgreSQL that did not try to fill."),
    ("bcraftd_cache_refused_fills_total", "refused_fills", 1, "Fills that came too late and were not stored."),
    ("bcraftd_cache_waits_total", "waits", 1, "Reads that waited for another one's fill."),
    ("bcraftd_cache_invalidations_total", "invalidations", 1, "Keys and generations that writes made stale."),
    ("bcraftd_cache_fill_seconds_total", "fill_us", 1_000_000, "Time that misses spent reading PostgreSQL."),
)
OF_REDIS = (
    ("bcraftd_redis_failures_total", "failures", "Calls that Redis refused or lost."),
    ("bcraftd_redis_timeouts_total", "timeouts", "Calls that Redis did not answer in time."),
    ("bcraftd_breaker_opened_total", "opened", "Times that a process stopped asking Redis."),
    ("bcraftd_writes_not_fenced_total", "not_fenced", "Writes that committed without a fence in Redis."),
    ("bcraftd_outbox_replayed_total", "replayed", "Drops that Redis took later, from the outbox."),
)
# Metric, name in Redis's INFO, help.
REDIS_GAUGES = (
    ("bcraftd_redis_memory_bytes", "used_memory", "Memory that Redis uses."),
    (
        "bcraftd_redis_memory_max_bytes",
        "maxmemory",
        "Memory at which Redis begins to evict; 0 where there is no limit.",
    ),
    ("bcraftd_redis_clients", "connected_clients", "Connections to Redis."),
    ("bcraftd_redis_uptime_seconds", "uptime_in_seconds", "How long Redis has been running."),
)
REDIS_COUNTERS = (
    ("bcraftd_redis_commands_total", "total_commands_processed", "Commands that Redis ran."),
    ("bcraftd_redis_evicted_keys_total", "evicted_keys", "Keys that Redis gave up for want of memory."),
    ("bcraftd_redis_expired_keys_total", "expired_keys", "Keys whose time was over."),
)

# Each process has a breaker of its own, and whichever is scraped adds those up that live.
OPEN = Gauge("bcraftd_breaker_open", "Processes that go without Redis just now.", multiprocess_mode="livesum")
OPEN.set(store.breaker.is_open)
breaker.switched.append(OPEN.set)


def render() -> bytes:
    """The cache's metrics in Prometheus' text format. Neither server being away raises."""
    return generate_latest(_registry)


class CacheCollector(Collector):
    """Asks anew at each scrape."""

    def collect(self) -> Iterator[Metric]:
        sums = _sums()
        yield GaugeMetricFamily("bcraftd_cache_up", "Whether Redis answered this scrape.", value=int(sums is not None))
        yield from _waiting()
        if sums is not None:
            yield from _counters(sums)
            yield from _server()


def _waiting() -> Iterator[Metric]:
    """The outbox; nothing where PostgreSQL does not answer."""
    try:
        depths, oldest = families.outbox_depths(), outbox.oldest()
    except Error:
        return
    if depths is None:
        return
    yield _by_family(GaugeMetricFamily, "bcraftd_outbox_depth", "Drops that wait for Redis.", depths)
    age = max(0.0, (timezone.now() - oldest).total_seconds()) if oldest else 0
    text = "How long the oldest drop has waited for Redis; 0 where none waits."
    yield GaugeMetricFamily("bcraftd_outbox_oldest_seconds", text, value=age)


def _sums() -> Sums | None:
    try:
        return stats.totals([*families.names(), stats.REDIS])
    except store.StoreDown:
        return None


def _counters(sums: Sums) -> Iterator[Metric]:
    names = families.names()
    for metric, count, divisor, text in BY_FAMILY:
        values = {family: sums[family][count] / divisor for family in names}
        yield _by_family(CounterMetricFamily, metric, text, values)
    for metric, count, text in OF_REDIS:
        yield CounterMetricFamily(metric, text, value=sums[stats.REDIS][count])


def _server() -> Iterator[Metric]:
    """What Redis says of itself; nothing where it went away since the sums."""
    try:
        info: Mapping[str, Any] = store.server_info()
    except store.StoreDown:
        return
    for metric, name, text in REDIS_GAUGES:
        yield GaugeMetricFamily(metric, text, value=info[name])
    for metric, name, text in REDIS_COUNTERS:
        yield CounterMetricFamily(metric, text, value=info[name])


def _by_family(
    kind: "Callable[..., CounterMetricFamily | GaugeMetricFamily]", name: str, text: str, values: Mapping[str, float]
) -> Metric:
    metric = kind(name, text, labels=["family"])
    for family, value in values.items():
        metric.add_metric([family], value)
    return metric


_registry = CollectorRegistry()
_registry.register(CacheCollector())
