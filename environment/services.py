"""Writes of the environment."""

from collections.abc import Iterable
from datetime import datetime

from django.utils import timezone

from bcraftd.errors import Refusal
from bcraftd.transactions import atomic
from environment import rules
from environment.models import Weather


def _locked() -> list[Weather]:
    """Every weather, locked in the order of ids: two changes at once follow each other."""
    return list(Weather.objects.select_for_update().order_by("pk"))


def _activate(weathers: Iterable[Weather], chosen: Weather, since: datetime) -> None:
    """Makes one weather the active one. The old one goes first: the database allows only one at a time."""
    for weather in weathers:
        if weather.is_active:
            weather.is_active = False
            weather.save(update_fields=["is_active"])
    chosen.is_active = True
    chosen.active_since = since
    chosen.save(update_fields=["is_active", "active_since"])


@atomic
def weather_set(*, weather_id: int) -> Weather:
    """Ops' choice: this weather holds from now on, for its duration. Raises Refusal `not_found`."""
    weathers = _locked()
    chosen = next((weather for weather in weathers if weather.pk == weather_id), None)
    if chosen is None:
        raise Refusal("not_found", f"There is no weather {weather_id}.")
    _activate(weathers, chosen, timezone.now())
    return chosen


@atomic
def weather_advance() -> str | None:
    """Writes down the weather that holds by now. Returns its name, None where nothing had changed.

    It starts where the one before it ended, not when the schedule came round, so that the forecast stays true.
    """
    weathers = _locked()
    active = next((weather for weather in weathers if weather.is_active), None)
    if active is None:
        if not weathers:
            return None
        _activate(weathers, weathers[0], timezone.now())
        return weathers[0].name
    spell = next(rules.course(weathers, active, active.active_since, timezone.now()))
    if spell.starts_at == active.active_since:
        return None
    _activate(weathers, spell.weather, spell.starts_at)
    return spell.weather.name
