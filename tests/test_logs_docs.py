"""docs/metrics.md names the fields of a line in the log, and no other."""

import logging
from typing import Any

import pytest
from django.utils import timezone
from django_q.signals import post_execute_in_worker, pre_execute

from bcraftd.tasks import idempotency_sweep
from tests.programs import ROOT
from tests.support import Api
from tests.test_docs import rows, words

NAMES = [words(cell) for cell, _ in rows((ROOT / "docs" / "metrics.md").read_text(encoding="utf-8"), "## Logs")]
OF_EVERY_LINE = {"timestamp", "level", "logger", "event"}


def fields() -> tuple[set[str], set[str]]:
    """Those of the page: a request's and a task's, whose table begins with the task."""
    split = next(number for number, names in enumerate(NAMES) if "task" in names)
    request, task = ({name for names in part for name in names} for part in (NAMES[:split], NAMES[split:]))
    return request, task | OF_EVERY_LINE


def line(caplog: pytest.LogCaptureFixture, event: str) -> set[str]:
    found = [record.msg for record in caplog.records if isinstance(record.msg, dict)]
    return next(set(each) for each in found if each["event"] == event)


def test_of_a_request(ada: Api, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        ada.get("/api/wallet/entries")

    assert line(caplog, "request_finished") == fields()[0]


@pytest.mark.parametrize("success", [True, False])
def test_of_a_task(world: None, caplog: pytest.LogCaptureFixture, success: bool) -> None:
    """As django-q2's worker tells of it; tests/test_logs_tasks.py has a worker."""
    task: dict[str, Any] = {
        "id": "1", "name": "x", "func": idempotency_sweep, "group": "idempotency: sweep", "started": timezone.now(),
    }  # fmt: skip
    with caplog.at_level(logging.INFO):
        pre_execute.send(sender="django_q", func=idempotency_sweep, task=task)
        task |= {"success": success, "result": "x : Traceback", "stopped": timezone.now()}
        post_execute_in_worker.send(sender="django_q", func=idempotency_sweep, task=task)

    assert line(caplog, "task_finished") == fields()[1] - (set() if not success else {"error"})
