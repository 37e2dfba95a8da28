"""CacheService and the API's sessions."""

from typing import Any

from django.conf import settings

from accounts.services import session_end
from bcraftd.cache import store
from bcraftd.cache.service import CacheService
from tests.support import Api, queries

SESSION = {"session_id": "s", "player_id": 1, "login": "ada"}


def redis() -> Any:
    return store.client()


def test_a_session_of_the_api_is_one_of_the_service(cache: CacheService, ada: Api) -> None:
    session_id = ada.session["session_id"]
    session = cache.get_session(session_id)
    assert session is not None
    assert (session["player_id"], session["login"], session["session_id"]) == (ada.id, "ada", session_id)

    assert cache.set_session(session_id, {**session, "role": "operator"}) is True
    with queries() as sql:
        assert ada.get("/api/inventory")["X-Cache"] == "MISS"
    assert not [query for query in sql if "playersession" in query]
    assert cache.get_session(session_id) == {**session, "role": "operator"}

    session_end(player_id=ada.id, session_id=session_id)
    assert cache.get_session(session_id) is None
    assert ada.get("/api/inventory").status_code == 401


def test_a_deleted_session_goes_on_from_its_row(cache: CacheService, ada: Api) -> None:
    session_id = ada.session["session_id"]
    assert cache.delete_session(session_id) is True
    assert cache.delete_session(session_id) is False
    assert cache.get_session(session_id) is None
    assert ada.get("/api/inventory").status_code == 200
    assert cache.get_session(session_id) is not None


def test_a_session_lives_as_long_as_the_setting_says_or_the_caller(cache: CacheService) -> None:
    def life() -> int:
        return int(redis().pttl("session:s"))

    day = settings.CACHE_SESSION_TTL * 1000
    cache.set_session("s", SESSION)
    assert day - 5000 < life() <= day
    cache.set_session("s", SESSION, ttl=100)
    assert 95_000 < life() <= 100_000
    cache.get_session("s")
    assert life() <= 100_000
    assert cache.refresh_session("s", ttl=200) is True
    assert 195_000 < life() <= 200_000
    assert cache.refresh_session("s") is True
    assert day - 5000 < life() <= day
    assert cache.get_session("s") == SESSION
    assert cache.refresh_session("nobody") is False
