"""Coming into the admin, with Redis and without, and what locks somebody out."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from axes.models import AccessAttempt
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django_q.models import Failure, OrmQ, Schedule

from accounts.models import Player, Role
from bcraftd import schedules
from environment.models import Weather
from tests import servers
from tests.operators import PASSWORD, Operator, admin, messages_of
from tests.support import Api, setting


@pytest.fixture
def without_redis(world: None) -> Iterator[None]:
    servers.redis_stop()
    yield
    servers.redis_start()


@pytest.mark.parametrize("written", ["olga", "Olga", "OLGA"])
def test_a_login_is_the_same_however_it_is_written(world: None, written: str) -> None:
    Operator.make("Olga", Role.ADMIN)

    assert Operator(written).entered.status_code == 302


@pytest.mark.parametrize("login", ["olga2", "", "a" * 33, "olga\0", "'", "é"])
def test_nobody_else_gets_in(world: None, login: str) -> None:
    Operator.make("Olga", Role.ADMIN)

    assert Operator(login).entered.status_code == 200


def test_operators_work_with_redis_away(without_redis: None, api: Api) -> None:
    olga = admin()
    stormy = Weather.objects.get(name="Stormy")

    assert olga.entered.status_code == 302
    assert olga.get("index").status_code == 200
    assert olga.get("search", s="listing").status_code == 200
    assert olga.save("environment_weather_change", stormy.pk, duration_minutes="61").status_code == 302
    set_now = olga.client.post(
        reverse("admin:environment_weather_set_now", args=[stormy.pk]), {"_form_submitted": "True"}
    )
    assert set_now.status_code == 302
    assert api.get("/api/environment/weather").json()["name"] == "Stormy"
    assert Weather.objects.get(pk=stormy.pk).duration_minutes == 61
    assert olga.client.post(reverse("admin:logout")).status_code == 200
    assert olga.get("index").status_code == 302


def test_too_many_failures_lock_a_login_out_and_an_operator_lets_it_in_again(world: None) -> None:
    olga = admin()
    mona = Player.objects.create_user("mona", "mona@example.org", PASSWORD, role=Role.MODERATOR)
    with setting(AXES_ENABLED=True, AXES_FAILURE_LIMIT=3):
        for password in ("wrong", "wrong again"):
            answer = Client().post(reverse("admin:login"), {"username": "Mona", "password": password})
            assert answer.status_code == 200
        locked = Client().post(reverse("admin:login"), {"username": "mona", "password": "no"})
        assert locked.status_code == 429
        assert locked["Retry-After"] == "900"
        assert Operator("MONA").entered.status_code == 429, "the right password does not help"

        row = AccessAttempt.objects.get()
        assert "wrong" not in olga.get("axes_accessattempt_change", row.pk).content.decode()
        olga.client.post(reverse("admin:axes_accessattempt_delete", args=[row.pk]), {"post": "yes"})

        assert Operator("mona").entered.status_code == 302
    assert mona.check_password(PASSWORD)


# What the worker runs.


def test_an_operator_pauses_a_schedule_but_cannot_make_it_run_something_else(world: None) -> None:
    schedules.upsert()
    olga = admin()
    row = Schedule.objects.order_by("pk")[0]

    answer = olga.save("django_q_schedule_change", row.pk, repeats="0", func="os.system", minutes="9", name="x")

    assert answer.status_code == 302
    after = Schedule.objects.get(pk=row.pk)
    assert (after.repeats, after.func, after.minutes, after.name) == (0, row.func, row.minutes, row.name)
    assert olga.client.post(reverse("admin:django_q_schedule_add"), {}).status_code == 403
    assert olga.client.post(reverse("admin:django_q_schedule_delete", args=[row.pk]), {}).status_code == 403


def test_a_schedule_is_run_at_once(world: None) -> None:
    schedules.upsert()
    olga = admin()
    tomorrow = timezone.now() + timedelta(days=1)
    Schedule.objects.update(next_run=tomorrow)
    row = Schedule.objects.order_by("pk")[0]

    answer = olga.act("django_q_schedule", "run_now", row.pk)

    assert messages_of(answer) == ["Due now; the worker looks every 30 seconds: 1"]
    assert Schedule.objects.get(pk=row.pk).next_run <= timezone.now()
    assert Schedule.objects.filter(next_run=tomorrow).count() == Schedule.objects.count() - 1


def test_a_failed_run_is_run_again(world: None) -> None:
    olga = admin()
    failed = Failure.objects.create(
        id="f" * 32, name="f", func="bcraftd.tasks.activity_write", success=False,
        started=timezone.now(), stopped=timezone.now(),
    )  # fmt: skip

    Operator.make("mona", Role.MODERATOR).client.post(
        reverse("admin:django_q_failure_changelist"), {"action": "resubmit", "_selected_action": [failed.pk]}
    )
    assert OrmQ.objects.count() == 0
    olga.client.post(
        reverse("admin:django_q_failure_changelist"), {"action": "resubmit", "_selected_action": [failed.pk]}
    )

    assert OrmQ.objects.count() == 1
    assert not Failure.objects.exists()
