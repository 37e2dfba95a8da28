"""Pure decisions about season and weather."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from environment.models import Season, Weather


@dataclass(frozen=True, slots=True)
class Spell:
    """A weather and the time that it holds: from `starts_at` up to, not including, `ends_at`."""

    weather: Weather
    starts_at: datetime
    ends_at: datetime


def season_at(seasons: Sequence[Season], moment: datetime) -> Season | None:
    """The season of a moment's month in UTC, None where no season has it."""
    month = moment.astimezone(UTC).month
    for season in seasons:
        if season.start_month <= season.end_month:
            if season.start_month <= month <= season.end_month:
                return season
        elif month >= season.start_month or month <= season.end_month:
            return season
    return None


def month_ends(moment: datetime) -> datetime:
    """The first moment of the next month, in UTC: what holds of seasons now holds until then at least."""
    now = moment.astimezone(UTC)
    return datetime(now.year + now.month // 12, now.month % 12 + 1, 1, tzinfo=UTC)


def weather_after(weathers: Sequence[Weather], current: Weather, ends_at: datetime) -> Weather:
    """The weather that follows: never the same again (where there is another), else drawn by the moment of the change.

    A hash of the moment draws, so that the forecast, the schedule and every process agree without asking each other.
    """
    others = sorted((weather for weather in weathers if weather.name != current.name), key=lambda weather: weather.name)
    if not others:
        return current
    digest = hashlib.sha256(f"{current.name} until {ends_at.astimezone(UTC).isoformat()}".encode()).digest()
    return others[int.from_bytes(digest[:8], "big") % len(others)]


def course(weathers: Sequence[Weather], active: Weather, since: datetime, start: datetime) -> Iterator[Spell]:
    """The weather's spells from the one that holds at `start` on, without end."""
    spell = Spell(active, since, since + timedelta(minutes=active.duration_minutes))
    while True:
        if spell.ends_at > start:
            yield spell
        following = weather_after(weathers, spell.weather, spell.ends_at)
        spell = Spell(following, spell.ends_at, spell.ends_at + timedelta(minutes=following.duration_minutes))
