"""manage.py doctor: each thing is broken for real, and the doctor names it. Redis has a file of its own.

Servers that must not break for the tests beside are started here; the shared ones are only asked, or filled.
"""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from django.db import connection
from django.utils import timezone
from django_q.models import OrmQ, Schedule, Task

from bcraftd import doctor, economy
from bcraftd.cache import store
from bcraftd.doctor import work
from bcraftd.doctor.table import CHECKS
from bcraftd.embedded.postgres import PostgresServer
from bcraftd.embedded.process import Child, Deadline
from bcraftd.models import EconomyAudit
from inventory.models import Resource
from leaderboard.services import leaderboard_refresh
from tests.doctoring import SECRET, Report, with_password
from tests.programs import ROOT, environment, manage
from tests.servers import SETTINGS
from tests.support import Api


@contextmanager
def worker(folder: Path) -> Iterator[Child]:
    """A real qcluster on the test's database."""
    child = Child(
        "the worker under test", [ROOT / ".venv/bin/python", "manage.py", "qcluster"],
        log=folder / "worker.log", cwd=ROOT, env=environment(),
    )  # fmt: skip
    child.start()
    try:
        for _ in Deadline(60).ticks(0.2):
            if list(store.scan("django_q:*:cluster:*")):
                break
            assert child.running, child.tail()
        yield child
    finally:
        child.stop()


@pytest.fixture
def postgres_of_its_own(folder: Path) -> Iterator[PostgresServer]:
    server = PostgresServer(folder / "postgres", durable=False)
    server.start()
    yield server
    server.stop()


# --- Well and ill -----------------------------------------------------------------------------------------


def test_a_whole_world_with_a_worker_is_green_and_its_death_is_noticed(ada: Api, folder: Path) -> None:
    with worker(folder) as running:
        for _ in Deadline(30).ticks(0.5):
            if Report().checks["worker"]["status"] == "ok":
                break
        report = Report()
        assert (report.faults(), report.warnings()) == (set(), set())
        assert (report.ok, report.status) == (True, 0)
        assert list(report.checks) == [check.name for check in CHECKS]

        running.stop()

    for _ in Deadline(30).ticks(1):
        if Report().faults() == {"worker"}:
            break
    report = Report()
    assert report.faults() == {"worker"}
    assert "qcluster" in report.says("worker")


def test_for_people_there_is_a_table(world: None) -> None:
    ran = manage("doctor")

    assert ran.returncode == 1
    assert "No worker runs" in ran.stdout
    assert "→ Start one" in ran.stdout
    assert "Faults: 1." in ran.stderr


# --- PostgreSQL -------------------------------------------------------------------------------------------


def test_postgresql_stopped_wrong_password_and_no_such_database(
    world: None, postgres_of_its_own: PostgresServer
) -> None:
    url = postgres_of_its_own.url
    wrong = Report(DATABASE_URL=with_password(url, SECRET))
    missing = Report(DATABASE_URL=urlsplit(url)._replace(path="/elsewhere").geturl())
    empty = Report(DATABASE_URL=url)
    postgres_of_its_own.stop()
    stopped = Report(DATABASE_URL=url)

    assert (
        wrong.faults() - {"worker"} == missing.faults() - {"worker"} == stopped.faults() - {"worker"} == {"postgresql"}
    )
    assert "refuses the password" in wrong.says("postgresql")
    assert SECRET not in wrong.text
    assert "does not exist" in missing.says("postgresql")
    assert "Nothing listens" in stopped.says("postgresql")
    assert str(urlsplit(url).password) not in stopped.text
    assert "migrations" in empty.faults()
    assert "manage.py migrate" in empty.says("migrations")
    assert empty.checks["catalogue"]["detail"].startswith(doctor.NOT_MADE)


def test_a_migration_is_missing(world: None) -> None:
    with connection.cursor() as cursor:
        newest = "SELECT max(id) FROM django_migrations WHERE app = 'bcraftd'"
        cursor.execute(f"DELETE FROM django_migrations WHERE id = ({newest}) RETURNING *")
        row = cursor.fetchone()
        try:
            report = Report()
        finally:
            cursor.execute("INSERT INTO django_migrations VALUES (%s, %s, %s, %s)", row)

    assert "migrations" in report.faults()
    assert f"bcraftd.{row[2]}" in report.says("migrations")


def test_nothing_was_seeded(world: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        cursor.execute("DELETE FROM environment_weather")
        cursor.execute("SET session_replication_role = origin")

    report = Report()

    assert "catalogue" in report.faults()
    assert "manage.py seed" in report.says("catalogue")
    assert Resource.objects.exists()


SHIFTED = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <time.h>
/* The clock of this process goes ten seconds behind. */
int clock_gettime(clockid_t which, struct timespec *now) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
    int failed = real(which, now);
    if (!failed && which == CLOCK_REALTIME) now->tv_sec -= 10;
    return failed;
}
"""


def test_this_hosts_clock_is_wrong(world: None, tmp_path: Path) -> None:
    (tmp_path / "shift.c").write_text(SHIFTED)
    shift = tmp_path / "shift.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-o", shift, tmp_path / "shift.c", "-ldl"], check=True, timeout=60)

    report = Report(LD_PRELOAD=str(shift))

    assert {"postgresql clock", "redis clock"} <= report.faults()
    assert "10.0 s ahead of this host's" in report.says("postgresql clock")
    assert "NTP" in report.says("redis clock")
    assert {"postgresql clock", "redis clock"} & Report().faults() == set()


# --- Work -------------------------------------------------------------------------------------------------


def test_a_schedule_is_overdue_paused_or_missing(world: None) -> None:
    name = "leaderboard: refresh"
    Schedule.objects.filter(name=name).update(next_run=timezone.now() - timedelta(minutes=10))
    assert name in Report().says("schedules")
    assert "schedules" in Report().faults()

    Schedule.objects.filter(name=name).update(next_run=timezone.now() + timedelta(minutes=10), repeats=0)
    assert "Paused: leaderboard: refresh" in Report().says("schedules")
    assert "schedules" in Report().warnings()

    Schedule.objects.filter(name=name).delete()
    report = Report()
    assert "Missing: leaderboard: refresh" in report.says("schedules")
    assert "manage.py migrate" in report.says("schedules")


def test_a_task_failed(world: None) -> None:
    task = Task.objects.create(
        id="a" * 32, name="a run", func="leaderboard.tasks.refresh", success=False, result=f"error {SECRET}",
        started=timezone.now(), stopped=timezone.now(),
    )  # fmt: skip
    Schedule.objects.filter(name="leaderboard: refresh").update(task=task.id)

    report = Report()

    assert "tasks" in report.faults()
    assert "leaderboard.tasks.refresh" in report.says("tasks")
    assert SECRET not in report.text


def test_tasks_pile_up(world: None) -> None:
    OrmQ.objects.bulk_create(OrmQ(key="bcraftd", payload="x", lock=timezone.now()) for _ in range(101))

    assert "101 tasks wait" in Report().says("queue")
    assert "queue" in Report().warnings()


def test_the_economy_has_a_problem_or_was_not_audited_for_long(ada: Api) -> None:
    economy.record(economy.audit())
    EconomyAudit.objects.update(started_at=timezone.now() - timedelta(hours=3))
    assert "economy" in Report().warnings()

    with connection.cursor() as cursor:
        cursor.execute("UPDATE accounts_player SET coins = coins + 1 WHERE id = %s", [ada.id])
    economy.record(economy.audit())

    report = Report()
    assert "economy" in report.faults()
    assert f"player {ada.id}" in report.says("economy")
    assert "manage.py economy_audit" in report.says("economy")


def test_the_leaderboard_is_old(ada: Api) -> None:

    leaderboard_refresh(wait=True)
    with connection.cursor() as cursor:
        cursor.execute("SELECT as_of FROM mv_leaderboard LIMIT 1")
        as_of = cursor.fetchone()[0]

    assert work.leaderboard().status == "ok"
    old, work.BOARD_OLD = work.BOARD_OLD, timedelta(0)
    try:
        found = work.leaderboard()
    finally:
        work.BOARD_OLD = old
    assert found.status == "warning"
    assert f"{as_of:%Y-%m-%d %H:%M}" in found.detail


# --- Settings ---------------------------------------------------------------------------------------------


def test_settings_that_would_refuse_the_start(world: None) -> None:
    report = Report(SECRET_KEY="short", JWT_SIGNING_KEY=SETTINGS["JWT_SIGNING_KEY"])

    assert "settings" in report.faults()
    assert "bcraftd.E001" in report.says("settings")


def test_settings_for_developers(world: None) -> None:
    assert "CACHE_ENABLED is false" in Report(CACHE_ENABLED="false").says("settings")
    assert "settings" in Report(CACHE_ENABLED="false").warnings()
