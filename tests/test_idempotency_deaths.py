"""A worker killed, or PostgreSQL lost, in the middle of a call under a key: the repetition tells what happened."""

import http.client
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.db import connection

from bcraftd import idempotency
from bcraftd.cache import steps
from bcraftd.models import IdempotencyKey
from inventory.tests.support import at_once
from market.models import Trade
from tests import live
from tests.support import Api, assert_problem

BODY = {"quantity": 2}


@pytest.fixture
def path(bob: Api) -> str:
    """Where to buy of Bob's five logs at ten coins."""
    bob.grant(mutterwood_log=5)
    return f"/api/market/listings/{bob.sells('mutterwood-log', 5, 10)['id']}/buy"


def _post(url: str, player: Api, path: str) -> Any:
    """The answer's status, headers and body. Raises OSError or HTTPException where the server dies instead."""
    client = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
    headers = {
        "Authorization": f"Bearer {player.token}", "Idempotency-Key": "k", "Content-Type": "application/json",
    }  # fmt: skip
    client.request("POST", path, json.dumps(BODY), headers)
    answer = client.getresponse()
    found = (answer.status, dict(answer.getheaders()), answer.read())
    client.close()
    return found


@pytest.mark.parametrize(("step", "done"), [("committed", True), ("fenced", False)])
def test_a_worker_killed_around_the_commit_leaves_effect_and_answer_or_neither(
    step: str, done: bool, ada: Api, path: str, tmp_path: Path
) -> None:
    flag = tmp_path / "flag"
    with live.server("tests.mortal_api:application", MORTAL_FLAG=str(flag)) as url:
        flag.write_text(step)
        with pytest.raises((OSError, http.client.HTTPException)):
            _post(url, ada, path)
    assert not flag.exists()
    assert Trade.objects.exists() is done
    kept = [bytes(row.body) for row in IdempotencyKey.objects.all()]
    assert len(kept) == int(done)

    with live.server() as url:
        answers = [_post(url, ada, path) for _ in range(2)]

    assert {status for status, _, _ in answers} == {200}
    assert ["Idempotent-Replayed" in {name.title() for name in headers} for _, headers, _ in answers] == [done, True]
    assert len({body for _, _, body in answers} | set(kept)) == 1
    assert Trade.objects.count() == 1
    assert ada.coins() == 980


@pytest.fixture
def lost_at() -> Iterator[Any]:
    """`lost_at("fenced")`: PostgreSQL ends this connection at that step, once."""

    def end_it(step: str) -> None:
        pid = connection.connection.info.backend_pid

        def at(reached: str) -> None:
            if reached == step:
                steps.watch(None)
                at_once(lambda: _terminate(pid))

        steps.watch(at)

    yield end_it
    steps.watch(None)


def _terminate(pid: int) -> None:
    with connection.cursor() as cursor:
        # Waits until the backend is gone (milliseconds), so that the commit cannot slip through.
        cursor.execute("SELECT pg_terminate_backend(%s, 10000)", [pid])


def test_a_commit_of_which_nobody_knows_is_told_as_such_and_settled_by_a_repetition(
    ada: Api, path: str, lost_at: Any
) -> None:
    lost_at("fenced")
    lost = ada.call("POST", path, BODY, Idempotency_Key="k")

    body = assert_problem(lost, 503, "service_unavailable")
    assert "was done, or it was not" in body["detail"]
    assert "Retry-After" in lost
    assert not Trade.objects.exists()

    settled = ada.call("POST", path, BODY, Idempotency_Key="k")
    assert settled.status_code == 200
    assert ada.call("POST", path, BODY, Idempotency_Key="k").content == settled.content
    assert Trade.objects.count() == 1


def test_the_lock_of_a_key_ends_with_its_holder(ada: Api, path: str) -> None:
    """Whoever held it: nobody has to clean up after a dead worker."""

    def die() -> None:
        connection.ensure_connection()
        connection.set_autocommit(False)
        assert idempotency._lock(ada.id, "k")
        connection.close()

    at_once(die)

    assert ada.call("POST", path, BODY, Idempotency_Key="k").status_code == 200
