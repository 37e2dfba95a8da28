"""The one line that a task of the worker leaves in the log, when it is over."""

import time
from typing import Any

import structlog
from django.dispatch import receiver
from django.utils import timezone
from django_q.exceptions import TimeoutException
from django_q.signals import post_execute_in_worker, pre_execute
from django_q.utils import get_func_repr

from bcraftd.measuring import Spent

# structlog's own logger: its fields stand in the line by their names.
log = structlog.stdlib.get_logger(__name__)

# An error's text may hold a whole statement. django-q2's own line has all of it, with the traceback.
_SHOWN = 300
# Where the task carries what it costs from its beginning to its end. Nobody else sees it.
_SPENT = "bcraftd.spent"


@receiver(pre_execute)
def _begins(task: dict[str, Any], **rest: Any) -> None:
    """Every line that is written from here on says for which task."""
    waited = timezone.now() - task["started"]
    structlog.contextvars.bind_contextvars(task_id=task["id"], task=get_func_repr(task["func"]))
    task[_SPENT] = Spent(time.perf_counter()), max(0.0, waited.total_seconds())


@receiver(post_execute_in_worker)
def _ends(task: dict[str, Any], **rest: Any) -> None:
    spent, waited = task.pop(_SPENT)
    outcome = _outcome(task)
    failure = {} if outcome == "ok" else {"error": str(task.get("result")).partition(" : Traceback")[0][:_SHOWN]}
    say = log.info if outcome == "ok" else log.error
    say(
        "task_finished",
        schedule=task.get("group"),
        outcome=outcome,
        waited_ms=round(waited * 1000, 2),
        **spent.fields(),
        **failure,
    )
    structlog.contextvars.clear_contextvars()


def _outcome(task: dict[str, Any]) -> str:
    """ok, failed or timed_out. django-q2 keeps an exception as its text with the traceback."""
    if task.get("success"):
        return "ok"
    raised = str(task.get("result")).rstrip().rpartition("\n")[2].partition(":")[0]
    return "timed_out" if raised.endswith(TimeoutException.__name__) else "failed"
