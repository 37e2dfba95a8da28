"""manage.py doctor: each thing is broken for real, and the doctor names it.

Servers that must not break for the tests beside are started here; the shared ones are only asked, or filled.
"""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.db import connection
from django.utils import timezone
from django_q.models import OrmQ, Schedule, Task

from bcraftd import doctor, economy
from bcraftd.cache import background, stats, store
from bcraftd.doctor.table import CHECKS
from bcraftd.embedded.postgres import PostgresServer
from bcraftd.embedded.process import Child, Deadline
from bcraftd.embedded.valkey import ValkeyServer
from bcraftd.models import EconomyAudit, OutboxRow
from inventory.models import Resource
from tests.programs import ROOT, environment, manage
from tests.servers import SETTINGS
from tests.support import Api

SECRET = "a-secret-that-nobody-may-read"


class Report:
    """What one run of the command said."""

    def __init__(self, **settings: str) -> None:
        ran = manage("doctor", "--json", **settings)
        assert ran.stdout, ran.stderr
        self.status = ran.returncode
        self.text = ran.stdout + ran.stderr
        self.ok: bool = json.loads(ran.stdout)["ok"]
        self.checks = {row["name"]: row for row in json.loads(ran.stdout)["checks"]}
        assert self.status == (0 if self.ok else 1)

    def faults(self) -> set[str]:
        return {name for name, row in self.checks.items() if row["status"] == "fault"}

    def warnings(self) -> set[str]:
        """Those of its own, without what could not be looked at."""
        return {
            name
            for name, row in self.checks.items()
            if row["status"] == "warning" and not row["detail"].startswith(doctor.NOT_MADE)
        }

    def says(self, name: str) -> str:
        return f"{self.checks[name]['detail']} {self.checks[name]['mend']}"


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
def redis_of_its_own(tmp_path: Path) -> Iterator[ValkeyServer]:
    server = ValkeyServer(tmp_path / "redis")
    server.start()
    yield server
    server.stop()


@pytest.fixture
def postgres_of_its_own(folder: Path) -> Iterator[PostgresServer]:
    server = PostgresServer(folder / "postgres", durable=False)
    server.start()
    yield server
    server.stop()


def with_password(url: str, password: str) -> str:
    parts = urlsplit(url)
    user = parts.username or ""
    return parts._replace(netloc=f"{user}:{password}@{parts.hostname}:{parts.port}").geturl()


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


# --- Redis ------------------------------------------------------------------------------------------------


def test_redis_stopped(world: None, redis_of_its_own: ValkeyServer) -> None:
    redis_of_its_own.stop()

    report = Report(REDIS_URL=redis_of_its_own.url)

    assert report.faults() == {"redis"}
    assert "docker compose up -d redis" in report.says("redis")
    assert report.checks["worker"]["detail"].startswith(doctor.NOT_MADE)
    assert str(urlsplit(redis_of_its_own.url).password) not in report.text


@pytest.mark.parametrize("password", [SECRET, ""])
def test_redis_password_wrong_or_missing(world: None, redis_of_its_own: ValkeyServer, password: str) -> None:
    report = Report(REDIS_URL=with_password(redis_of_its_own.url, password))

    assert report.faults() == {"redis"}
    assert "password" in report.says("redis")
    assert SECRET not in report.text


def test_redis_hangs(world: None, redis_of_its_own: ValkeyServer) -> None:
    redis_of_its_own.pause()
    try:
        report = Report(REDIS_URL=redis_of_its_own.url, REDIS_TIMEOUT="0.1")
    finally:
        redis_of_its_own.resume()

    assert report.faults() == {"redis"}


def configured(server: ValkeyServer, **settings: str) -> str:
    import redis

    with redis.Redis.from_url(server.url) as client:
        for name, value in settings.items():
            client.config_set(name.replace("_", "-"), value)
        if "maxmemory" in settings:
            client.set("filler", "x")
    return server.url


def test_redis_maxmemory_reached(world: None, redis_of_its_own: ValkeyServer) -> None:
    import redis

    with redis.Redis.from_url(redis_of_its_own.url) as client:
        client.config_set("maxmemory-policy", "noeviction")
        client.config_set("maxmemory", "1mb")

    report = Report(REDIS_URL=redis_of_its_own.url)

    assert {"redis writes", "redis eviction"} <= report.faults()
    assert "has reached its maxmemory" in report.says("redis writes")
    assert "noeviction" in report.says("redis eviction")
    assert "redis memory" in report.warnings()


def test_redis_without_a_limit_or_a_log(world: None, redis_of_its_own: ValkeyServer) -> None:
    report = Report(REDIS_URL=configured(redis_of_its_own, appendonly="no", maxmemory="0"))

    assert {"redis memory", "redis persistence"} <= report.warnings()


def test_redis_is_a_replica(world: None, redis_of_its_own: ValkeyServer) -> None:
    import redis

    with redis.Redis.from_url(redis_of_its_own.url) as client:
        client.execute_command("REPLICAOF", "127.0.0.1", "1")

    report = Report(REDIS_URL=redis_of_its_own.url)

    assert "redis writes" in report.faults()
    assert "is a replica" in report.says("redis writes")


def test_hit_rate_low(ada: Api) -> None:
    seen = []
    for number in range(220):
        if number % 4:
            store.drop(["env:current"])
        seen.append(ada.get("/api/environment/current")["X-Cache"])
    background.flush()

    report = Report()

    # The very first one finds nothing either.
    assert seen.count("HIT") == 54
    assert "environment 25%" in report.says("hit rate")
    assert report.checks["hit rate"]["status"] == "warning"
    assert "hit rate" not in report.faults()


def test_few_reads_say_nothing_of_the_rate(ada: Api) -> None:
    for _ in range(50):
        stats.count("market", "misses")
    background.flush()

    assert Report().checks["hit rate"]["status"] == "ok"


def test_fills_that_come_too_late(ada: Api) -> None:
    stats.count("market", "misses", 300)
    stats.count("market", "refused_fills", 100)
    background.flush()

    assert "market" in Report().says("refused fills")


def test_breakers_that_opened(world: None) -> None:
    stats.count(stats.REDIS, "opened")
    stats.count(stats.REDIS, "timeouts", 3)
    background.flush()

    assert "opened 1 times in a quarter of an hour, 3 calls" in Report().says("breaker")


def test_drops_that_wait(world: None, redis_of_its_own: ValkeyServer) -> None:
    row = OutboxRow.objects.create(names={"env:current": "environment"})
    OutboxRow.objects.filter(pk=row.pk).update(created_at=timezone.now() - timedelta(minutes=5))

    # Nobody relays here, and the doctor that is asked must not do it on the way.
    report = Report()

    assert "outbox" in report.faults()
    assert "1 rows wait, the oldest for 30" in report.says("outbox")


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
    from leaderboard.services import leaderboard_refresh

    leaderboard_refresh(wait=True)
    with connection.cursor() as cursor:
        cursor.execute("SELECT as_of FROM mv_leaderboard LIMIT 1")
        as_of = cursor.fetchone()[0]

    from bcraftd.doctor import work

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


# --- The table itself -------------------------------------------------------------------------------------


def test_a_check_that_breaks_is_a_fault_that_tells_no_secret() -> None:
    def broken() -> doctor.Finding:
        raise ValueError(SECRET)

    found = doctor.examine([doctor.Check("one", broken), doctor.Check("two", lambda: doctor.ok("fine"), ("one",))])

    assert found["one"].status == "fault"
    assert "ValueError" in found["one"].detail
    assert SECRET not in found["one"].detail + found["one"].mend
    assert found["two"].detail == f"{doctor.NOT_MADE} one comes first."


def test_what_follows_from_what_was_not_made_is_not_made_either() -> None:
    found = doctor.examine(
        [
            doctor.Check("one", lambda: doctor.fault("no", "mend")),
            doctor.Check("two", lambda: doctor.ok("fine"), ("one",)),
            doctor.Check("three", lambda: doctor.ok("fine"), ("two",)),
        ]
    )

    assert found["three"].detail == f"{doctor.NOT_MADE} two comes first."


def test_every_check_has_its_section_in_the_page_on_troubles_and_every_section_a_check() -> None:
    page = (ROOT / "docs/troubleshooting.md").read_text()
    section = page.split("## What the doctor looks at")[1].split("\n## ")[0]
    named = [line.removeprefix("### ") for line in section.splitlines() if line.startswith("### ")]

    assert named == [check.name for check in CHECKS]


def test_needs_name_checks_that_come_before() -> None:
    seen: set[str] = set()
    for check in CHECKS:
        assert set(check.needs) <= seen, check.name
        seen.add(check.name)


def test_a_report_is_json_with_the_documented_members(world: None) -> None:
    ran = manage("doctor", "--json")

    report: dict[str, Any] = json.loads(ran.stdout)
    assert set(report) == {"ok", "checks"}
    assert all(set(row) == {"name", "status", "detail", "mend"} for row in report["checks"])
