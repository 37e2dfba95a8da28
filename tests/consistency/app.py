"""The API with a door for the checker: what granian serves in each API process of a run.

Under /check/ stand, beside the real endpoints, calls that read and write through the real selectors and services
inside this process, many in one request, and note when each began and ended. The rest of the wrapping is what makes
the process hard to live in: at each step of the cache engine it may wait, and at one that it was armed for it dies.
"""

import json
import os
import random
import signal
import time
import traceback
from collections.abc import Callable, Iterable
from typing import Any

from django.db import close_old_connections

from bcraftd.wsgi import application as api
from tests.consistency import schedule, world
from tests.consistency.views import View, session_view

# Only now: bcraftd.wsgi has to set Django up before anything of the engine can be imported.
from bcraftd.cache import steps  # isort: skip

_chance = random.Random()
_waits: dict[str, tuple[float, float]] = {}
_armed = ""
_views: dict[str, View] = {}


def _at(step: str) -> None:
    """What the cache engine calls at each step."""
    if step == _armed:
        os.kill(os.getpid(), signal.SIGKILL)
    wait = _waits.get(step)
    if wait is not None and _chance.random() < wait[0]:
        time.sleep(_chance.random() * wait[1])


def _hello(body: Any) -> Any:
    """Which process this is."""
    return {"pid": os.getpid()}


def _prepare(body: Any) -> Any:
    return world.prepare()


def _behave(body: Any) -> Any:
    """Takes on an episode's waits, disarms, and learns the views: `{"waits": {step: [share, seconds]}, "views"}`."""
    global _armed
    _armed = ""
    _waits.clear()
    _waits.update({step: (share, seconds) for step, (share, seconds) in body["waits"].items()})
    _views.update({row["name"]: View.of(row) for row in body["views"]})
    return {}


def _arm(body: Any) -> Any:
    """To die at the next `step` that any thread reaches."""
    global _armed
    _armed = body["step"]
    return {}


def _reads(body: Any) -> Any:
    """A batch, one after the other: `{"views": [names], "sessions": {register: id}, "count", "seed"}`.

    Each read is a row of view, start, end, outcome and versions; one that failed has its error for an outcome.
    """
    sessions = [session_view(register, session_id) for register, session_id in body["sessions"].items()]
    choice = [*(_views[name] for name in body["views"]), *sessions]
    chance = random.Random(body["seed"])
    return {"pid": os.getpid(), "reads": [_read(chance.choice(choice)) for _ in range(body["count"])]}


def _read(view: View) -> list[Any]:
    read = world.READERS[view.selector]
    start = time.monotonic_ns()
    try:
        data, outcome = read(view.argument)
        end = time.monotonic_ns()
        return [view.name, start, end, outcome, view.versions(data)]
    except Exception as error:
        traceback.print_exc()
        return [view.name, start, time.monotonic_ns(), f"failed: {error!r}", None]


def _write(body: Any) -> Any:
    start = time.monotonic_ns()
    version = world.write(body["register"], body["how"], body["buyer"])
    return {"pid": os.getpid(), "start": start, "end": time.monotonic_ns(), "version": version}


def _open(body: Any) -> Any:
    return world.session_open(body["player"])


def _end(body: Any) -> Any:
    start = time.monotonic_ns()
    world.session_end(body["player"], body["session_id"])
    return {"pid": os.getpid(), "start": start, "end": time.monotonic_ns()}


CALLS: dict[str, Callable[[Any], Any]] = {
    f"/check/{call.__name__[1:]}": call for call in (_hello, _prepare, _behave, _arm, _reads, _write, _open, _end)
}


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """The API; a call of the checker is answered before Django sees the request."""
    call = CALLS.get(environ["PATH_INFO"])
    if call is None:
        return api(environ, start_response)
    close_old_connections()
    try:
        status, answer = "200 OK", call(json.loads(environ["wsgi.input"].read() or b"{}"))
    except Exception as error:
        traceback.print_exc()
        status, answer = "500 Internal Server Error", {"error": repr(error)}
    finally:
        close_old_connections()
    body = json.dumps(answer).encode()
    start_response(status, [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]


assert (schedule.READ_STEPS, schedule.WRITE_STEPS) == (steps.READ_STEPS, steps.WRITE_STEPS)
off = os.environ.get("CONSISTENCY_OFF", "")
if off:
    steps.switch_off(*off.split(","))  # type: ignore[arg-type]
steps.watch(_at)
