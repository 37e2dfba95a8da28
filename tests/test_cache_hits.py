"""What a hit costs and how a value stands in Redis: one command, no SQL, JSON with a life."""

from typing import Any, cast

import pytest

from bcraftd.cache import store
from tests.cache_audits import HOT
from tests.support import Api, queries, redis_commands, resource_id, unstamped

IDS = [path for path, *_ in HOT]


@pytest.mark.parametrize(("path", "key", "life", "command"), HOT, ids=IDS)
def test_a_hit_runs_no_sql_and_one_redis_command(ada: Api, path: str, key: str, life: int, command: str) -> None:
    places = {"log": resource_id("mutterwood-log"), "player": ada.id}
    path, key = path.format(**places), key.format(**places)
    first = ada.get(path)
    assert first["X-Cache"] == "MISS"

    with queries() as sql, redis_commands() as commands:
        second = ada.get(path)

    assert second["X-Cache"] == "HIT"
    assert sql == []
    # The session is one command of its own (GETEX), which also slides its life on.
    assert [words[0] for words in commands] == ["GETEX", command]
    if "source" in second.json():
        assert (first.json()["source"], second.json()["source"]) == ("database", "cache")
    assert {**first.json(), "source": ""} == {**second.json(), "source": ""}


@pytest.mark.parametrize(("path", "key", "life", "command"), HOT, ids=IDS)
def test_the_value_stands_in_redis_as_json_with_a_life(ada: Api, path: str, key: str, life: int, command: str) -> None:
    places = {"log": resource_id("mutterwood-log"), "player": ada.id}
    path, key = path.format(**places), key.format(**places)
    sent = ada.get(path).json()
    redis = cast("Any", store.client())

    kind = redis.type(key).decode()
    values = redis.hvals(key) if kind == "hash" else [redis.get(key)]

    assert kind == ("string" if command in ("GET", "MGET") else "hash")
    assert 0 < redis.pttl(key) <= life * 1000
    sent.pop("source", None)
    assert sent in [unstamped(raw) for raw in values]


@pytest.mark.parametrize(("path", "key", "life", "command"), HOT, ids=IDS)
def test_what_the_client_already_has_is_answered_with_304_and_no_sql(
    ada: Api, path: str, key: str, life: int, command: str
) -> None:
    path = path.format(log=resource_id("mutterwood-log"))
    first = ada.get(path)
    private = path.startswith(("/api/inventory", "/api/recipes/known"))
    assert first["Cache-Control"] == ("private, no-cache" if private else "public, no-cache")
    assert first["ETag"].startswith('W/"')

    with queries() as sql:
        second = ada.get(path, If_None_Match=first["ETag"])

    assert (second.status_code, second.content, sql) == (304, b"", [])
    assert second["ETag"] == first["ETag"]
    assert second["X-Cache"] == "HIT"
    assert ada.get(path, If_None_Match='W/"something-else"').status_code == 200


def test_an_empty_list_is_a_value(ada: Api) -> None:
    for path in ("/api/inventory", "/api/market/listings", "/api/recipes/known"):
        assert ada.get(path)["X-Cache"] == "MISS"
        assert ada.get(path)["X-Cache"] == "HIT", path


def test_no_key_is_without_an_end_but_the_generations(ada: Api) -> None:
    for path, *_ in HOT:
        ada.get(path.format(log=resource_id("mutterwood-log")))
    redis = cast("Any", store.client())
    endless = {key.decode() for key in redis.scan_iter() if redis.ttl(key) == -1}
    assert {key for key in endless if not key.startswith(("gen:", "stats:", "activity:"))} == set()


def test_with_the_cache_off_every_read_goes_to_postgresql(ada: Api, settings: Any) -> None:
    settings.CACHE_ENABLED = False
    for path in ("/api/resources", "/api/inventory"):
        for _ in range(2):
            answer = ada.get(path)
            assert answer["X-Cache"] == "BYPASS"
            assert answer.json()["source"] == "database"
