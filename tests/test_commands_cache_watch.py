"""manage.py cache_watch: what it shows is what went, and Redis is left as it was."""

import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from bcraftd.cache import store, watching
from tests.programs import ROOT, command, environment, manage
from tests.servers import redis_start, redis_stop
from tests.support import Api, redis_is_back

SETTING = "notify-keyspace-events"


def setting() -> str:
    redis: Any = store.client()
    return str(redis.config_get(SETTING)[SETTING])


def watch(act: Callable[[], object], *words: str, seconds: float = 1.5) -> str:
    """What the command prints that watches while something happens."""
    before = setting()

    def act_when_it_watches() -> None:
        while "g" not in setting():
            time.sleep(0.05)
        time.sleep(0.3)
        act()

    thread = threading.Thread(target=act_when_it_watches)
    thread.start()
    said = command("cache_watch", "--seconds", str(seconds), *words)
    thread.join()
    assert setting() == before, "Redis publishes what it did before"
    return said


def test_a_write_drops_what_it_made_stale(busy: Api) -> None:
    said = watch(lambda: busy.sells("mutterwood-log", 1, 9), "--json")

    report = json.loads(said)
    assert set(report) == {"seconds", "events", "families"}
    assert report["families"]["inventory"] == {"expired": 0, "evicted": 0, "dropped": 1}
    assert report["families"]["market"]["dropped"] >= 1
    assert "catalogue" not in report["families"]


def test_each_event_is_a_line_of_json_where_that_is_asked_for(busy: Api) -> None:
    said = watch(lambda: command("cache_flush", "--key", "env:current", "--yes"), "--lines")

    lines = [json.loads(line) for line in said.splitlines() if line.startswith("{")]
    assert [(line["kind"], line["family"], line["key"]) for line in lines] == [
        ("dropped", "environment", "env:current")
    ]
    assert "1 events in" in said


def test_a_value_that_runs_out_is_told_from_one_that_is_dropped(busy: Api) -> None:
    report = json.loads(watch(lambda: store.client().pexpire("env:current", 50), "--json"))

    assert report["families"] == {"environment": {"expired": 1, "evicted": 0, "dropped": 0}}


def test_a_generation_that_changes_is_the_whole_family(busy: Api) -> None:
    store.client().set("gen:market", "a" * 16)

    said = watch(lambda: store.drop(["gen:market"]), "--lines", "--family", "market")

    assert watching.WHOLE_FAMILY in said


def test_one_family_alone(busy: Api) -> None:
    report = json.loads(watch(lambda: command("cache_flush", "--all", "--yes"), "--json", "--family", "catalogue"))

    assert list(report["families"]) == ["catalogue"]


def test_ids_of_sessions_are_not_told(busy: Api) -> None:
    busy.get("/api/auth/me")
    said = watch(lambda: command("cache_flush", "--family", "sessions", "--yes"), "--lines")

    keys = [json.loads(line)["key"] for line in said.splitlines() if line.startswith("{")]
    assert keys == ["session:••••••••"]


def test_ctrl_c_ends_it_with_the_summary_and_gives_redis_back(world: None) -> None:
    before = setting()
    process = subprocess.Popen(
        [sys.executable, "manage.py", "cache_watch", "--json"], cwd=ROOT, env=environment(),
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    while "g" not in setting():
        assert process.poll() is None
        time.sleep(0.05)
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    said, errors = process.communicate(timeout=30)

    assert (process.returncode, errors) == (0, "")
    assert json.loads(said)["events"] == 0
    assert setting() == before


def test_redis_being_away_is_said(world: None) -> None:
    redis_stop()
    try:
        ran = manage("cache_watch", "--seconds", "1")
    finally:
        redis_start()
        redis_is_back()

    assert ran.returncode == 1
    assert "Redis does not answer" in ran.stderr


@pytest.mark.parametrize("key", ["rl:x", "stats:market", "lease:env:current", "elsewhere"])
def test_what_is_no_value_is_not_an_event_of_a_cache(world: None, key: str) -> None:
    event = watching._event("del", key)

    assert (event.family if event else None) == ("rate_limits" if key.startswith("rl:") else None)
