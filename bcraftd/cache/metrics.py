"""The cache for Prometheus: the sums over all processes that stand in Redis, and what this process finds just now.

One round trip to Redis and the outbox's queries to PostgreSQL, however much is cached. What cannot be asked for is
left out: a gap in a counter is honest, and a counter that falls to 0 would read as a restart.
"""

from collections.abc import Callable, Iterator, Mapping

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from bcraftd.cache import families, stats, store

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


def render() -> bytes:
    """The cache's metrics in Prometheus' text format. Neither server being away raises."""
    return generate_latest(_registry)


class CacheCollector(Collector):
    """Asks anew at each scrape."""

    def collect(self) -> Iterator[Metric]:
        sums = _sums()
        yield _gauge("bcraftd_cache_up", "Whether Redis answered this scrape.", sums is not None)
        yield _gauge("bcraftd_breaker_open", "Whether the scraped process goes without Redis.", store.breaker.is_open)
        depths = families.outbox_depths()
        if depths is not None:
            yield _by_family(GaugeMetricFamily, "bcraftd_outbox_depth", "Drops that wait for Redis.", depths)
        if sums is not None:
            yield from _counters(sums)


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


def _gauge(name: str, text: str, value: bool) -> Metric:
    return GaugeMetricFamily(name, text, value=int(value))


def _by_family(
    kind: "Callable[..., CounterMetricFamily | GaugeMetricFamily]", name: str, text: str, values: Mapping[str, float]
) -> Metric:
    metric = kind(name, text, labels=["family"])
    for family, value in values.items():
        metric.add_metric([family], value)
    return metric


_registry = CollectorRegistry()
_registry.register(CacheCollector())
