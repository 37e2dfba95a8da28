"""Steps that the environment's tests take over and over."""

from datetime import UTC, datetime
from typing import Any, cast

from bcraftd.cache import stamp, store
from environment.models import Season, Weather
from environment.services import weather_set
from inventory.tests.support import clock
from tests.support import Api, queries, redis_commands, setting

NOON = datetime(2027, 1, 15, 12, tzinfo=UTC)


def sets(name: str, moment: datetime = NOON) -> Weather:
    """Ops set the weather at a moment."""
    with clock(moment):
        return weather_set(weather_id=Weather.objects.get(name=name).pk)


def seen(api: Api, path: str, moment: datetime) -> Any:
    """What a reader sees at a moment. Without the cache: Redis has a clock of its own, which goes on as ever."""
    with clock(moment), setting(CACHE_ENABLED=False):
        answer = api.get(path)
    assert answer["X-Cache"] == "BYPASS"
    return answer.json()


def shown(row: Weather | Season) -> dict[str, Any]:
    """A weather or a season as the API shows it: numbers, not strings."""
    return {
        "id": row.pk,
        "name": row.name,
        "gathering_multiplier": float(row.gathering_multiplier),
        "crafting_multiplier": float(row.crafting_multiplier),
    }


def assert_cached_in(api: Api, path: str, key: str, *, budget: int) -> None:
    """A miss within its budget of queries, then the same bytes by one Redis command, then a 304. JSON in Redis."""
    with queries() as sql:
        miss = api.get(path)
    assert len(sql) <= budget, sql
    with queries() as sql, redis_commands() as commands:
        hit = api.get(path)
    assert sql == []
    assert [command[:2] for command in commands] == [("GET", key)]
    assert (miss["X-Cache"], hit["X-Cache"]) == ("MISS", "HIT")
    stored = stamp.split(cast("bytes", store.client().get(key)))
    assert stored is not None
    assert hit.content == miss.content == stored[0]
    assert hit["Cache-Control"] == "public, no-cache"
    assert hit["ETag"] == miss["ETag"]
    with queries() as sql:
        unchanged = api.get(path, If_None_Match=hit["ETag"])
    assert (unchanged.status_code, unchanged.content, sql) == (304, b"", [])
