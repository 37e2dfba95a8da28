"""/metrics: the queue, the schedules, the leaderboard, PostgreSQL and the build, asked anew at each scrape."""

import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.db import close_old_connections, connection
from django.utils import timezone
from django_q.models import OrmQ, Schedule, Task

from bcraftd import servermetrics, workmetrics
from bcraftd.schedules import declared
from leaderboard.services import leaderboard_refresh
from tests.scrapes import Samples, labels, samples, total
from tests.servers import postgres_restart
from tests.support import Api, queries

EXPIRED = "accounts: expired sessions"
AUDIT = "economy: audit"


def work() -> Samples:
    return samples(workmetrics.render().decode())


def server() -> Samples:
    return samples(servermetrics.render().decode())


def of(name: str, schedule: str) -> float:
    return total(work(), f"bcraftd_schedule_{name}", schedule=schedule)


def ran(schedule: str, *, minutes_ago: float, success: bool = True, seconds: float = 2) -> None:
    """A run as django-q2 keeps it."""
    stopped = timezone.now() - timedelta(minutes=minutes_ago)
    Task.objects.create(
        id=uuid.uuid4().hex, name="x", func="x", group=schedule, started=stopped - timedelta(seconds=seconds),
        stopped=stopped, success=success, result="",
    )  # fmt: skip


def test_all_of_it_is_in_a_scrape(api: Api) -> None:
    found = samples(api.get("/metrics").content.decode())

    assert set(work()) - set(found) == set()
    assert set(server()) - set(found) == set()


# --- The queue --------------------------------------------------------------------------------------------


def test_the_queue_says_what_waits_and_how_long(world: None) -> None:
    assert total(work(), "bcraftd_queue_oldest_seconds") == 0
    now = timezone.now()
    for lock in (now - timedelta(minutes=5), now - timedelta(minutes=1), now + timedelta(minutes=3)):
        OrmQ.objects.create(key="bcraftd", payload="x", lock=lock)

    found = work()

    assert total(found, "bcraftd_queue_tasks", state="waiting") == 2
    assert total(found, "bcraftd_queue_tasks", state="running") == 1
    assert 300 <= total(found, "bcraftd_queue_oldest_seconds") < 360


# --- Schedules --------------------------------------------------------------------------------------------


def test_every_schedule_says_when_it_is_due_and_how_often(world: None) -> None:
    found = work()

    assert labels(found, "bcraftd_schedule_overdue_seconds", "schedule") == {each.name for each in declared()}
    for each in declared():
        assert total(found, "bcraftd_schedule_interval_seconds", schedule=each.name) == each.minutes * 60
        assert total(found, "bcraftd_schedule_failures", schedule=each.name) == 0
    assert labels(found, "bcraftd_schedule_last_success_timestamp_seconds", "schedule") == set(), "none has run yet"


def test_one_that_nobody_ran_is_overdue_and_a_paused_one_is_not(world: None) -> None:
    Schedule.objects.update(next_run=timezone.now() - timedelta(minutes=10))
    Schedule.objects.filter(name=AUDIT).update(repeats=0)

    assert 600 <= of("overdue_seconds", EXPIRED) < 660
    assert (of("overdue_seconds", AUDIT), of("paused", AUDIT), of("paused", EXPIRED)) == (0, 1, 0)


def test_the_last_success_counts_and_failures_since_then(world: None) -> None:
    for minutes in (50, 40):
        ran(EXPIRED, minutes_ago=minutes, seconds=minutes)
    ran(EXPIRED, minutes_ago=45, success=False)
    ran(EXPIRED, minutes_ago=20, success=False)
    ran(EXPIRED, minutes_ago=10, success=False)
    ran(AUDIT, minutes_ago=1, success=False)

    age = timezone.now().timestamp() - of("last_success_timestamp_seconds", EXPIRED)
    assert 2400 <= age < 2460
    assert of("last_run_seconds", EXPIRED) == pytest.approx(40)
    assert (of("failures", EXPIRED), of("failures", AUDIT)) == (2, 1)
    assert of("last_success_timestamp_seconds", AUDIT) == 0, "there is none"

    ran(EXPIRED, minutes_ago=0)
    assert of("failures", EXPIRED) == 0


def test_what_runs_often_does_not_push_out_the_last_run_of_what_runs_seldom(world: None) -> None:
    from django_q.conf import Conf
    from django_q.monitor import save_task

    ran(AUDIT, minutes_ago=60)
    for _ in range(Conf.SAVE_LIMIT):
        ran(EXPIRED, minutes_ago=30)
    now = timezone.now()
    task: dict[str, Any] = {
        "id": uuid.uuid4().hex, "name": "x", "func": "x", "args": (), "kwargs": {}, "group": EXPIRED, "started": now,
        "stopped": now, "success": True, "result": None, "sync": True,
    }  # fmt: skip
    save_task(task, broker=None)

    assert Task.objects.filter(group=EXPIRED).count() == Conf.SAVE_LIMIT, "its own oldest one went"
    assert Task.objects.filter(group=AUDIT).count() == 1


# --- The leaderboard --------------------------------------------------------------------------------------


def test_the_leaderboard_says_when_it_was_refreshed(ada: Api) -> None:
    name = "bcraftd_leaderboard_timestamp_seconds"
    assert total(work(), name) == 0

    refreshed = leaderboard_refresh(wait=True)

    assert refreshed is not None
    assert refreshed.as_of is not None
    assert total(work(), name) == pytest.approx(refreshed.as_of.timestamp(), abs=0.001)


# --- PostgreSQL and the build -----------------------------------------------------------------------------


def test_the_build_names_its_version(world: None) -> None:
    (build,) = [dict(theirs) for name, theirs in server() if name == "bcraftd_build_info"]
    assert set(build) == {"version", "python", "django"}
    assert build["version"] == "0.1.0"


def test_postgresql_counts_what_was_done(ada: Api) -> None:
    found = server()

    assert total(found, "bcraftd_database_up") == 1
    assert total(found, "bcraftd_postgresql_database_bytes") > 1_000_000
    assert total(found, "bcraftd_postgresql_transactions_total", outcome="committed") > 0
    # The scrape itself is one.
    assert total(found, "bcraftd_postgresql_connections", state="active") >= 1
    assert total(found, "bcraftd_postgresql_connections_max") >= 100


def test_a_transaction_that_stays_open_shows(world: None) -> None:
    other = connection.copy()
    try:
        with other.cursor() as cursor:
            cursor.execute("BEGIN; SELECT pg_sleep(0.2)")
        found = server()
    finally:
        other.close()

    assert total(found, "bcraftd_postgresql_oldest_transaction_seconds") >= 0.2
    assert total(found, "bcraftd_postgresql_connections", state="idle in transaction") == 1


def test_a_scrape_asks_few_queries_and_counts_no_table_of_the_game(ada: Api) -> None:
    with queries() as asked:
        assert ada.get("/metrics").status_code == 200
    # Those of backups have a test of their own.
    seen = [sql for sql in asked if "bcraftd_backup" not in sql]

    # Two of PostgreSQL, three of the outbox, four of the worker (queue, schedules, runs, leaderboard), one audit.
    assert len(seen) == 10, seen
    counting = [sql for sql in seen if "count(" in sql.lower() or "sum(" in sql.lower()]
    assert counting
    for sql in counting:
        assert not any(f'"{app}_' in sql or f" {app}_" in sql for app in ("accounts", "inventory", "market")), sql


def test_without_postgresql_it_is_said_and_the_rest_is_left_out(world: None) -> None:
    postgres_restart()
    try:
        without, also = server(), work()
    finally:
        # What each request begins with, outside of a test.
        close_old_connections()

    assert {name for name, _ in without} == {"bcraftd_build_info", "bcraftd_database_up"}
    assert total(without, "bcraftd_database_up") == 0
    assert also == {}
    assert total(server(), "bcraftd_database_up") == 1
