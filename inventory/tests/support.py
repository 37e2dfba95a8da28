"""Steps that the inventory's tests take over and over."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime
from threading import Barrier
from typing import Any
from unittest.mock import patch

from django.db import connection
from django.db.models import Sum

from bcraftd.cache import store
from bcraftd.leveling import experience_for
from environment.models import Season, Weather
from inventory.models import InventoryItem, ItemMovement, PlayerProfession
from tests.support import Api, profession_id, queries, redis_commands, unstamped


def join(player: Api, *slugs: str) -> None:
    """The player joins these professions."""
    for slug in slugs:
        answer = player.post(f"/api/professions/{profession_id(slug)}/join")
        assert answer.status_code == 201, answer.content


def practise(player: Api, slug: str, level: int) -> None:
    """The player's profession is at the beginning of this level from now on."""
    row = PlayerProfession.objects.get(player_id=player.id, profession__slug=slug)
    row.level, row.experience = level, experience_for(level)
    row.save()


def conditions(*, gathering: str = "1", crafting: str = "1", season: str = "1") -> None:
    """Every weather and every season multiply by this, whatever the day is; a season does so for both works."""
    Season.objects.update(gathering_multiplier=season, crafting_multiplier=season)
    Weather.objects.update(gathering_multiplier=gathering, crafting_multiplier=crafting)


# What is no id in a body: wrong types, beyond the bounds, unusable text. JSON writes each as it stands.
NO_IDS: list[Any] = [
    True, "1", 1.0, 1.5, 0, -1, 2**63, 10**30, None, [], [1], {}, "", "\x00", "\ud800", "mutterwood-log",
]  # fmt: skip
# Bodies that are no JSON object of the right shape, and the code of the refusal.
NO_BODIES: list[tuple[bytes, str]] = [
    (b"", "invalid"), (b"{}", "invalid"), (b"[]", "invalid"), (b"1", "invalid"), (b"null", "invalid"),
    (b"{", "parse_error"), (b"\xff", "parse_error"), (b'{"a":NaN}', "parse_error"), (b'{"a":1,"a":1}', "parse_error"),
    (b'{"a":' + b"[" * 33 + b"]" * 33 + b"}", "parse_error"), (b'{"a":' + b"1" * 5000 + b"}", "parse_error"),
]  # fmt: skip


@contextmanager
def clock(moment: datetime) -> Iterator[None]:
    """It is this time for the duration, for Python; PostgreSQL, Redis and access tokens keep their own clocks."""
    with patch("django.utils.timezone.now", return_value=moment):
        yield


def at_once(*calls: Callable[[], Any]) -> list[Any]:
    """Runs the calls in threads of their own, released together; returns what they gave."""
    barrier = Barrier(len(calls))

    def run(call: Callable[[], Any]) -> Any:
        barrier.wait()
        try:
            return call()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


def assert_conserved() -> None:
    """For each player and resource the movements sum to what is held."""
    held = {(row.player_id, row.resource_id): row.quantity for row in InventoryItem.objects.filter(quantity__gt=0)}
    sums = ItemMovement.objects.values_list("player_id", "resource_id").annotate(sum=Sum("quantity"))
    assert {(player, resource): total for player, resource, total in sums if total} == held


def everything() -> list[Any]:
    """What gathering, crafting and joining may change."""
    from accounts.models import Player, PlayerStatistics

    tables = (InventoryItem, ItemMovement, PlayerProfession, Player, PlayerStatistics)
    return [list(model._default_manager.order_by("pk").values()) for model in tables]


def assert_read_once(client: Api, path: str, *, budget: int) -> dict[str, Any]:
    """The first read costs at most `budget` queries and the second none, one Redis command (two for a player: the
    session), the same ETag and the same body but for the source. If-None-Match then gives 304. Returns the first."""
    with queries() as sql:
        miss = client.get(path)
    assert len(sql) <= budget, sql
    with queries() as sql, redis_commands() as commands:
        hit = client.get(path)
    assert sql == []
    assert len(commands) == (2 if client.token else 1), commands
    assert (miss["X-Cache"], hit["X-Cache"]) == ("MISS", "HIT")
    assert hit["ETag"] == miss["ETag"]
    assert hit["ETag"].startswith('W/"')
    assert hit["Cache-Control"] == ("private, no-cache" if client.token else "public, no-cache")
    body = dict(miss.json())
    if "source" in body:
        assert miss.content.startswith(b'{"source":"database",')
        assert hit.content == miss.content.replace(b'"database"', b'"cache"', 1)
    else:
        assert hit.content == miss.content
    with queries() as sql:
        unchanged = client.get(path, If_None_Match=hit["ETag"])
    assert (unchanged.status_code, unchanged.content, sql) == (304, b"", [])
    assert unchanged["ETag"] == hit["ETag"]
    assert client.get(path, If_None_Match='W/"another"').status_code == 200
    return body


def stored(key: str) -> Any:
    """What Redis holds under a key, as redis-cli would show it: JSON, or a dict of JSON for a hash."""
    if store.client().type(key) == b"hash":
        fields: Any = store.client().hgetall(key)
        return {name.decode(): unstamped(value) for name, value in fields.items()}
    text: Any = store.client().get(key)
    return None if text is None else unstamped(text)


def life_ms(key: str) -> int:
    """Milliseconds that a key still lives."""
    return int(store.client().pttl(key))
