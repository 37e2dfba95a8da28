"""Redis stopped, hung and back: slower, and nothing else. The real server is stopped and paused."""

from collections.abc import Iterator
from typing import Any

import pytest

from bcraftd.cache import outbox, store
from tests import servers
from tests.support import Api, profession_id, recipe_id, redis_is_back, resource_id


@pytest.fixture
def no_redis(world: None) -> Iterator[None]:
    """Redis is stopped for the test."""
    servers.redis_stop()
    try:
        yield
    finally:
        servers.redis_start()
        redis_is_back()


def test_a_whole_game_is_played_with_redis_stopped(no_redis: None) -> None:
    ada = Api.signed_up("ada", "correct horse battery")
    bob = Api.signed_up("bob", "correct horse battery")
    log = resource_id("mutterwood-log")
    assert ada.post(f"/api/professions/{profession_id('timberhand')}/join").status_code == 201
    assert ada.post(f"/api/professions/{profession_id('sawyer')}/join").status_code == 201
    gathered = ada.post("/api/gather", resource_id=log)
    assert gathered.status_code == 200
    ada.grant(mutterwood_log=20)
    assert ada.holds("mutterwood-log") == 20 + gathered.json()["quantity"]
    assert ada.post("/api/craft", recipe_id=recipe_id("saw-mutterwood-planks"), quantity=2).status_code == 200
    listing = ada.sells("mutterwood-log", 5, 10)
    for page in ("/api/market/listings", f"/api/market/listings?resource_id={log}"):
        answer = bob.get(page)
        assert answer["X-Cache"] == "BYPASS"
        assert [row["remaining"] for row in answer.json()["listings"]] == [5]
    assert bob.post(f"/api/market/listings/{listing['id']}/buy", quantity=2).status_code == 200
    assert bob.get("/api/market/listings").json()["listings"][0]["remaining"] == 3
    assert ada.post(f"/api/market/listings/{listing['id']}/cancel").status_code == 200
    assert bob.get("/api/market/listings").json()["listings"] == []
    assert (ada.coins(), bob.coins()) == (1000 + 20 - 1, 1000 - 20)


READS = [
    "/api/environment/current", "/api/environment/weather", "/api/environment/forecast", "/api/resources",
    "/api/recipes", "/api/professions", "/api/inventory", "/api/inventory/movements", "/api/wallet/entries",
    "/api/recipes/known", "/api/market/listings", "/api/market/listings/mine", "/api/market/trades",
    "/api/leaderboard", "/api/leaderboard/me", "/api/auth/me", "/api/auth/sessions",
]  # fmt: skip


def test_every_read_answers_the_same_with_redis_stopped(ada: Api) -> None:
    before = {path: _facts(ada.get(path)) for path in READS}
    servers.redis_stop()
    try:
        without = {path: _facts(ada.get(path)) for path in READS}
    finally:
        servers.redis_start()
        redis_is_back()
    assert without == before


def _facts(answer: Any) -> Any:
    """An answer's body without what differs by the moment."""
    assert answer.status_code == 200, answer.content
    body = answer.json()
    for moment in ("source", "timestamp"):
        body.pop(moment, None)
    for session in body.get("sessions", []):
        session.pop("last_seen_at")
    if "forecast" in body:
        return [spell["starts_at"] for spell in body["forecast"]]
    return body


def test_logging_in_out_and_changing_the_password_works_with_redis_stopped(no_redis: None) -> None:
    ada = Api.signed_up("ada", "correct horse battery")
    other = Api.signed_in("ada", "correct horse battery")
    changed = ada.post("/api/auth/password", old_password="correct horse battery", new_password="staple battery horse")
    assert changed.status_code == 200
    assert other.get("/api/auth/me").json()["code"] == "session_expired"
    assert ada.get("/api/auth/me").status_code == 200
    assert ada.post("/api/auth/logout").status_code == 200
    assert ada.get("/api/auth/me").json()["code"] == "session_expired"
    assert Api().post("/api/auth/login", login="ada", password="staple battery horse").status_code == 200


def test_a_drop_that_redis_did_not_take_is_replayed_before_this_process_serves_from_it(ada: Api) -> None:
    ada.grant(mutterwood_log=1)
    assert ada.get("/api/inventory")["X-Cache"] == "MISS"
    assert ada.get("/api/inventory")["X-Cache"] == "HIT"
    servers.redis_stop()
    try:
        ada.grant(mutterwood_log=1)
        assert outbox.depth() > 0
        assert ada.holds("mutterwood-log") == 2
    finally:
        servers.redis_start()
    # Redis came back with the data that it had, the old inventory among it.
    redis_is_back()
    answer = ada.get("/api/inventory")
    assert answer["X-Cache"] == "MISS"
    assert answer.json()["inventory"][0]["quantity"] == 2
    assert outbox.depth() == 0


def _breaker_is_open() -> bool:
    return store.breaker.is_open


def test_a_hung_redis_costs_one_timeout_and_then_none(ada: Api) -> None:
    ada.get("/api/resources")
    servers.redis_pause()
    try:
        assert ada.get("/api/resources")["X-Cache"] == "BYPASS"
        assert _breaker_is_open()
        # While the breaker is open nothing is sent: what would wait is never asked.
        opened = store.breaker.opened
        assert ada.get("/api/inventory")["X-Cache"] == "BYPASS"
        assert store.breaker.opened == opened
    finally:
        servers.redis_resume()
    redis_is_back()
    assert not _breaker_is_open()
    assert ada.get("/api/resources")["X-Cache"] == "HIT"
