"""The economy for Prometheus: what the newest audit found, and how old it is.

One query, whatever the size of the world. Where no audit was made, or PostgreSQL is away, there is nothing to say: an
alert on the audit's age has to fire on its absence too.
"""

from collections.abc import Iterator
from typing import Any

from django.db import Error
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from bcraftd import economy
from bcraftd.models import EconomyAudit


def render() -> bytes:
    """The economy's metrics in Prometheus' text format. PostgreSQL being away raises nothing."""
    return generate_latest(_registry)


class EconomyCollector(Collector):
    """Asks anew at each scrape."""

    def collect(self) -> Iterator[Metric]:
        newest = _newest()
        if newest is not None:
            yield _problems(newest.totals)
            yield from _figures(newest)


def _newest() -> EconomyAudit | None:
    try:
        return EconomyAudit.objects.defer("problems").order_by("-pk").first()
    except Error:
        return None


def _problems(totals: dict[str, Any]) -> Metric:
    """Every kind from the first audit on, so that an alert has a 0 to rise from."""
    metric = GaugeMetricFamily("bcraftd_economy_problems", "Rows that the newest audit found bad.", labels=["kind"])
    for kind in dict.fromkeys([*(check.kind for check in economy.declared()), *totals["problems"]]):
        metric.add_metric([kind], totals["problems"].get(kind, 0))
    return metric


def _figures(newest: EconomyAudit) -> Iterator[Metric]:
    yield _gauge("audit_seconds", "How long the newest audit took.", newest.seconds)
    yield _gauge("audit_timestamp_seconds", "When the newest audit began.", newest.started_at.timestamp())
    for name, value in newest.totals.items():
        if name != "problems":
            yield _gauge(name, f"{name.replace('_', ' ').capitalize()}, as of the newest audit.", value)


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(f"bcraftd_economy_{name}", text, value=value)


_registry = CollectorRegistry()
_registry.register(EconomyCollector())
