"""Backups for Prometheus: how the newest run went, and when the newest good one was.

Two queries over a short table. Where no backup was ever made there is nothing to say: the alert fires on absence too.
"""

from collections.abc import Iterator

from django.db import Error
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from bcraftd.models import BackupRun


def render() -> bytes:
    """The backups' metrics in Prometheus' text format. PostgreSQL being away raises nothing."""
    return generate_latest(_registry)


class BackupCollector(Collector):
    """Asks anew at each scrape."""

    def collect(self) -> Iterator[Metric]:
        try:
            newest = BackupRun.objects.order_by("-pk").first()
            good = BackupRun.objects.filter(ok=True).order_by("-pk").first()
        except Error:
            return
        if newest is not None:
            yield GaugeMetricFamily("bcraftd_backup_ok", "Whether the newest backup was made.", value=int(newest.ok))
        if good is not None:
            moment = good.started_at.timestamp()
            yield GaugeMetricFamily("bcraftd_backup_timestamp_seconds", "When the newest good one began.", value=moment)
            yield GaugeMetricFamily("bcraftd_backup_bytes", "What the newest good one takes.", value=good.bytes)
            yield GaugeMetricFamily("bcraftd_backup_seconds", "How long the newest good one took.", value=good.seconds)


_registry = CollectorRegistry()
_registry.register(BackupCollector())
