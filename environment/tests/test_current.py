"""GET /api/environment/current: weather and season as they are."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from environment.models import Season, Weather
from environment.selectors import Conditions, conditions_now
from environment.tests.support import NOON, assert_cached_in, seen, sets, shown
from inventory.tests.support import clock, life_ms
from tests.support import Api, assert_problem, setting

CURRENT = "/api/environment/current"
KEY = "env:current"


def test_january_finds_winter(api: Api) -> None:
    sunny = sets("Sunny")
    with clock(NOON):
        answer = api.get(CURRENT)
    assert answer.json() == {
        "weather": shown(sunny),
        "season": {
            "id": Season.objects.get(name="Winter").pk, "name": "Winter",
            "gathering_multiplier": 0.8, "crafting_multiplier": 1.3,
        },
        "timestamp": "2027-01-15T12:00:00.000000Z",
    }  # fmt: skip
    assert b'"crafting_multiplier":1.3' in answer.content


@pytest.mark.parametrize(
    ("month", "name", "multipliers"),
    [
        *((month, "Spring", (1.2, 1.0)) for month in (3, 4, 5)),
        *((month, "Summer", (1.0, 1.0)) for month in (6, 7, 8)),
        *((month, "Autumn", (1.1, 1.2)) for month in (9, 10, 11)),
        *((month, "Winter", (0.8, 1.3)) for month in (12, 1, 2)),
    ],
)
def test_every_month_has_its_season(api: Api, month: int, name: str, multipliers: tuple[float, float]) -> None:
    season = seen(api, CURRENT, datetime(2027, month, 1, tzinfo=UTC))["season"]
    assert season["name"] == name
    assert (season["gathering_multiplier"], season["crafting_multiplier"]) == multipliers


def test_it_is_read_from_the_database_once_and_says_when(api: Api) -> None:
    # Queries of a miss: the weathers, the seasons.
    assert_cached_in(api, CURRENT, KEY, budget=2)
    first = api.get(CURRENT)
    with clock(datetime.now(UTC) + timedelta(days=400)):
        assert api.get(CURRENT).content == first.content


@pytest.mark.parametrize(
    ("weather_since", "moment", "seconds"),
    [
        # A fresh spell of two hours: the setting's hour.
        (NOON, NOON, 3600),
        # Five minutes before the weather changes.
        (NOON, NOON + timedelta(minutes=115), 300),
        # Forty seconds before winter ends, ninety before the weather does.
        (datetime(2027, 2, 28, 22, 0, 50, tzinfo=UTC), datetime(2027, 2, 28, 23, 59, 20, tzinfo=UTC), 40),
    ],
)
def test_it_is_never_kept_past_the_next_change(
    api: Api, weather_since: datetime, moment: datetime, seconds: int
) -> None:
    sets("Sunny", weather_since)
    with clock(moment):
        assert api.get(CURRENT)["X-Cache"] == "MISS"
    # Half a minute of leeway, in case this machine sleeps; it may never live longer.
    assert (seconds - 30) * 1000 < life_ms(KEY) <= seconds * 1000


def test_it_is_not_kept_past_the_moment_where_another_season_takes_over(api: Api) -> None:
    sets("Sunny", datetime(2027, 5, 31, 22, 30, tzinfo=UTC))
    Season.objects.exclude(name="Summer").delete()
    Season.objects.create(name="Year", start_month=1, end_month=12, gathering_multiplier=1, crafting_multiplier=1)
    moment = datetime(2027, 5, 31, 23, 59, 0, tzinfo=UTC)
    with clock(moment):
        assert api.get(CURRENT).json()["season"]["name"] == "Year"
    assert life_ms(KEY) <= 60_000
    assert seen(api, CURRENT, moment + timedelta(minutes=1))["season"]["name"] == "Summer"


def test_a_longer_setting_keeps_it_no_longer_than_it_is_true(api: Api) -> None:
    sets("Sunny")
    with clock(NOON), setting(CACHE_ENVIRONMENT_TTL=10**6):
        api.get(CURRENT)
    assert life_ms(KEY) <= 120 * 60_000


def test_weather_that_ops_set_is_in_the_very_next_read(api: Api) -> None:
    api.get(CURRENT)
    for name in ("Stormy", "Windy", "Windy", "Sunny"):
        assert api.get(CURRENT)["X-Cache"] == "HIT"
        weather = sets(name, datetime.now(UTC))
        after = api.get(CURRENT)
        assert (after["X-Cache"], after.json()["weather"]) == ("MISS", shown(weather))
        api.get(CURRENT)


def test_an_edited_season_or_weather_is_in_the_very_next_read(api: Api) -> None:
    sets("Sunny", datetime.now(UTC))
    name = api.get(CURRENT).json()["season"]["name"]
    season, weather = Season.objects.get(name=name), Weather.objects.get(name="Sunny")
    season.gathering_multiplier = Decimal("1.75")
    season.save()
    assert api.get(CURRENT).json()["season"]["gathering_multiplier"] == 1.75
    weather.crafting_multiplier = Decimal("0.25")
    weather.save()
    assert api.get(CURRENT).json()["weather"]["crafting_multiplier"] == 0.25
    season.delete()
    assert api.get(CURRENT).json()["season"] is None


def test_without_weather_or_season_it_says_so(api: Api) -> None:
    api.get(CURRENT)
    Season.objects.all().delete()
    Weather.objects.all().delete()
    answer = api.get(CURRENT).json()
    assert (answer["weather"], answer["season"]) == (None, None)
    assert api.get(CURRENT)["X-Cache"] == "HIT"
    assert conditions_now() == Conditions(Decimal(1), Decimal(1))


def test_a_month_without_a_season_is_kept_until_it_ends(api: Api) -> None:
    Season.objects.filter(name="Winter").delete()
    sets("Sunny", datetime(2027, 2, 28, 23, 0, tzinfo=UTC))
    with clock(datetime(2027, 2, 28, 23, 59, 30, tzinfo=UTC)):
        assert api.get(CURRENT).json()["season"] is None
    assert 0 < life_ms(KEY) <= 30_000
    assert seen(api, CURRENT, datetime(2027, 3, 1, tzinfo=UTC))["season"]["name"] == "Spring"


def test_a_worker_that_sleeps_keeps_nobody_in_old_weather(api: Api) -> None:
    sets("Sunny")
    assert seen(api, CURRENT, NOON + timedelta(minutes=119, seconds=59))["weather"]["name"] == "Sunny"
    assert seen(api, CURRENT, NOON + timedelta(minutes=120))["weather"]["name"] != "Sunny"


def test_work_is_multiplied_by_what_is_shown(api: Api) -> None:
    sets("Rainy")
    for minutes in (0, 89, 90, 200, 5000):
        moment = NOON + timedelta(minutes=minutes)
        now = seen(api, CURRENT, moment)
        with clock(moment):
            found = conditions_now()
        for work, factor in (("gathering", found.gathering), ("crafting", found.crafting)):
            names = now["weather"][f"{work}_multiplier"], now["season"][f"{work}_multiplier"]
            assert factor == Decimal(str(names[0])) * Decimal(str(names[1]))


def test_it_takes_no_parameter_and_no_other_method(api: Api) -> None:
    assert_problem(api.get(f"{CURRENT}?hours=1"), 400, "invalid", "hours")
    assert_problem(api.post(CURRENT), 405, "method_not_allowed")
