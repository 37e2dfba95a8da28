"""The schedule that moves the weather on, and ops who set it: one weather is active, always."""

from datetime import datetime, timedelta

import pytest
from django.db import IntegrityError, connection
from django.utils.module_loading import import_string

from bcraftd.errors import Refusal
from bcraftd.schedules import declared
from environment import tasks
from environment.models import Season, Weather
from environment.services import weather_set
from environment.tests.support import NOON, seen, sets
from inventory.tests.support import at_once, clock
from tests.support import Api

WEATHER = "/api/environment/weather"


def active() -> tuple[str, datetime]:
    """The one active weather and since when; fails where it is not one."""
    row = Weather.objects.get(is_active=True)
    return row.name, row.active_since


def advance(moment: datetime) -> str | None:
    with clock(moment):
        return tasks.weather_advance()


def test_it_waits_until_the_duration_is_over(world: None) -> None:
    sets("Sunny")
    for minutes in (0, 1, 119):
        assert advance(NOON + timedelta(minutes=minutes)) is None
    assert advance(NOON + timedelta(minutes=120) - timedelta(microseconds=1)) is None
    assert active() == ("Sunny", NOON)


def test_it_moves_on_to_the_weather_that_was_forecast_from_where_the_old_one_ended(api: Api) -> None:
    sets("Sunny")
    end = NOON + timedelta(minutes=120)
    expected = seen(api, WEATHER, end)["name"]
    assert advance(end + timedelta(seconds=40)) == expected
    assert active() == (expected, end)


def test_again_it_changes_nothing(world: None) -> None:
    sets("Sunny")
    moment = NOON + timedelta(minutes=121)
    assert advance(moment)
    before = list(Weather.objects.order_by("pk").values())
    assert [advance(moment) for _ in range(3)] == [None] * 3
    assert list(Weather.objects.order_by("pk").values()) == before


@pytest.mark.parametrize("days", [1, 30])
def test_after_a_long_sleep_it_arrives_where_single_steps_would_have(api: Api, days: int) -> None:
    sets("Sunny")
    moment = NOON + timedelta(days=days)
    expected = seen(api, WEATHER, moment)["name"]
    advance(moment)
    name, since = active()
    assert name == expected
    assert since <= moment
    sets("Sunny")
    steps = NOON
    while steps <= moment:
        advance(steps)
        steps += timedelta(minutes=55)
    advance(moment)
    assert active() == (name, since)


def test_a_move_is_in_the_very_next_read(api: Api) -> None:
    sets("Sunny", datetime.now(NOON.tzinfo) - timedelta(minutes=100))
    assert api.get(WEATHER).json()["name"] == "Sunny"
    later = datetime.now(NOON.tzinfo) + timedelta(minutes=30)
    name = advance(later)
    with clock(later):
        after = api.get(WEATHER)
    assert (after["X-Cache"], after.json()["name"]) == ("MISS", name)


def test_of_several_at_once_one_moves_on(world: None) -> None:
    sets("Sunny")
    with clock(NOON + timedelta(minutes=121)):
        moved = at_once(*[tasks.weather_advance] * 4)
    assert moved.count(None) == 3
    assert active()[0] in moved


def test_ops_and_the_schedule_at_once_leave_one_active(world: None) -> None:
    rows = list(Weather.objects.all())
    for round_ in range(5):
        sets("Sunny")
        with clock(NOON + timedelta(minutes=121 + round_)):
            at_once(tasks.weather_advance, *(lambda row=row: weather_set(weather_id=row.pk) for row in rows[1:4]))
        active()


def test_without_an_active_weather_it_begins_with_the_first(world: None) -> None:
    Weather.objects.update(is_active=False)
    assert advance(NOON) == "Sunny"
    assert active() == ("Sunny", NOON)


def test_without_any_weather_it_does_nothing(world: None) -> None:
    Weather.objects.all().delete()
    assert advance(NOON) is None


def test_ops_cannot_set_what_does_not_exist(world: None) -> None:
    before = active()
    with pytest.raises(Refusal, match="not_found"):
        weather_set(weather_id=Weather.objects.latest("pk").pk + 1)
    assert active() == before


def test_setting_the_active_weather_begins_its_duration_anew(world: None) -> None:
    sets("Sunny")
    sets("Sunny", NOON + timedelta(minutes=60))
    assert advance(NOON + timedelta(minutes=130)) is None
    assert active() == ("Sunny", NOON + timedelta(minutes=60))


def test_the_database_itself_refuses_a_second_active_weather(world: None) -> None:
    other = Weather.objects.filter(is_active=False).earliest("pk")
    other.is_active = True
    with pytest.raises(IntegrityError, match="weather_one_active"):
        other.save()


@pytest.mark.parametrize(
    ("sql", "constraint"),
    [
        ("UPDATE environment_weather SET duration_minutes = 0", "weather_duration_range"),
        ("UPDATE environment_weather SET duration_minutes = 10081", "weather_duration_range"),
        ("UPDATE environment_weather SET gathering_multiplier = -0.1", "weather_multipliers_range"),
        ("UPDATE environment_weather SET crafting_multiplier = -0.1", "weather_multipliers_range"),
        ("UPDATE environment_season SET start_month = 0", "season_months_range"),
        ("UPDATE environment_season SET end_month = 13", "season_months_range"),
        ("UPDATE environment_season SET gathering_multiplier = -0.1", "season_multipliers_range"),
    ],
)
def test_the_database_keeps_both_in_their_bounds(world: None, sql: str, constraint: str) -> None:
    with pytest.raises(IntegrityError, match=constraint), connection.cursor() as cursor:
        cursor.execute(sql)
    assert Season.objects.count() == 4


def test_it_is_scheduled_every_minute() -> None:
    task = next(each for each in declared() if import_string(each.task) is tasks.weather_advance)
    assert task.minutes == 1
