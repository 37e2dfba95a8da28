"""The rules of season and weather: properties that hold at every moment."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from itertools import islice, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from environment import rules
from environment.models import Season, Weather

# A slow machine must not fail a property: no deadline.
relaxed = settings(deadline=None)

SEASONS = [
    Season(name="Spring", start_month=3, end_month=5),
    Season(name="Summer", start_month=6, end_month=8),
    Season(name="Autumn", start_month=9, end_month=11),
    Season(name="Winter", start_month=12, end_month=2),
]
WEATHERS = [
    Weather(name="Sunny", duration_minutes=120),
    Weather(name="Rainy", duration_minutes=90),
    Weather(name="Stormy", duration_minutes=60),
    Weather(name="Snowy", duration_minutes=100),
    Weather(name="Windy", duration_minutes=80),
]

BY_MONTH = ["Winter"] * 2 + ["Spring"] * 3 + ["Summer"] * 3 + ["Autumn"] * 3 + ["Winter"]

moments = some.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=some.just(UTC))


# --- Seasons -------------------------------------------------------------------------------------------------


def name_at(moment: datetime) -> str | None:
    found = rules.season_at(SEASONS, moment)
    return found.name if found else None


@pytest.mark.parametrize(("month", "name"), list(enumerate(BY_MONTH, 1)))
def test_every_month_finds_its_season_from_its_first_moment_to_its_last(month: int, name: str) -> None:
    first = datetime(2027, month, 1, tzinfo=UTC)
    last = rules.month_ends(first) - timedelta(microseconds=1)
    assert (name_at(first), name_at(last)) == (name, name)


def test_months_are_those_of_utc() -> None:
    new_year_in_auckland = datetime(2027, 3, 1, 8, tzinfo=timezone(timedelta(hours=13)))
    assert name_at(new_year_in_auckland) == "Winter"
    assert rules.month_ends(new_year_in_auckland) == datetime(2027, 3, 1, tzinfo=UTC)


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The machine's own clock shows the time of Auckland."""
    monkeypatch.setenv("TZ", "Pacific/Auckland")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def test_the_machines_own_time_zone_is_of_no_account(elsewhere: None) -> None:
    moment = datetime(2027, 2, 28, 20, tzinfo=UTC)
    assert moment.astimezone().month == 3
    assert name_at(moment) == "Winter"
    assert rules.month_ends(moment) == datetime(2027, 3, 1, tzinfo=UTC)
    test_the_draw_never_changes_between_versions()


@pytest.mark.parametrize(("start", "end"), [(1, 12), (12, 11), (5, 4)])
def test_a_season_may_be_the_whole_year(start: int, end: int) -> None:
    season = Season(start_month=start, end_month=end)
    assert all(rules.season_at([season], datetime(2027, month, 9, tzinfo=UTC)) is season for month in range(1, 13))


@given(some.integers(1, 12), some.integers(1, 12), moments)
def test_a_season_holds_in_the_months_from_its_start_to_its_end(start: int, end: int, moment: datetime) -> None:
    season = Season(start_month=start, end_month=end)
    months = {(start - 1 + step) % 12 + 1 for step in range((end - start) % 12 + 1)}
    assert rules.season_at([season], moment) == (season if moment.month in months else None)


def test_where_seasons_overlap_the_first_holds() -> None:
    both = [Season(name="Thaw", start_month=2, end_month=3), *SEASONS]
    found = rules.season_at(both, datetime(2027, 2, 9, tzinfo=UTC))
    assert found is both[0]


@relaxed
@given(moments)
def test_a_season_changes_only_where_a_month_ends(moment: datetime) -> None:
    end = rules.month_ends(moment)
    assert moment < end <= moment + timedelta(days=31)
    assert (end.day, end.hour, end.minute, end.second, end.microsecond) == (1, 0, 0, 0, 0)
    assert (end - timedelta(microseconds=1)).month == moment.month
    assert name_at(end - timedelta(microseconds=1)) == name_at(moment)


@pytest.mark.parametrize(
    ("moment", "end"),
    [
        (datetime(2026, 12, 31, 23, 59, 59, 999999, UTC), datetime(2027, 1, 1, tzinfo=UTC)),
        (datetime(2027, 1, 1, tzinfo=UTC), datetime(2027, 2, 1, tzinfo=UTC)),
        (datetime(2028, 2, 28, 12, tzinfo=UTC), datetime(2028, 3, 1, tzinfo=UTC)),
    ],
)
def test_a_month_ends_where_the_next_begins(moment: datetime, end: datetime) -> None:
    assert rules.month_ends(moment) == end


# --- Weather -------------------------------------------------------------------------------------------------


@relaxed
@given(some.sampled_from(WEATHERS), moments)
def test_the_same_weather_never_follows_itself(current: Weather, moment: datetime) -> None:
    assert rules.weather_after(WEATHERS, current, moment).name != current.name


@relaxed
@given(some.sampled_from(WEATHERS), moments, some.permutations(WEATHERS), some.integers(-12, 12))
def test_what_follows_depends_on_nothing_but_the_weather_and_the_moment(
    current: Weather, moment: datetime, order: list[Weather], hours: int
) -> None:
    elsewhere = moment.astimezone(timezone(timedelta(hours=hours)))
    assert rules.weather_after(order, current, elsewhere) is rules.weather_after(WEATHERS, current, moment)


def test_every_weather_follows_every_other_one_day_or_another() -> None:
    start = datetime(2027, 1, 1, tzinfo=UTC)
    for current in WEATHERS:
        seen = {rules.weather_after(WEATHERS, current, start + timedelta(hours=hour)).name for hour in range(200)}
        assert seen == {weather.name for weather in WEATHERS} - {current.name}


def test_where_there_is_one_weather_it_stays() -> None:
    sunny = WEATHERS[0]
    assert rules.weather_after([sunny], sunny, datetime(2027, 1, 1, tzinfo=UTC)) is sunny


def test_the_draw_never_changes_between_versions() -> None:
    """A process of the next version that drew otherwise would make the forecast of this one untrue."""
    start = datetime(2027, 1, 1, tzinfo=UTC)
    names = [spell.weather.name for spell in islice(rules.course(WEATHERS, WEATHERS[0], start, start), 8)]
    assert names == ["Sunny", "Snowy", "Stormy", "Windy", "Stormy", "Windy", "Rainy", "Sunny"]


@relaxed
@given(some.sampled_from(WEATHERS), moments, some.integers(0, 60 * 24 * 20))
def test_the_course_is_without_gaps_from_the_spell_that_holds(active: Weather, since: datetime, minutes: int) -> None:
    start = since + timedelta(minutes=minutes)
    spells = list(islice(rules.course(WEATHERS, active, since, start), 10))
    assert spells[0].starts_at <= start < spells[0].ends_at
    for spell, following in pairwise(spells):
        assert following.starts_at == spell.ends_at
        assert following.weather.name != spell.weather.name
    for spell in spells:
        assert spell.ends_at - spell.starts_at == timedelta(minutes=spell.weather.duration_minutes)


@relaxed
@given(some.sampled_from(WEATHERS), moments, some.integers(0, 60 * 24 * 20))
def test_the_course_goes_on_the_same_whoever_looks_when(active: Weather, since: datetime, minutes: int) -> None:
    """Writing the present spell down (the schedule) and going on from it changes nothing."""
    start = since + timedelta(minutes=minutes)
    seen = list(islice(rules.course(WEATHERS, active, since, start), 6))
    written = seen[0]
    assert list(islice(rules.course(WEATHERS, written.weather, written.starts_at, start), 6)) == seen


def test_at_the_very_moment_of_a_change_the_new_weather_holds() -> None:
    since = datetime(2027, 1, 1, tzinfo=UTC)
    end = since + timedelta(minutes=120)
    before = next(rules.course(WEATHERS, WEATHERS[0], since, end - timedelta(microseconds=1)))
    after = next(rules.course(WEATHERS, WEATHERS[0], since, end))
    assert before.weather is WEATHERS[0]
    assert (after.starts_at, after.weather is WEATHERS[0]) == (end, False)


def test_before_it_began_the_active_weather_holds() -> None:
    since = datetime(2027, 1, 1, tzinfo=UTC)
    assert next(rules.course(WEATHERS, WEATHERS[0], since, since - timedelta(days=1))).weather is WEATHERS[0]
