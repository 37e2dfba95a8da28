"""GET /api/environment/weather: the weather alone."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from environment.models import Season, Weather
from environment.tests.support import NOON, assert_cached_in, seen, sets, shown
from inventory.tests.support import clock, life_ms
from tests.support import Api, assert_problem

WEATHER = "/api/environment/weather"
KEY = "env:weather:current"


@pytest.mark.parametrize(
    ("name", "multipliers"),
    [("Sunny", (1, 1)), ("Rainy", (0.8, 1.2)), ("Stormy", (0.5, 0.8)), ("Snowy", (0.7, 1.1)), ("Windy", (1.2, 0.9))],
)
def test_it_is_the_weather_that_holds(api: Api, name: str, multipliers: tuple[float, float]) -> None:
    weather = sets(name)
    with clock(NOON):
        answer = api.get(WEATHER).json()
    assert answer == shown(weather)
    assert (answer["gathering_multiplier"], answer["crafting_multiplier"]) == multipliers


def test_it_is_read_from_the_database_once(api: Api) -> None:
    # Query of a miss: the weathers.
    assert_cached_in(api, WEATHER, KEY, budget=1)


@pytest.mark.parametrize(("minutes", "seconds"), [(0, 3600), (59, 3600), (61, 3540), (119, 60)])
def test_it_is_never_kept_past_the_next_change(api: Api, minutes: int, seconds: int) -> None:
    sets("Sunny")
    with clock(NOON + timedelta(minutes=minutes)):
        api.get(WEATHER)
    assert (seconds - 30) * 1000 < life_ms(KEY) <= seconds * 1000


def test_the_end_of_the_season_does_not_matter_to_it(api: Api) -> None:
    sets("Sunny", datetime(2027, 2, 28, 23, 59, tzinfo=UTC))
    with clock(datetime(2027, 2, 28, 23, 59, 30, tzinfo=UTC)):
        api.get(WEATHER)
    assert life_ms(KEY) > 3_500_000
    season = Season.objects.get(name="Winter")
    season.name = "Deep Winter"
    season.save()
    assert api.get(WEATHER)["X-Cache"] == "HIT"


def test_what_ops_set_or_edit_is_in_the_very_next_read(api: Api) -> None:
    api.get(WEATHER)
    stormy = sets("Stormy", datetime.now(UTC))
    assert api.get(WEATHER).json() == shown(stormy)
    stormy.gathering_multiplier = Decimal("0.55")
    stormy.save()
    assert api.get(WEATHER).json()["gathering_multiplier"] == 0.55


def test_a_shorter_duration_ends_the_weather_in_the_very_next_read(api: Api) -> None:
    sunny = sets("Sunny", datetime.now(UTC) - timedelta(minutes=30))
    assert api.get(WEATHER).json()["name"] == "Sunny"
    sunny.duration_minutes = 20
    sunny.save()
    assert api.get(WEATHER).json()["name"] != "Sunny"


def test_where_none_is_active_there_is_none_to_find(api: Api) -> None:
    api.get(WEATHER)
    Weather.objects.all().delete()
    for _ in range(2):
        assert_problem(api.get(WEATHER), 404, "not_found")
    Weather.objects.create(
        name="Foggy", gathering_multiplier=1, crafting_multiplier=1, duration_minutes=5, is_active=True
    )
    assert api.get(WEATHER).json()["name"] == "Foggy"


def test_where_there_is_only_one_weather_it_goes_on(api: Api) -> None:
    sets("Sunny")
    Weather.objects.exclude(name="Sunny").delete()
    assert seen(api, WEATHER, NOON + timedelta(days=3))["name"] == "Sunny"


def test_it_takes_no_parameter_and_no_other_method(api: Api) -> None:
    assert_problem(api.get(f"{WEATHER}?id=1"), 400, "invalid", "id")
    assert_problem(api.delete(WEATHER), 405, "method_not_allowed")
