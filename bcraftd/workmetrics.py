"""The worker for Prometheus: its queue, its schedules, and how old the leaderboard is.

Three short queries, whichever process is scraped: the worker itself is asked for nothing, so that a dead one shows.
Where PostgreSQL is away there is nothing to say.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from django.db import Error, connection
from django.db.models import Count, Min, Q
from django.utils import timezone
from django_q.models import OrmQ, Schedule
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from leaderboard import selectors

# Of every schedule: when it last succeeded, how long that took from being queued to being done, and how often it has
# failed since. The table holds what django-q2 keeps (settings.Q_CLUSTER), and a task's group is its schedule's name.
_RUNS = """
    WITH good AS (
        SELECT DISTINCT ON ("group") "group" AS schedule, stopped, extract(epoch FROM stopped - started) AS seconds
        FROM django_q_task WHERE success AND "group" IS NOT NULL ORDER BY "group", stopped DESC
    )
    SELECT schedule.name, good.stopped, good.seconds,
           (SELECT count(*) FROM django_q_task task WHERE task."group" = schedule.name AND NOT task.success
            AND task.stopped > coalesce(good.stopped, '-infinity'))
    FROM django_q_schedule schedule LEFT JOIN good ON good.schedule = schedule.name
"""


def render() -> bytes:
    """The worker's metrics in Prometheus' text format. PostgreSQL being away raises nothing."""
    return generate_latest(_registry)


class WorkCollector(Collector):
    """Asks anew at each scrape."""

    def collect(self) -> Iterator[Metric]:
        try:
            yield from [*_queue(), *_plans(), *_runs(), *_leaderboard()]
        except Error:
            return


def _queue() -> Iterator[Metric]:
    """A task is locked while a worker has it; before, its lock is when it was queued."""
    now = timezone.now()
    free = Q(lock__lte=now)
    found = OrmQ.objects.aggregate(
        waiting=Count("pk", filter=free), running=Count("pk", filter=~free), oldest=Min("lock", filter=free)
    )
    states = {state: found[state] for state in ("waiting", "running")}
    yield _family("bcraftd_queue_tasks", "Tasks in the queue.", "state", states)
    age = _age(found["oldest"], now)
    yield GaugeMetricFamily("bcraftd_queue_oldest_seconds", "How long the oldest task has waited.", value=age)


def _plans() -> Iterator[Metric]:
    """What is due when. A schedule that an operator paused is never overdue."""
    now = timezone.now()
    schedules = list(Schedule.objects.filter(name__isnull=False).order_by("pk"))
    late = {each.name: 0.0 if each.repeats == 0 else _age(each.next_run, now) for each in schedules}
    paused = {each.name: int(each.repeats == 0) for each in schedules}
    every = {each.name: each.minutes * 60 for each in schedules if each.schedule_type == Schedule.MINUTES}
    yield _schedules("overdue_seconds", "How long ago it should have been queued; 0 where it is not due.", late)
    yield _schedules("paused", "Whether an operator has paused it.", paused)
    yield _schedules("interval_seconds", "How often it runs.", every)


def _runs() -> Iterator[Metric]:
    with connection.cursor() as cursor:
        cursor.execute(_RUNS)
        rows = cursor.fetchall()
    done = {name: stopped.timestamp() for name, stopped, _, _ in rows if stopped}
    took = {name: float(seconds) for name, _, seconds, _ in rows if seconds is not None}
    failed = {name: failures for name, _, _, failures in rows if name}
    yield _schedules("last_success_timestamp_seconds", "When it last succeeded.", done)
    yield _schedules("last_run_seconds", "From being queued to being done, the last time it succeeded.", took)
    yield _schedules("failures", "Runs that have failed since it last succeeded.", failed)


def _leaderboard() -> Iterator[Metric]:
    as_of = selectors.board_as_of()
    if as_of is not None:
        text = "When the leaderboard was last refreshed."
        yield GaugeMetricFamily("bcraftd_leaderboard_timestamp_seconds", text, value=as_of.timestamp())


def _age(moment: datetime | None, now: datetime) -> float:
    return max(0.0, (now - moment).total_seconds()) if moment else 0.0


def _schedules(name: str, text: str, values: Mapping[str, float]) -> Metric:
    return _family(f"bcraftd_schedule_{name}", text, "schedule", values)


def _family(name: str, text: str, label: str, values: Mapping[str, Any]) -> Metric:
    metric = GaugeMetricFamily(name, text, labels=[label])
    for value, number in values.items():
        metric.add_metric([value], number)
    return metric


_registry = CollectorRegistry()
_registry.register(WorkCollector())
