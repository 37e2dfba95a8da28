"""What a task leaves in the log of a real worker: one line, when it is over."""

import json
from typing import Any

import pytest
from django_q.models import OrmQ
from django_q.tasks import async_task

from bcraftd import tasklogs
from tests.programs import manage


def run() -> list[dict[str, Any]]:
    """The lines of workers that each do one task, until all is done."""
    found: list[dict[str, Any]] = []
    while OrmQ.objects.exists():
        done = manage("qcluster", "--run-once")
        assert done.returncode == 0, done.stderr
        found += [json.loads(line) for line in done.stderr.splitlines()]
    return found


@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
def test_each_task_is_one_line_with_its_outcome_and_what_it_cost(world: None) -> None:
    good = async_task("bcraftd.tasks.idempotency_sweep", group="idempotency: sweep")
    bad = async_task("math.sqrt", "no number")
    slow = async_task("time.sleep", 30, timeout=1)

    found = run()

    ends = {line["task_id"]: line for line in found if line["event"] == "task_finished"}
    assert len([line for line in found if line["event"] == "task_finished"]) == 3
    assert {each: ends[each]["outcome"] for each in (good, bad, slow)} == {
        good: "ok",
        bad: "failed",
        slow: "timed_out",
    }
    line = ends[good]
    assert (line["task"], line["schedule"], line["level"]) == (
        "bcraftd.tasks.idempotency_sweep",
        "idempotency: sweep",
        "info",
    )
    assert line["sql_count"] >= 1
    assert 0 < line["sql_ms"] <= line["duration_ms"]
    assert line["waited_ms"] > 0
    assert "error" not in line
    assert ends[bad]["level"] == "error"
    assert "must be real number" in ends[bad]["error"]
    assert ends[slow]["duration_ms"] >= 1000
    # django-q2's own lines are of failures only, with the traceback.
    others = [line for line in found if line["logger"] == "django-q"]
    assert {line["level"] for line in others} <= {"error", "warning", "critical"}
    assert any("Traceback" in line["event"] and "sqrt" in line["event"] for line in others)


@pytest.mark.parametrize(
    ("task", "outcome"),
    [
        ({"success": True, "result": 3}, "ok"),
        ({"success": False, "result": "x : Traceback\n...\nValueError: TimeoutException"}, "failed"),
        ({"success": False, "result": "x : Traceback\n...\ndjango_q.exceptions.TimeoutException: x"}, "timed_out"),
        ({}, "failed"),
    ],
)
def test_the_outcome_is_what_django_q_kept(task: dict[str, Any], outcome: str) -> None:
    assert tasklogs._outcome(task) == outcome
