"""manage.py cache_keys: the live keys of each family."""

import json
from typing import Any

import pytest
from django.core.management import CommandError

from bcraftd.cache import background, store
from tests.programs import command
from tests.servers import redis_start, redis_stop
from tests.support import Api, resource_id, setting


def _keys(*words: str) -> list[dict[str, Any]]:
    found = json.loads(command("cache_keys", "--json", *words))
    assert isinstance(found, list)
    return found


@pytest.fixture
def busy(ada: Api) -> Api:
    """Somebody has looked at everything that is kept in Redis."""
    ada.grant(mutterwood_log=2)
    made = ada.sells("mutterwood-log", 1, 5)
    with setting(RATE_LIMIT_DEFAULT=(60, 60)):
        ada.get("/api/market/listings")
    for path in (
        f"/api/market/listings?resource_id={resource_id('mutterwood-log')}",
        f"/api/market/listings/{made['id']}",
        "/api/environment/current",
        "/api/leaderboard",
        "/api/inventory",
        "/api/recipes/known",
        "/api/professions",
    ):
        assert ada.get(path).status_code == 200
    background.flush()
    return ada


def test_every_family_is_listed_with_type_life_and_size(busy: Api) -> None:
    found = _keys()

    assert all(set(row) == {"key", "family", "type", "ttl", "size"} for row in found)
    assert all(isinstance(row["size"], int) and row["size"] > 0 for row in found)
    by_key = {row["key"]: row for row in found}
    assert len(by_key) == len(found), "each key once"
    session = busy.session["session_id"]
    for key, family, kind, longest in [
        ("market:listings:active:all", "market", "hash", 60),
        (f"market:listings:active:{resource_id('mutterwood-log')}", "market", "hash", 60),
        ("env:current", "environment", "string", 3600),
        ("leaderboard:board", "leaderboard", "hash", 300),
        (f"inventory:user:{busy.id}", "inventory", "string", 30),
        (f"recipes:user:{busy.id}", "recipes", "hash", 300),
        ("catalogue:professions", "catalogue", "hash", 3600),
        (f"session:{session}", "sessions", "string", 86400),
    ]:
        row = by_key[key]
        assert (row["family"], row["type"]) == (family, kind), key
        assert 0 <= row["ttl"] <= longest, key
    assert [row["family"] for row in found if row["key"].startswith("rl:")] == ["rate_limits"]
    assert by_key["activity:listing_views"]["ttl"] is None, "it is kept until it is written"
    assert {row["family"] for row in found} == {
        "market", "environment", "leaderboard", "inventory", "recipes", "catalogue", "sessions", "rate_limits",
        "activity",
    }  # fmt: skip


def test_what_is_no_key_of_a_family_is_left_out(busy: Api) -> None:
    store.client().set("foreign:key", "1")
    everything = {key.decode() for key in store.client().keys("*")}  # type: ignore[union-attr]

    shown = {row["key"] for row in _keys()}

    assert "foreign:key" not in shown
    assert not any(key.startswith(("lease:", "gen:", "stats:")) for key in shown)
    assert shown < everything


@pytest.mark.parametrize(
    ("family", "prefix"),
    [("market", "market:"), ("sessions", "session:"), ("activity", "activity:"), ("rate_limits", "rl:")],
)
def test_one_family_shows_just_its_own(busy: Api, family: str, prefix: str) -> None:
    found = _keys("--family", family)

    assert found
    assert all(row["family"] == family and row["key"].startswith(prefix) for row in found)


def test_an_empty_redis_has_none(world: None) -> None:
    assert _keys() == []


def test_for_people_it_is_a_table_with_whole_keys(busy: Api) -> None:
    shown = command("cache_keys")

    assert f"session:{busy.session['session_id']}" in shown
    assert "market:listings:active:all" in shown


def test_an_unknown_family_is_refused(world: None) -> None:
    with pytest.raises(CommandError, match="invalid choice: 'coins'"):
        command("cache_keys", "--family", "coins")


def test_without_redis_it_says_so(world: None) -> None:
    redis_stop()
    try:
        with pytest.raises(CommandError, match="Redis does not answer"):
            command("cache_keys")
    finally:
        redis_start()
