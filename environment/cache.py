"""What the environment keeps in Redis."""

from collections.abc import Mapping
from typing import Any

from bcraftd.cache import Entry, Hot, When
from environment.models import Season, Weather

CURRENT = Entry(
    family="environment",
    key="env:current",
    ttl="CACHE_ENVIRONMENT_TTL",
    volatile=frozenset({"timestamp"}),
    hot=(Hot("/api/environment/current"),),
)
WEATHER = Entry(
    family="environment",
    key="env:weather:current",
    ttl="CACHE_ENVIRONMENT_TTL",
    hot=(Hot("/api/environment/weather"),),
)
SEASON = Entry(family="environment", key="env:season:current", ttl="CACHE_ENVIRONMENT_TTL")


def _one(row: Any) -> list[Mapping[str, Any]]:
    return [{}]


ENTRIES = [CURRENT, WEATHER, SEASON]
TABLE = [
    When(Weather, CURRENT, _one),
    When(Weather, WEATHER, _one),
    When(Season, CURRENT, _one),
    When(Season, SEASON, _one),
]
