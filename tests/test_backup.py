"""manage.py backup: what is in one, which stay, what it says when it cannot."""

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError
from django.db import connection
from hypothesis import given, settings
from hypothesis import strategies as st

from bcraftd import backups
from bcraftd.backups import making, metrics, rotation
from bcraftd.doctor import work
from bcraftd.embedded.process import Deadline
from bcraftd.models import BackupRun
from tests.programs import ROOT, command, environment, manage
from tests.servers import redis_start, redis_stop
from tests.support import Api, redis_is_back


def backup(directory: Path, *words: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(command("backup", str(directory), "--json", *words))
    return found


def folders(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir() if path.is_dir())


# --- What is in one ---------------------------------------------------------------------------------------


def test_a_backup_has_its_parts_and_says_so(market: Api, tmp_path: Path) -> None:
    market.get("/api/market/listings")

    manifest = backup(tmp_path)

    (name,) = folders(tmp_path)
    folder = tmp_path / name
    assert json.loads((folder / "manifest.json").read_text()) == manifest
    assert set(manifest["files"]) == {str(p.relative_to(folder)) for p in backups.files_in(folder)} - {"manifest.json"}
    assert {"postgresql.dump", "redis/dump.rdb"} <= set(manifest["files"])
    assert any(path.endswith(".aof") for path in manifest["files"])
    for path, facts in manifest["files"].items():
        assert (folder / path).stat().st_size == facts["bytes"]
        assert backups.checksum(folder / path) == facts["sha256"]
    assert (folder / "postgresql.dump").read_bytes()[:5] == b"PGDMP"
    assert (folder / "redis/dump.rdb").read_bytes()[:5] in (b"REDIS", b"VALKE")
    with connection.cursor() as cursor:
        for table in ("accounts_player", "market_listing", "inventory_itemmovement"):
            cursor.execute(f"SELECT count(*) FROM {table}")
            assert manifest["tables"][table] == cursor.fetchone()[0] > 0
    assert manifest["totals"]["coins"] == manifest["totals"]["ledger"] == 2000
    assert f"bcraftd.{sorted(Path('bcraftd/migrations').glob('0*.py'))[-1].stem}" in manifest["migrations"]
    assert manifest["postgresql"]["pg_dump"].split(".")[0] >= manifest["postgresql"]["server"].split(".")[0]


def test_how_it_went_is_kept_and_shown(ada: Api, tmp_path: Path) -> None:
    assert b"bcraftd_backup" not in metrics.render()
    manifest = backup(tmp_path)

    run = BackupRun.objects.get()
    assert (run.ok, run.folder) == (True, folders(tmp_path)[0])
    assert run.bytes > sum(facts["bytes"] for facts in manifest["files"].values())
    shown = metrics.render().decode()
    assert "bcraftd_backup_ok 1.0" in shown
    assert float(shown.split("\nbcraftd_backup_bytes ")[1].split("\n")[0]) == run.bytes
    assert work.backups().status == "ok"
    BackupRun.objects.update(started_at=datetime.now(UTC) - timedelta(hours=3))
    assert work.backups().status == "warning"


def test_only_the_newest_runs_are_remembered(ada: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(making, "KEPT_RUNS", 2)
    for _ in range(3):
        backup(tmp_path, "--without-redis")
        time.sleep(1)

    assert BackupRun.objects.count() == 2


def test_without_redis_it_is_said(ada: Api, tmp_path: Path) -> None:
    manifest = backup(tmp_path, "--without-redis")

    assert manifest["redis"] is None
    assert set(manifest["files"]) == {"postgresql.dump"}


def test_the_password_is_in_no_argument(ada: Api, tmp_path: Path) -> None:
    password = connection.settings_dict["PASSWORD"]
    process = subprocess.Popen(
        [sys.executable, "manage.py", "backup", str(tmp_path)], cwd=ROOT, env=environment(),
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    seen = set()
    while process.poll() is None:
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                words = path.read_bytes()
            except OSError:
                continue
            if b"pg_dump" in words:
                seen.add(words)
    assert process.returncode == 0
    assert seen, "pg_dump was seen running"
    assert not [words for words in seen if password.encode() in words]


# --- Failing ----------------------------------------------------------------------------------------------


def failing(directory: Path, *words: str) -> str:
    with pytest.raises(CommandError) as raised:
        backup(directory, *words)
    return str(raised.value)


def test_redis_being_away_fails_it_and_leaves_nothing(ada: Api, tmp_path: Path) -> None:
    redis_stop()
    try:
        said = failing(tmp_path)
    finally:
        redis_start()
        redis_is_back()

    assert "--without-redis" in said
    assert folders(tmp_path) == []
    run = BackupRun.objects.get()
    assert (run.ok, run.detail) == (False, said)
    assert "bcraftd_backup_ok 0.0" in metrics.render().decode()
    assert work.backups().status == "fault"


def test_redis_files_that_are_not_here_fail_it(ada: Api, tmp_path: Path) -> None:
    assert "--redis-data" in failing(tmp_path / "b", "--redis-data", str(tmp_path / "nowhere"))
    (tmp_path / "empty").mkdir()
    assert "cannot be read" in failing(tmp_path / "b", "--redis-data", str(tmp_path / "empty"))
    assert folders(tmp_path / "b") == []


def test_a_directory_that_is_none_fails_it(ada: Api, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    assert failing(tmp_path / "file")
    assert not BackupRun.objects.get().ok


def test_the_command_says_so_by_its_status(ada: Api, tmp_path: Path) -> None:
    ran = manage("backup", str(tmp_path), "--redis-data", str(tmp_path / "nowhere"))

    assert ran.returncode == 1
    assert "--redis-data" in ran.stderr
    assert '"level": "error"' in ran.stderr


def test_postgresql_being_away_fails_it(world: None, tmp_path: Path) -> None:
    ran = manage("backup", str(tmp_path), DATABASE_URL="postgres://nobody:secret-word@127.0.0.1:1/nothing")

    assert ran.returncode == 1
    assert "PostgreSQL cannot be reached" in ran.stderr
    assert "secret-word" not in ran.stdout + ran.stderr
    assert folders(tmp_path) == []


def test_two_at_once_are_refused(ada: Api, tmp_path: Path) -> None:
    with (tmp_path / ".lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert "is running" in failing(tmp_path)
    backup(tmp_path)


@pytest.mark.parametrize("after", [0.3, 0.6, 0.9, 1.2])
def test_one_that_is_killed_leaves_nothing_that_counts_as_whole(ada: Api, tmp_path: Path, after: float) -> None:
    process = subprocess.Popen(
        [sys.executable, "manage.py", "backup", str(tmp_path)], cwd=ROOT, env=environment(),
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    for _ in Deadline(60).ticks(0.005):
        if list(tmp_path.glob(".unfinished-*")) or process.poll() is not None:
            break
    time.sleep(after - 0.3)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()

    for found in backups.backups_in(tmp_path):
        assert making.newest(tmp_path, 60).folder == found.folder, "what has its name is whole"
    time.sleep(1)
    backup(tmp_path)
    assert not list(tmp_path.glob(".unfinished-*")), "the next one tidies up"


# --- Looking after them -----------------------------------------------------------------------------------


def test_a_check_is_for_the_newest(ada: Api, tmp_path: Path) -> None:
    assert "There is no backup" in failing(tmp_path, "--check", "60")
    backup(tmp_path)
    (folder,) = [tmp_path / name for name in folders(tmp_path)]

    assert backup(tmp_path, "--check", "60")["format"] == backups.FORMAT
    time.sleep(2)
    assert "s old" in failing(tmp_path, "--check", "1")

    os.truncate(folder / "postgresql.dump", 100)
    assert "has not the size" in failing(tmp_path, "--check", "60")


def test_every_so_often_until_it_is_told_to_end(ada: Api, tmp_path: Path) -> None:
    words = ["backup", str(tmp_path), "--every", "1", "--keep-hourly", "1", "--keep-daily", "1"]
    process = subprocess.Popen(
        [sys.executable, "manage.py", *words],
        cwd=ROOT, env=environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    try:
        for _ in Deadline(60).ticks(0.1):
            if BackupRun.objects.filter(ok=True).count() >= 2:
                break
    finally:
        process.send_signal(signal.SIGTERM)
        said, _ = process.communicate(timeout=60)

    assert process.returncode == 0, said
    assert said.count(b"whole") >= 2
    assert len(folders(tmp_path)) == 1, "the rotation let the others go"


def test_the_rotation_touches_nothing_but_backups(ada: Api, tmp_path: Path) -> None:
    (tmp_path / "notes").mkdir()
    (tmp_path / "20200101T000000Z").mkdir()
    (tmp_path / "20200101T000000Z" / "mine").write_text("no manifest: not ours")
    old = tmp_path / "20200102T000000Z"
    old.mkdir()
    (old / "manifest.json").write_text("{}")

    backup(tmp_path, "--without-redis", "--keep-hourly", "1", "--keep-daily", "1")

    assert "notes" in folders(tmp_path)
    assert "20200101T000000Z" in folders(tmp_path)
    assert old.name not in folders(tmp_path)


HOUR = timedelta(hours=1)
NOON = datetime(2026, 1, 31, 12, 30, tzinfo=UTC)


def test_a_month_of_hours_leaves_a_day_of_hours_and_a_month_of_days() -> None:
    hours = [NOON - HOUR * number for number in range(24 * 40)]

    stay = sorted(rotation.kept(hours), reverse=True)

    assert stay[:24] == hours[:24]
    days = {moment.date() for moment in stay}
    assert len(days) == 30
    assert len(stay) == 24 + 28, "the last two days are among the hours"
    assert all(moment.hour == 23 for moment in stay[24:])


def test_after_a_pause_the_last_ones_before_it_are_there() -> None:
    old = [NOON - timedelta(days=365) - HOUR * number for number in range(5)]

    assert rotation.kept([NOON, *old]) == {NOON, *old}


moments = st.lists(st.datetimes(datetime(2025, 1, 1), datetime(2026, 12, 31)), max_size=60)


@settings(max_examples=200, deadline=None)
@given(moments, st.integers(0, 30), st.integers(0, 30))
def test_the_rotation_keeps_the_newest_and_no_more_than_it_may(found: list[datetime], hourly: int, daily: int) -> None:
    stay = rotation.kept(found, hourly=hourly, daily=daily)

    assert stay <= set(found)
    assert not found or max(found) in stay
    assert len(stay) <= max(hourly + daily, 1)
    # Run again on what is left it lets nothing more go, or every run would.
    assert rotation.kept(stay, hourly=hourly, daily=daily) == stay
