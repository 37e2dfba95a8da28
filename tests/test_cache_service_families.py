"""CacheService beside the API: what one has stored the other gives, and a write makes both miss."""

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

import pytest
from django.conf import settings

from bcraftd.cache import invalidation, scripts, service, store
from bcraftd.cache.entry import variant_name
from bcraftd.cache.service import CacheService
from environment.cache import SEASON
from environment.models import Season, Weather
from environment.services import weather_set
from inventory.cache import KNOWN_RECIPES
from inventory.models import Resource
from leaderboard.services import leaderboard_refresh
from tests.support import Api, profession_id, queries, redis_commands, resource_id

SESSION = {"session_id": "s", "player_id": 1, "login": "ada"}


def redis() -> Any:
    return store.client()


class Family(NamedTuple):
    """How a value is read over HTTP, read and set by the service, dropped by it, and made stale by a write."""

    path: str
    member: str | None
    get: Callable[[CacheService, Api], Any]
    set: Callable[[CacheService, Api, Any], bool]
    invalidate: Callable[[CacheService, Api], Any]
    write: Callable[[Api], Any]


def log() -> int:
    return resource_id("mutterwood-log")


def known() -> int:
    return profession_id("timberhand")


def next_weather(_: Api) -> None:
    weather_set(weather_id=Weather.objects.filter(is_active=False).values_list("pk", flat=True)[0])


FAMILIES = {
    "environment": Family(
        "/api/environment/current", None,
        lambda cache, _: cache.get_current_environment(),
        lambda cache, _, value: cache.set_current_environment(value),
        lambda cache, _: cache.invalidate_environment(),
        next_weather,
    ),
    "weather": Family(
        "/api/environment/weather", None,
        lambda cache, _: cache.get_current_weather(),
        lambda cache, _, value: cache.set_current_weather(value),
        lambda cache, _: cache.invalidate_environment(),
        next_weather,
    ),
    "market": Family(
        "/api/market/listings", "listings",
        lambda cache, _: cache.get_market_listings(),
        lambda cache, _, value: cache.set_market_listings(value),
        lambda cache, _: cache.invalidate_market_cache(),
        lambda ada: ada.sells("mutterwood-log", 1, 9),
    ),
    "a resource's market": Family(
        "/api/market/listings?resource_id={log}", "listings",
        lambda cache, _: cache.get_market_listings(log()),
        lambda cache, _, value: cache.set_market_listings(value, log()),
        lambda cache, _: cache.invalidate_market_cache(log()),
        lambda ada: ada.sells("mutterwood-log", 1, 9),
    ),
    "leaderboard": Family(
        "/api/leaderboard", "leaderboard",
        lambda cache, _: cache.get_leaderboard(),
        lambda cache, _, value: cache.set_leaderboard(value),
        lambda cache, _: cache.invalidate_leaderboard(),
        # The refresh fills the first page again itself.
        lambda _: leaderboard_refresh(wait=True),
    ),
    "a short leaderboard": Family(
        "/api/leaderboard?limit=10", "leaderboard",
        lambda cache, _: cache.get_leaderboard(limit=10),
        lambda cache, _, value: cache.set_leaderboard(value, limit=10),
        lambda cache, _: cache.invalidate_leaderboard(),
        lambda _: leaderboard_refresh(wait=True),
    ),
    "inventory": Family(
        "/api/inventory", "inventory",
        lambda cache, ada: cache.get_user_inventory(ada.id),
        lambda cache, ada, value: cache.set_user_inventory(ada.id, value),
        lambda cache, ada: cache.invalidate_user_inventory(ada.id),
        lambda ada: ada.grant(mutterwood_log=1),
    ),
}  # fmt: skip
IDS = list(FAMILIES)


@pytest.fixture
def player(ada: Api) -> Api:
    """A player who has something to show in every family."""
    ada.post(f"/api/professions/{known()}/join")
    ada.post(f"/api/professions/{profession_id('sawyer')}/join")
    ada.grant(mutterwood_log=9)
    ada.sells("mutterwood-log", 2, 12)
    leaderboard_refresh(wait=True)
    redis().flushdb()
    return ada


def over_http(family: Family, player: Api) -> tuple[str, Any]:
    """How the API answers, and with what."""
    answer = player.get(family.path.format(log=log()))
    assert answer.status_code == 200, answer.content
    body = answer.json()
    body.pop("source", None)
    return answer["X-Cache"], body[family.member] if family.member else body


def changed(value: Any) -> Any:
    """The same value with something in it that PostgreSQL does not say."""
    if isinstance(value, list):
        return [changed(row) for row in value]
    return {
        name: changed(each) if isinstance(each, dict) else "Changed" if name.endswith(("name", "login")) else each
        for name, each in value.items()
    }


@pytest.mark.parametrize("name", IDS)
def test_what_a_read_of_the_api_has_stored_is_what_the_service_gets(
    cache: CacheService, player: Api, name: str
) -> None:
    family = FAMILIES[name]
    assert family.get(cache, player) is None
    outcome, shown = over_http(family, player)
    assert outcome == "MISS"
    assert shown
    with queries() as sql:
        assert family.get(cache, player) == shown
    # All that is asked is the id of the resource that the test itself names.
    assert [query for query in sql if "slug" not in query] == []


@pytest.mark.parametrize("name", IDS)
def test_what_the_service_sets_is_what_the_api_serves(cache: CacheService, player: Api, name: str) -> None:
    family = FAMILIES[name]
    value = changed(over_http(family, player)[1])
    assert "Changed" in json.dumps(value)
    redis().flushdb()
    assert family.set(cache, player, value) is True
    assert family.get(cache, player) == value
    assert over_http(family, player) == ("HIT", value)


@pytest.mark.parametrize("name", IDS)
def test_a_setter_replaces_what_the_api_had_stored(cache: CacheService, player: Api, name: str) -> None:
    family = FAMILIES[name]
    value = changed(over_http(family, player)[1])
    assert family.set(cache, player, value) is True
    assert over_http(family, player) == ("HIT", value)


@pytest.mark.parametrize("name", IDS)
def test_a_write_makes_both_miss(cache: CacheService, player: Api, name: str) -> None:
    family = FAMILIES[name]
    before = over_http(family, player)[1]
    family.set(cache, player, changed(before))
    family.write(player)
    gotten = family.get(cache, player)
    outcome, after = over_http(family, player)
    assert "Changed" not in json.dumps(after)
    if name == "leaderboard":
        assert (gotten, outcome) == (after, "HIT")
    else:
        assert (gotten, outcome) == (None, "MISS")
    assert after != before


@pytest.mark.parametrize("name", IDS)
def test_an_invalidation_of_the_service_makes_both_miss(cache: CacheService, player: Api, name: str) -> None:
    family = FAMILIES[name]
    family.set(cache, player, changed(over_http(family, player)[1]))
    assert family.invalidate(cache, player) is True
    assert family.get(cache, player) is None
    outcome, after = over_http(family, player)
    assert outcome == "MISS"
    assert "Changed" not in json.dumps(after)


@pytest.mark.parametrize("name", IDS)
def test_what_is_set_lives_as_long_as_what_the_api_stores(cache: CacheService, player: Api, name: str) -> None:
    family = FAMILIES[name]
    value = over_http(family, player)[1]
    (key,) = [key for key in redis().keys("*") if key.startswith((b"env:", b"market:", b"leaderboard:", b"inventory:"))]
    kind = redis().type(key)
    fields = redis().hkeys(key) if kind == b"hash" else None
    redis().flushdb()
    family.set(cache, player, value)
    (entry,) = [each for each in invalidation.entries() if fnmatchcase(key.decode(), each.pattern)]
    life = getattr(settings, entry.ttl) if isinstance(entry.ttl, str) else entry.ttl
    assert life * 1000 - 5000 < redis().pttl(key) <= life * 1000
    assert redis().type(key) == kind
    # The API's default call and the service name the variant alike.
    assert (redis().hkeys(key) if kind == b"hash" else None) == fields
    assert redis().keys("lease:*") == []


def test_an_empty_list_is_a_value(cache: CacheService, ada: Api) -> None:
    assert cache.set_user_inventory(ada.id, []) is True
    assert cache.get_user_inventory(ada.id) == []
    assert cache.set_market_listings([]) is True
    assert cache.get_market_listings() == []
    assert cache.set_leaderboard([]) is True
    assert cache.get_leaderboard() == []
    assert ada.get("/api/leaderboard")["X-Cache"] == "HIT"


def test_the_season_is_shared_with_its_entry(cache: CacheService) -> None:
    assert cache.get_current_season() is None
    answer = SEASON.get()
    assert answer is not None
    assert cache.get_current_season() == answer.data()
    assert cache.set_current_season({**answer.data(), "name": "Changed"}) is True
    again = SEASON.get()
    assert again is not None
    assert (again.outcome, again.data()) == ("HIT", cache.get_current_season())
    season = Season.objects.get(pk=answer.data()["id"])
    season.crafting_multiplier += Decimal("0.1")
    season.save()
    assert cache.get_current_season() is None


def test_recipes_are_kept_by_profession_and_dropped_by_player(cache: CacheService, player: Api) -> None:
    variant = {"profession_id": known()}
    rows = [{"id": 1, "slug": "a", "name": "A", "craftable": True, "missing": []}]
    assert cache.set_craftable_recipes(player.id, known(), rows) is True
    again = KNOWN_RECIPES.get({"player_id": player.id}, variant)
    assert again is not None
    assert (again.outcome, again.data()["recipes"]) == ("HIT", rows)
    assert cache.get_craftable_recipes(player.id, known()) == rows
    assert cache.get_craftable_recipes(player.id, profession_id("sawyer")) is None
    # The API's own page of all professions is another field of the same hash.
    assert player.get("/api/recipes/known")["X-Cache"] == "MISS"
    assert cache.get_craftable_recipes(player.id, known()) == rows

    player.grant(mutterwood_log=1)
    assert cache.get_craftable_recipes(player.id, known()) is None

    cache.set_craftable_recipes(player.id, known(), rows)
    cache.set_craftable_recipes(player.id, profession_id("sawyer"), rows)
    assert cache.invalidate_user_recipes(player.id) is True
    assert cache.get_craftable_recipes(player.id, known()) is None
    assert cache.get_craftable_recipes(player.id, profession_id("sawyer")) is None


def test_a_change_of_a_whole_family_makes_what_was_set_a_miss(cache: CacheService, player: Api) -> None:
    cache.set_user_inventory(player.id, [])
    resource = Resource.objects.get(slug="mutterwood-log")
    resource.name = "Changed"
    resource.save()
    assert cache.get_user_inventory(player.id) is None
    assert over_http(FAMILIES["inventory"], player)[0] == "MISS"


def test_a_setter_leaves_the_other_pages_of_a_hash_alone(cache: CacheService, player: Api) -> None:
    player.get("/api/market/listings?ordering=-unit_price")
    player.get("/api/market/listings")
    cache.set_market_listings([])
    assert player.get("/api/market/listings?ordering=-unit_price")["X-Cache"] == "HIT"
    assert player.get("/api/market/listings").json()["listings"] == []


def test_a_resources_invalidation_drops_the_pages_over_all_too_and_no_others(cache: CacheService) -> None:
    plank = resource_id("mutterwood-plank")
    for resource in (None, log(), plank):
        cache.set_market_listings([], resource)
    assert cache.invalidate_market_cache(log()) is True
    assert [cache.get_market_listings(each) for each in (None, log(), plank)] == [None, None, []]


def test_without_a_resource_the_whole_market_is_dropped_with_the_fills_that_run(cache: CacheService) -> None:
    for resource in (None, log(), 10**6):
        cache.set_market_listings([], resource)
    store.lease(f"market:listings:active:{log() + 1}", "{}", "token", hashed=True)
    assert cache.invalidate_market_cache() is True
    assert [cache.get_market_listings(each) for each in (None, log(), 10**6)] == [None, None, None]
    assert redis().keys("*market:*") == []
    assert cache.invalidate_market_cache() is True


def test_times_and_decimals_are_stored_as_the_api_shows_them(cache: CacheService) -> None:
    value = {"id": 1, "name": "Rain", "crafting_multiplier": Decimal("1.25"), "at": datetime(2026, 1, 31, tzinfo=UTC)}
    cache.set_current_weather(value)
    assert cache.get_current_weather() == {
        "id": 1, "name": "Rain", "crafting_multiplier": 1.25, "at": "2026-01-31T00:00:00.000000Z",
    }  # fmt: skip


@pytest.mark.parametrize("value", [{}, [], None, {"a": float("nan")}, {"a": Decimal("NaN")}, {"a": object()}])
def test_a_family_refuses_what_is_no_json_object_before_anything_is_sent(cache: CacheService, value: Any) -> None:
    with redis_commands() as commands, pytest.raises((TypeError, ValueError)):
        cache.set_current_weather(value)
    assert commands == []


def test_nothing_is_set_behind_the_fence_of_a_write_that_is_being_committed(cache: CacheService) -> None:
    until = int(time.time() * 1000) + 10_000
    redis().hset(store.fence_key("env:weather:current"), "mark", until)
    redis().hset(store.fence_key("gen:inventory"), "mark", until)
    assert cache.set_current_weather({"id": 1}) is False
    assert cache.set_user_inventory(1, []) is False
    assert cache.invalidate_environment() is True
    assert cache.set_current_weather({"id": 1}) is False
    assert cache.get_current_weather() is None


def test_a_setter_takes_the_lease_from_a_fill_that_runs(cache: CacheService, player: Api) -> None:
    lease = store.lease("env:weather:current", variant_name({}), "token")
    assert lease.granted
    assert cache.set_current_weather({"id": 1, "name": "Set"}) is True
    late = store.fill(
        "env:weather:current", variant_name({}), "token", b'{"id":2}', 60_000,
        hashed=False, generation_key="", lease=lease,
    )  # fmt: skip
    assert late is False
    assert cache.get_current_weather() == {"id": 1, "name": "Set"}


def test_a_setter_that_a_write_overtakes_stores_nothing(cache: CacheService, monkeypatch: pytest.MonkeyPatch) -> None:
    def slow_to_fill(redis: Any, script: scripts.Script, keys: list[str], args: list[Any]) -> Any:
        if script is scripts.FILL:
            monkeypatch.undo()
            next_weather(Api())
        return run(redis, script, keys, args)

    run = scripts.run
    monkeypatch.setattr(scripts, "run", slow_to_fill)
    assert cache.set_current_weather({"id": 1, "name": "Old"}) is False
    assert cache.get_current_weather() is None


def test_the_generic_get_shows_a_value_of_the_api_without_its_stamp(cache: CacheService, player: Api) -> None:
    shown = over_http(FAMILIES["weather"], player)[1]
    assert b'"cached":' in redis().get("env:weather:current")
    assert cache.get("env:weather:current") == shown


def test_a_key_that_no_app_declares_is_said_so() -> None:
    with pytest.raises(LookupError, match="declares"):
        service._entry("nobody:{id}")
