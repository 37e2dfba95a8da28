"""Reads of the environment.

What holds now follows from the active weather and the clock alone (environment.rules.course): the schedule
that moves the weather on only writes down what every reader already sees, so that a late or dead worker makes
nobody see old weather.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import takewhile
from typing import Any

from django.utils import timezone

from bcraftd.cache import Answer, Fresh
from environment import rules
from environment.cache import CURRENT, SEASON, WEATHER
from environment.models import Season, Weather


@dataclass(frozen=True, slots=True)
class Conditions:
    """What gathering and crafting are multiplied by: season times weather."""

    gathering: Decimal
    crafting: Decimal


def _spell(moment: datetime) -> rules.Spell | None:
    """The weather of a moment, None where none is active. One query."""
    weathers = list(Weather.objects.all())
    active = next((weather for weather in weathers if weather.is_active), None)
    if active is None:
        return None
    return next(rules.course(weathers, active, active.active_since, moment))


def _season(moment: datetime) -> Season | None:
    """One query."""
    return rules.season_at(list(Season.objects.all()), moment)


def _shown(row: Season | Weather | None) -> dict[str, Any] | None:
    if row is None:
        return None
    return {
        "id": row.pk,
        "name": row.name,
        "gathering_multiplier": row.gathering_multiplier,
        "crafting_multiplier": row.crafting_multiplier,
    }


def conditions_now() -> Conditions:
    """What holds now, from PostgreSQL. Two queries. What is missing multiplies by one."""
    now = timezone.now()
    spell, season = _spell(now), _season(now)
    rows = [row for row in (spell.weather if spell else None, season) if row is not None]
    gathering = crafting = Decimal(1)
    for row in rows:
        gathering *= row.gathering_multiplier
        crafting *= row.crafting_multiplier
    return Conditions(gathering, crafting)


def environment_current() -> Answer | None:
    """Weather and season, through the cache."""
    return CURRENT.get()


@CURRENT.filler
def _current() -> Fresh:
    """Two queries. True until the weather changes or the month ends: seasons may overlap, so that another can
    take over before the present one is over."""
    now = timezone.now()
    spell, season = _spell(now), _season(now)
    ends = [rules.month_ends(now)]
    if spell is not None:
        ends.append(spell.ends_at)
    return Fresh(
        {"weather": _shown(spell.weather if spell else None), "season": _shown(season), "timestamp": now}, min(ends)
    )


def weather_current() -> Answer | None:
    """The weather alone, through the cache; None where none is active."""
    return WEATHER.get()


@WEATHER.filler
def _weather() -> Fresh | None:
    """One query."""
    spell = _spell(timezone.now())
    if spell is None:
        return None
    return Fresh(_shown(spell.weather) or {}, spell.ends_at)


def season_current() -> Answer | None:
    """The season alone, through the cache; None where no season has this month."""
    return SEASON.get()


@SEASON.filler
def _season_current() -> Fresh | None:
    """One query."""
    now = timezone.now()
    season = _season(now)
    return None if season is None else Fresh(_shown(season) or {}, rules.month_ends(now))


def forecast(hours: int) -> list[dict[str, Any]]:
    """The weather from now on for so many hours. One query."""
    now = timezone.now()
    weathers = list(Weather.objects.all())
    active = next((weather for weather in weathers if weather.is_active), None)
    if active is None:
        return []
    spells = rules.course(weathers, active, active.active_since, now)
    until = now + timedelta(hours=hours)
    return [
        {"starts_at": spell.starts_at, "ends_at": spell.ends_at, "weather": _shown(spell.weather)}
        for spell in takewhile(lambda spell: spell.starts_at < until, spells)
    ]
