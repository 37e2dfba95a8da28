"""GET /api/environment/forecast: what the weather will be, and then is."""

from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from environment.models import Weather
from environment.tasks import weather_advance
from environment.tests.support import NOON, seen, sets, shown
from inventory.tests.support import clock
from tests.support import Api, assert_problem, queries

FORECAST = "/api/environment/forecast"
WEATHER = "/api/environment/weather"


def forecast(api: Api, moment: datetime, query: str = "") -> list[dict[str, Any]]:
    """The spells that are told at a moment, their times read."""
    # Query: the weathers.
    with clock(moment), queries() as sql:
        answer = api.get(f"{FORECAST}{query}")
    assert len(sql) == 1
    spells = answer.json()["forecast"]
    assert all(set(spell) == {"starts_at", "ends_at", "weather"} for spell in spells)
    times = ("starts_at", "ends_at")
    return [spell | {name: datetime.fromisoformat(spell[name]) for name in times} for spell in spells]


@pytest.mark.parametrize(("query", "hours"), [("", 24), ("?hours=1", 1), ("?hours=24", 24), ("?hours=168", 168)])
def test_it_covers_the_hours_asked_for_without_a_gap(api: Api, query: str, hours: int) -> None:
    sets("Sunny")
    now = NOON + timedelta(minutes=50)
    spells = forecast(api, now, query)
    until = now + timedelta(hours=hours)
    assert spells[0]["starts_at"] <= now < spells[0]["ends_at"]
    assert spells[-1]["starts_at"] < until <= spells[-1]["ends_at"]
    rows = {row.name: row for row in Weather.objects.all()}
    for spell, following in pairwise(spells):
        assert following["starts_at"] == spell["ends_at"]
        assert following["weather"]["name"] != spell["weather"]["name"]
    for spell in spells:
        row = rows[spell["weather"]["name"]]
        assert spell["weather"] == shown(row)
        assert spell["ends_at"] - spell["starts_at"] == timedelta(minutes=row.duration_minutes)


@pytest.mark.parametrize("lateness", [None, 0, 7, 300], ids=lambda value: f"{value} minutes late")
def test_what_it_says_is_what_happens_however_late_the_schedule_runs(api: Api, lateness: int | None) -> None:
    """The clock goes along the spells; the schedule comes round so many minutes after each change, None: never."""
    sets("Sunny")
    spells = forecast(api, NOON, "?hours=36")
    assert len(spells) > 15
    runs = [] if lateness is None else [spell["starts_at"] + timedelta(minutes=lateness) for spell in spells[1:]]
    moments = [
        (moment, spell["weather"])
        for spell in spells
        for moment in (
            spell["starts_at"],
            spell["starts_at"] + (spell["ends_at"] - spell["starts_at"]) / 2,
            spell["ends_at"] - timedelta(microseconds=1),
        )
    ]
    for moment, weather in moments:
        while runs and runs[0] <= moment:
            with clock(runs.pop(0)):
                weather_advance()
        assert seen(api, WEATHER, moment) == weather
    assert (Weather.objects.get(is_active=True).active_since > NOON) == (lateness is not None)


def test_a_later_forecast_agrees_with_an_earlier_one(api: Api) -> None:
    sets("Snowy")
    earlier = forecast(api, NOON, "?hours=72")
    for minutes in (1, 99, 100, 777, 2000):
        moment = NOON + timedelta(minutes=minutes)
        if minutes == 777:
            with clock(moment):
                weather_advance()
        later = forecast(api, moment, "?hours=12")
        assert later == [spell for spell in earlier if spell["ends_at"] > moment][: len(later)]


def test_weather_that_ops_set_is_forecast_from_its_moment_on(api: Api) -> None:
    sets("Sunny")
    forecast(api, NOON)
    moment = NOON + timedelta(minutes=10)
    stormy = sets("Stormy", moment)
    spells = forecast(api, moment)
    assert (spells[0]["starts_at"], spells[0]["weather"]) == (moment, shown(stormy))
    assert seen(api, WEATHER, spells[1]["starts_at"]) == spells[1]["weather"]


def test_where_no_weather_is_active_there_is_nothing_to_tell(api: Api) -> None:
    Weather.objects.all().delete()
    assert api.get(FORECAST).json() == {"forecast": []}


@pytest.mark.parametrize("hours", ["0", "169", "-1", "abc", "", "1.5", "true", "1e2", "1" + "0" * 30, "%00", "%D9%A1"])
def test_hours_are_one_to_a_hundred_and_sixty_eight(api: Api, hours: str) -> None:
    assert_problem(api.get(f"{FORECAST}?hours={hours}"), 400, "invalid", "hours")


def test_it_knows_its_parameter_and_takes_no_other_method(api: Api) -> None:
    assert_problem(api.get(f"{FORECAST}?days=1"), 400, "invalid", "days")
    assert_problem(api.get(f"{FORECAST}?hours=1&hours=2"), 400, "invalid", "hours")
    assert_problem(api.post(FORECAST), 405, "method_not_allowed")
