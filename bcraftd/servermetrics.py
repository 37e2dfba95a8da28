"""Which build serves, and its PostgreSQL, for Prometheus: what the server keeps of itself, so that nothing is counted.

Figures of PostgreSQL are those of the database that DATABASE_URL names. Where it does not answer they are left out, and
`bcraftd_database_up` is 0.
"""

import platform
from collections.abc import Iterator, Mapping
from typing import Any

import django
from django.conf import settings
from django.db import Error, connection
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector

# One row, from the server's own counters.
_DATABASE = """
    SELECT xact_commit AS committed, xact_rollback AS rolled_back, blks_hit AS memory, blks_read AS disk,
           deadlocks, temp_bytes, pg_database_size(datname) AS bytes,
           current_setting('max_connections')::int AS connections_max
    FROM pg_stat_database WHERE datname = current_database()
"""
# Our own connections; one to another database of the server is not ours to show.
_CONNECTIONS = """
    SELECT coalesce(state, 'unknown') AS state, count(*) AS number,
           coalesce(extract(epoch FROM max(clock_timestamp() - xact_start)), 0) AS oldest
    FROM pg_stat_activity WHERE datname = current_database() AND backend_type = 'client backend' GROUP BY 1
"""
# What PostgreSQL may call a connection's state; a new one of a later version is shown beside them.
STATES = ("active", "idle", "idle in transaction", "idle in transaction (aborted)", "unknown")


def render() -> bytes:
    """The build's and the database's metrics in Prometheus' text format. PostgreSQL being away raises nothing."""
    return generate_latest(_registry)


class ServerCollector(Collector):
    """Asks anew at each scrape."""

    def collect(self) -> Iterator[Metric]:
        yield _build()
        try:
            found = [*_database(_asked(_DATABASE)[0]), *_connections(_asked(_CONNECTIONS))]
        except Error:
            found = []
        text = "Whether PostgreSQL answered this scrape."
        yield GaugeMetricFamily("bcraftd_database_up", text, value=int(bool(found)))
        yield from found


def _build() -> Metric:
    parts = {
        "version": str(settings.SPECTACULAR_SETTINGS["VERSION"]),
        "python": platform.python_version(),
        "django": django.get_version(),
    }
    return InfoMetricFamily("bcraftd_build", "What serves.", value=parts)


def _asked(sql: str) -> list[dict[str, Any]]:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        names = [column.name for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def _database(row: Mapping[str, Any]) -> Iterator[Metric]:
    for name, label, values, text in (
        ("transactions_total", "outcome", ("committed", "rolled_back"), "Transactions that ended."),
        ("blocks_total", "source", ("memory", "disk"), "Blocks that were read: from PostgreSQL's memory or from disk."),
    ):
        metric = CounterMetricFamily(f"bcraftd_postgresql_{name}", text, labels=[label])
        for value in values:
            metric.add_metric([value], row[value])
        yield metric
    yield CounterMetricFamily("bcraftd_postgresql_deadlocks_total", "Deadlocks.", value=row["deadlocks"])
    text = "Bytes that queries wrote to temporary files."
    yield CounterMetricFamily("bcraftd_postgresql_temp_bytes_total", text, value=row["temp_bytes"])
    yield GaugeMetricFamily("bcraftd_postgresql_database_bytes", "The database's size on disk.", value=row["bytes"])
    text = "Connections that PostgreSQL allows."
    yield GaugeMetricFamily("bcraftd_postgresql_connections_max", text, value=row["connections_max"])


def _connections(rows: list[dict[str, Any]]) -> Iterator[Metric]:
    metric = GaugeMetricFamily("bcraftd_postgresql_connections", "Connections to the database.", labels=["state"])
    for state, number in {**dict.fromkeys(STATES, 0), **{row["state"]: row["number"] for row in rows}}.items():
        metric.add_metric([state], number)
    yield metric
    text = "Age of the oldest transaction that is open."
    oldest = max((float(row["oldest"]) for row in rows), default=0.0)
    yield GaugeMetricFamily("bcraftd_postgresql_oldest_transaction_seconds", text, value=oldest)


_registry = CollectorRegistry()
_registry.register(ServerCollector())
