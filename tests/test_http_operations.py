"""/healthz, /readyz and /metrics: what load balancers and monitoring ask for."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import close_old_connections, connection
from django.db.migrations.recorder import MigrationRecorder
from django.utils import timezone
from django_q.models import Schedule

from tests import servers
from tests.support import Api, queries


@pytest.fixture
def on_time(world: None) -> Iterator[None]:
    """Schedules as a living cluster keeps them: none of them due."""
    before = list(Schedule.objects.all())
    Schedule.objects.update(next_run=timezone.now() + timedelta(minutes=1))
    yield
    Schedule.objects.bulk_update(before, ["next_run", "repeats"])


def at(address: str) -> Api:
    """A client at another address."""
    api = Api()
    api.client.defaults["REMOTE_ADDR"] = address
    return api


def states(answer: Any) -> dict[str, str]:
    return {name: check["state"] for name, check in answer.json()["checks"].items()}


# --- /healthz ---------------------------------------------------------------------------------------------


def test_the_process_lives_whatever_else_does_not(api: Api) -> None:
    servers.redis_stop()
    try:
        with queries() as seen:
            answer = api.get("/healthz")
    finally:
        servers.redis_start()

    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
    assert seen == []


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
def test_they_are_only_read(api: Api, path: str) -> None:
    assert api.client.head(path).status_code == 200
    assert api.client.post(path).status_code == 405


# --- /readyz ----------------------------------------------------------------------------------------------


def test_with_everything_there_it_is_ready(api: Api, on_time: None) -> None:
    answer = api.get("/readyz")

    assert answer.status_code == 200
    assert answer.json()["status"] == "ok"
    assert states(answer) == {"database": "ok", "migrations": "ok", "cache": "ok", "workers": "ok"}
    assert answer["Cache-Control"] == "no-store"


def test_without_redis_it_is_ready_and_says_so(api: Api, on_time: None) -> None:
    servers.redis_stop()
    try:
        answer = api.get("/readyz")
    finally:
        servers.redis_start()

    assert (answer.status_code, answer.json()["status"]) == (200, "ok")
    assert states(answer) == {"database": "ok", "migrations": "ok", "cache": "down", "workers": "ok"}
    assert states(api.get("/readyz"))["cache"] == "ok"


def test_with_the_cache_off_it_is_ready(api: Api, on_time: None, settings: Any) -> None:
    settings.CACHE_ENABLED = False

    answer = api.get("/readyz")

    assert (answer.status_code, states(answer)["cache"]) == (200, "off")


def test_with_a_migration_missing_it_cannot_serve(api: Api, on_time: None) -> None:
    recorder = MigrationRecorder(connection)
    last = recorder.migration_qs.filter(app="leaderboard").latest("name")
    recorder.record_unapplied("leaderboard", last.name)
    try:
        answer = api.get("/readyz")
    finally:
        recorder.record_applied("leaderboard", last.name)

    assert (answer.status_code, answer.json()["status"]) == (503, "unavailable")
    assert answer.json()["checks"]["migrations"] == {"state": "missing", "missing": [f"leaderboard.{last.name}"]}
    assert int(answer["Retry-After"]) > 0


def test_with_nobody_running_the_schedules_it_serves_and_names_the_one_that_waits(api: Api, on_time: None) -> None:
    name = "accounts: expired sessions"
    Schedule.objects.filter(name=name).update(next_run=timezone.now() - timedelta(minutes=3))

    answer = api.get("/readyz")

    workers = answer.json()["checks"]["workers"]
    assert answer.status_code == 200
    assert (workers["state"], workers["schedule"]) == ("overdue", name)


def test_a_schedule_that_an_operator_paused_is_not_waited_for(api: Api, on_time: None) -> None:
    past = timezone.now() - timedelta(days=3)
    Schedule.objects.filter(name="accounts: expired sessions").update(next_run=past, repeats=0)

    assert states(api.get("/readyz"))["workers"] == "ok"


def test_a_schedule_that_a_busy_worker_reaches_a_minute_late_is_not_overdue(api: Api, on_time: None) -> None:
    Schedule.objects.update(next_run=timezone.now() - timedelta(minutes=1))

    assert states(api.get("/readyz"))["workers"] == "ok"


def test_without_postgresql_it_cannot_serve_until_it_is_back(api: Api, on_time: None) -> None:
    servers.postgres_restart()
    try:
        for _ in range(2):
            answer = api.get("/readyz")
            assert answer.status_code == 503
            assert states(answer) == {"database": "down", "migrations": "down", "cache": "ok", "workers": "down"}
    finally:
        # What each request begins with, outside of a test.
        close_old_connections()

    assert api.get("/readyz").status_code == 200


# --- /metrics ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("address", ["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1"])
def test_metrics_are_for_loopback(api: Api, address: str) -> None:
    api.get("/api/environment/weather")

    answer = at(address).get("/metrics")

    assert answer.status_code == 200
    assert answer["Content-Type"].startswith("text/plain")
    assert b"bcraftd_http_requests_total" in answer.content


@pytest.mark.parametrize("token", ["", "sesame"])
@pytest.mark.parametrize(
    "header", ["", "Bearer ", "Bearer", "Bearer wrong", "Basic sesame", "Bearer sesam", "Bearer ü"]
)
def test_from_elsewhere_they_are_refused_without_the_token(api: Api, settings: Any, token: str, header: str) -> None:
    settings.METRICS_TOKEN = token

    answer = at("192.0.2.1").get("/metrics", Authorization=header)

    assert answer.status_code == 403
    assert b"bcraftd_" not in answer.content


def test_from_elsewhere_the_token_opens_them(api: Api, settings: Any) -> None:
    settings.METRICS_TOKEN = "sesame"

    assert at("192.0.2.1").get("/metrics", Authorization="Bearer sesame").status_code == 200


def test_a_made_up_forwarded_address_is_not_loopback(api: Api) -> None:
    assert at("192.0.2.1").get("/metrics", X_Forwarded_For="127.0.0.1").status_code == 403
