"""What runs on its own: the schedules that `migrate` writes, and a cluster that runs one of them."""

import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.utils import timezone
from django.utils.module_loading import import_string
from django_q.models import Failure, OrmQ, Schedule, Success

from bcraftd import schedules
from bcraftd.models import OutboxRow
from market.models import Listing
from tests.processes import wait_until
from tests.programs import ROOT, environment
from tests.support import Api

# What the design wants to run on its own, and how often at least, in minutes.
WANTED = {
    "leaderboard.tasks.leaderboard_refresh": 5,
    "environment.tasks.weather_advance": 1,
    "market.tasks.listings_expire": 1,
    "bcraftd.tasks.activity_write": 1,
    "accounts.tasks.sessions_sweep": 60,
    "bcraftd.tasks.idempotency_sweep": 60,
    "bcraftd.tasks.economy_audit": 60,
}


@pytest.fixture(autouse=True)
def table(world: None) -> Iterator[None]:
    """The table as a first `migrate` leaves it, before and after each test: it is kept between tests."""
    Schedule.objects.all().delete()
    schedules.upsert()
    yield
    Schedule.objects.all().delete()
    schedules.upsert()


def _rows() -> list[dict[str, Any]]:
    return list(Schedule.objects.order_by("name").values())


def test_migrate_writes_every_schedule_once() -> None:
    Schedule.objects.all().delete()

    call_command("migrate", verbosity=0)
    written = _rows()
    call_command("migrate", verbosity=0)

    assert _rows() == written
    assert {row["func"] for row in written} == set(WANTED)
    assert len(written) == len(WANTED)
    for row in written:
        assert row["schedule_type"] == Schedule.MINUTES
        assert 1 <= row["minutes"] <= WANTED[row["func"]]
        assert row["repeats"] == -1, "for ever"


def test_an_upsert_that_finds_everything_in_place_changes_nothing() -> None:
    before = _rows()

    assert schedules.upsert() == 0

    assert _rows() == before


def test_a_missing_schedule_comes_back_and_the_others_stay() -> None:
    before = _rows()
    Schedule.objects.filter(func="market.tasks.listings_expire").delete()

    assert schedules.upsert() == 1

    assert [row["name"] for row in _rows()] == [row["name"] for row in before]
    assert schedules.upsert() == 0


def test_an_operators_pause_and_the_next_run_are_kept() -> None:
    later = timezone.now() + timedelta(hours=3)
    Schedule.objects.filter(func="market.tasks.listings_expire").update(repeats=0, next_run=later, minutes=7)

    assert schedules.upsert() == 1

    row = Schedule.objects.get(func="market.tasks.listings_expire")
    assert (row.repeats, row.next_run, row.minutes) == (0, later, 1)


@pytest.mark.parametrize(
    ("column", "value"), [("minutes", 30), ("func", "market.tasks.old_name"), ("schedule_type", "D")]
)
def test_a_changed_declaration_reaches_the_table(column: str, value: Any) -> None:
    row = Schedule.objects.get(func="market.tasks.listings_expire")
    Schedule.objects.filter(pk=row.pk).update(**{column: value})

    assert schedules.upsert() == 1

    assert Schedule.objects.get(pk=row.pk) == row
    assert getattr(Schedule.objects.get(pk=row.pk), column) == getattr(row, column)


def test_names_are_what_tells_schedules_apart() -> None:
    names = [each.name for each in schedules.declared()]

    assert len(names) == len(set(names))


@pytest.mark.parametrize("task", sorted(WANTED))
def test_every_task_can_be_found_by_its_name_and_runs(task: str) -> None:
    assert task in {each.task for each in schedules.declared()}

    import_string(task)()


@pytest.fixture
def only_expiry() -> None:
    """Nothing else is due, so that the cluster has one thing to do."""
    Schedule.objects.update(next_run=timezone.now() + timedelta(days=1))
    Schedule.objects.filter(func="market.tasks.listings_expire").update(next_run=timezone.now() - timedelta(days=2))


def test_a_cluster_runs_what_is_due_once_and_stops_when_told(only_expiry: None, ada: Api, tmp_path: Path) -> None:
    ada.grant(mutterwood_log=3)
    Listing.objects.filter(pk=ada.sells("mutterwood-log", 3, 5)["id"]).update(expires_at=timezone.now())
    log = (tmp_path / "log").open("wb")
    cluster = subprocess.Popen(
        [sys.executable, "manage.py", "qcluster"],
        cwd=ROOT,
        env=environment(QCLUSTER_WORKERS="1"),
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        wait_until(Success.objects.exists, f"the schedule ran; see {log.name}")
        row = Success.objects.get()
        assert (row.func, row.result) == ("market.tasks.listings_expire", 1)
        # Two days were missed: they are not made up for.
        assert Schedule.objects.get(func=row.func).next_run > timezone.now() - timedelta(minutes=1)
        wait_until(lambda: not OrmQ.objects.exists(), "the task left the queue")
        # No API runs here: the worker's relay replays what Redis did not take.
        OutboxRow.objects.create(names={"env:current": "environment"})
        wait_until(lambda: not OutboxRow.objects.exists(), "the outbox was replayed")
        # To the parent alone: it tells its workers.
        cluster.terminate()
        assert cluster.wait(timeout=60) == 0
    finally:
        if cluster.poll() is None:
            cluster.kill()
            cluster.wait()
        log.close()

    assert Success.objects.count() == 1
    assert not Failure.objects.exists()
    assert Listing.objects.get().status == "expired"
    assert ada.holds("mutterwood-log") == 3
