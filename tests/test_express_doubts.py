"""The express lane leaves to Django what is not a plain hit, counts each request once, and believes nothing old."""

from collections.abc import Iterator
from datetime import timedelta
from ipaddress import ip_network
from typing import Any

import pytest
from django.utils import timezone
from prometheus_client import REGISTRY

from accounts import tokens
from accounts.cache import LAST_SEEN
from accounts.models import Player
from bcraftd.cache import background, stamp, stats, store
from environment.models import Weather
from inventory.models import Resource
from tests import servers
from tests.lane import Lane
from tests.support import Api, redis_is_back, resource_id, setting

pytestmark = pytest.mark.usefixtures("world")

CHANGES: dict[str, dict[str, Any]] = {
    "HEAD": {"REQUEST_METHOD": "HEAD"},
    "POST": {"REQUEST_METHOD": "POST"},
    "a slash at the end": {"PATH_INFO": "/api/market/listings/"},
    "another path": {"PATH_INFO": "/api/market/listings/1"},
    "below a path": {"PATH_INFO": "/api/market/listings/x/y"},
    "an unknown parameter": {"QUERY_STRING": "page=2"},
    "a parameter twice": {"QUERY_STRING": "limit=50&limit=50"},
    "a number in another form": {"QUERY_STRING": "limit=050"},
    "a sign": {"QUERY_STRING": "limit=%2B50"},
    "an escape": {"QUERY_STRING": "ordering=unit%5Fprice"},
    "no value": {"QUERY_STRING": "limit="},
    "no equals sign": {"QUERY_STRING": "limit"},
    "an empty pair": {"QUERY_STRING": "limit=50&"},
    "a semicolon": {"QUERY_STRING": "limit=50;ordering=unit_price"},
    "a very long query": {"QUERY_STRING": "cursor=" + "a" * 2000},
    "a page over the limit": {"QUERY_STRING": "limit=101"},
    "an unknown ordering": {"QUERY_STRING": "ordering=price"},
    "other digits": {"QUERY_STRING": "limit=\u0665\u0660"},
    "HTML": {"HTTP_ACCEPT": "text/html"},
    "not JSON": {"HTTP_ACCEPT": "application/json;q=0"},
    "a body": {"CONTENT_LENGTH": "2"},
    "a body in chunks": {"HTTP_TRANSFER_ENCODING": "chunked"},
    "no host": {"HTTP_HOST": None},
    "another host": {"HTTP_HOST": "example.org"},
    "a host that is none": {"HTTP_HOST": "local host"},
    "a token that is none": {"HTTP_AUTHORIZATION": "Bearer abc"},
    "another scheme": {"HTTP_AUTHORIZATION": "Basic YWRhOmFkYQ=="},
    "no token": {"HTTP_AUTHORIZATION": ""},
    "a NUL": {"HTTP_IF_NONE_MATCH": "\0"},
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_what_is_not_plain_is_for_django(lane: Lane, market: Api, change: dict[str, Any]) -> None:
    path = "/api/market/listings"
    lane.warm(path)

    found = lane.get(path, **change)

    assert lane.handed == 1
    wanted = lane.get(path, lane=False, **change)
    assert found.status == wanted.status
    assert set(found.names) == set(wanted.names)


def test_an_id_in_another_form_is_for_django(lane: Lane, market: Api) -> None:
    wood = resource_id("mutterwood-log")
    lane.warm(f"/api/resources/{wood}")
    statuses = [lane.get(f"/api/resources/{each}").status[:3] for each in (f"0{wood}", f"{wood}/", "x", "9" * 30, "-1")]
    assert (statuses, lane.handed) == (["404", "200", "404", "404", "404"], 5)


def test_a_player_sees_only_their_own(lane: Lane, market: Api, bob: Api) -> None:
    lane.warm("/api/inventory", market)
    bob.grant(mutterwood_log=77)
    lane.warm("/api/inventory", bob)
    mine, theirs = lane.get("/api/inventory", market), lane.get("/api/inventory", bob)
    assert (b'"quantity":77' in mine.body, b'"quantity":77' in theirs.body, lane.handed) == (False, True, 0)
    assert lane.get("/api/inventory").status[:3] == "401"


def test_a_token_of_another_player_and_session_is_for_django(lane: Lane, market: Api, bob: Api) -> None:
    lane.warm("/api/inventory", market)
    assert lane.get("/api/inventory", market, HTTP_X_SESSION_ID=market.session["session_id"]).status[:3] == "200"
    assert lane.get("/api/inventory", market, HTTP_X_SESSION_ID=bob.session["session_id"]).status[:3] == "401"
    # Signed by us, but of a session that is not the player's.
    pair = tokens.issue(player_id=market.id, session_id=bob.session["session_id"], refresh_id="0" * 32)
    assert lane.get("/api/inventory", HTTP_AUTHORIZATION=f"Bearer {pair.access_token}").status[:3] == "401"
    assert lane.handed == 2


def test_a_session_that_was_ended_is_dead_at_once(lane: Lane, market: Api) -> None:
    lane.warm("/api/inventory", market)
    lane.warm("/api/professions", market)
    assert lane.get("/api/inventory", market).status[:3] == "200"

    assert market.post("/api/auth/logout").status_code == 200

    assert lane.get("/api/inventory", market).status[:3] == "401"
    # Public pages stay public; who is not signed in any more is counted by address.
    assert lane.get("/api/professions", market).status[:3] == "200"
    assert lane.handed == 2


def test_a_player_who_is_shut_out_is_shut_out_here(lane: Lane, market: Api) -> None:
    lane.warm("/api/inventory", market)
    Player.objects.filter(pk=market.id).update(is_active=False)
    assert lane.get("/api/inventory", market).status[:3] == "401"


def test_a_token_past_its_expiry_is_none(lane: Lane, market: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    lane.warm("/api/inventory", market)
    assert lane.get("/api/inventory", market).status[:3] == "200"
    later = timezone.now() + timedelta(minutes=16)
    monkeypatch.setattr("accounts.tokens.time.time", later.timestamp)
    monkeypatch.setattr("rest_framework_simplejwt.tokens.aware_utcnow", lambda: later)
    assert lane.get("/api/inventory", market).status[:3] == "401"


def test_a_session_is_slid_on_and_was_seen(lane: Lane, market: Api) -> None:
    lane.warm("/api/inventory", market)
    key = f"session:{market.session['session_id']}"
    store.client().expire(key, 100)
    background.flush()
    store.client().delete(LAST_SEEN.key)

    lane.get("/api/inventory", market)

    assert 86400 - 60 < store.client().ttl(key) <= 86400
    background.flush()
    seen = store.client().hget(LAST_SEEN.key, market.session["session_id"])
    assert seen is not None
    assert abs(int(seen) - timezone.now().timestamp()) < 60


def test_hits_are_counted(lane: Lane, market: Api) -> None:
    lane.warm("/api/inventory", market)
    before = [stats.read(family)["hits"] for family in ("inventory", "sessions")]
    shown = {"endpoint": "/api/inventory", "method": "GET", "lane": "express"}
    observed = REGISTRY.get_sample_value("bcraftd_http_request_seconds_count", shown) or 0

    for _ in range(3):
        lane.get("/api/inventory", market)

    assert [stats.read(family)["hits"] for family in ("inventory", "sessions")] == [each + 3 for each in before]
    assert REGISTRY.get_sample_value("bcraftd_http_request_seconds_count", shown) == observed + 3


def count(caller: str) -> int:
    return int(store.client().get(f"rl:all:{caller}") or 0)


def test_a_request_is_counted_once_wherever_it_is_answered(lane: Lane, market: Api) -> None:
    store.client().delete(f"rl:all:player:{market.id}")
    lane.get("/api/professions", market)
    assert (lane.handed, count(f"player:{market.id}")) == (1, 1)
    lane.get("/api/professions", market)
    assert (lane.handed, count(f"player:{market.id}")) == (1, 2)
    lane.get("/api/professions?x=1", market)
    assert (lane.handed, count(f"player:{market.id}")) == (2, 3)
    lane.get("/api/professions", REMOTE_ADDR="192.0.2.7")
    assert (lane.handed, count("address:192.0.2.7")) == (2, 1)
    lane.get("/api/professions", REMOTE_ADDR="2001:db8::1:2:3")
    assert count("address:2001:db8::") == 1


def test_the_address_is_the_one_that_a_trusted_proxy_names(lane: Lane) -> None:
    lane.warm("/api/professions")
    forwarded: dict[str, Any] = {"REMOTE_ADDR": "192.0.2.7", "HTTP_X_FORWARDED_FOR": "198.51.100.9"}
    lane.get("/api/professions", **forwarded)
    assert (count("address:192.0.2.7"), count("address:198.51.100.9")) == (1, 0)
    with setting(TRUSTED_PROXIES=[ip_network("192.0.2.0/24")]):
        lane.get("/api/professions", **forwarded)
    assert (count("address:192.0.2.7"), count("address:198.51.100.9")) == (1, 1)
    assert lane.handed == 0


def test_past_the_limit_django_refuses_and_the_counter_ends_by_itself(lane: Lane, market: Api) -> None:
    lane.warm("/api/professions")
    store.client().delete("rl:all:address:127.0.0.1")
    with setting(RATE_LIMIT_DEFAULT=(3, 60)):
        replies = [lane.get("/api/professions") for _ in range(5)]
    assert [reply.status[:3] for reply in replies] == ["200", "200", "200", "429", "429"]
    assert [reply.names["X-RateLimit-Remaining"] for reply in replies] == ["2", "1", "0", "0", "0"]
    assert "Retry-After" in replies[3].names
    assert lane.handed == 2
    assert 0 < store.client().ttl("rl:all:address:127.0.0.1") <= 60


def test_a_counter_that_lost_its_end_gets_one(lane: Lane) -> None:
    lane.warm("/api/professions")
    store.client().persist("rl:all:address:127.0.0.1")
    lane.get("/api/professions")
    assert (lane.handed, 0 < store.client().ttl("rl:all:address:127.0.0.1") <= 60) == (0, True)


def test_without_a_limit_nothing_is_counted_or_said(lane: Lane) -> None:
    with setting(RATE_LIMIT_DEFAULT=None):
        lane.warm("/api/professions")
        store.client().delete("rl:all:address:127.0.0.1")
        reply = lane.get("/api/professions")
    assert (lane.handed, count("address:127.0.0.1")) == (0, 0)
    assert [name for name in reply.names if name.startswith("X-RateLimit")] == []


def test_what_a_write_made_stale_is_not_answered(lane: Lane, market: Api) -> None:
    paths = ["/api/inventory", "/api/resources", f"/api/resources/{resource_id('mutterwood-log')}"]
    for path in paths:
        lane.warm(path, market)
    resource = Resource.objects.get(slug="mutterwood-log")
    resource.name = "Whisperwood log"
    resource.save()

    bodies = [lane.get(path, market).body for path in paths]

    assert lane.handed == 3
    assert all(b"Whisperwood log" in body for body in bodies)
    assert [lane.get(path, market).names["X-Cache"] for path in paths] == ["HIT"] * 3
    assert lane.handed == 3


def test_what_an_earlier_redis_had_stored_is_not_answered(lane: Lane, monkeypatch: pytest.MonkeyPatch) -> None:
    lane.warm("/api/environment/weather")
    monkeypatch.setattr(store.server, "identity", "f" * 8)
    assert lane.get("/api/environment/weather").names["X-Cache"] == "MISS"
    assert lane.handed == 1


def test_a_redis_that_turns_out_to_be_another_is_not_believed(lane: Lane, monkeypatch: pytest.MonkeyPatch) -> None:
    """The call itself opened the connection, and what it asked for was the old one's."""
    lane.warm("/api/environment/weather")
    original = store._run

    def reconnecting(*args: Any) -> Any:
        found = original(*args)
        monkeypatch.setattr(store.server, "identity", "f" * 8)
        return found

    monkeypatch.setattr(store, "_run", reconnecting)
    assert lane.get("/api/environment/weather").names["X-Cache"] == "MISS"
    assert lane.handed == 1


def test_a_value_without_a_stamp_is_not_answered(lane: Lane) -> None:
    lane.warm("/api/environment/weather")
    stored = store.client().get("env:weather:current")
    assert isinstance(stored, bytes)
    for body in (b"", b"{}", b"x" * 200, stored[: -stamp.LENGTH] + b"}"):
        store.client().set("env:weather:current", body)
        assert lane.get("/api/environment/weather").names["X-Cache"] == "MISS"
    assert lane.handed == 4


def test_a_change_of_the_weather_is_seen(lane: Lane) -> None:
    lane.warm("/api/environment/weather")
    other = Weather.objects.filter(is_active=False).first()
    assert other is not None
    Weather.objects.filter(is_active=True).update(is_active=False)
    Weather.objects.filter(pk=other.pk).update(is_active=True, active_since=timezone.now())
    assert other.name.encode() in lane.get("/api/environment/weather").body


def test_the_cache_may_be_off(lane: Lane) -> None:
    lane.warm("/api/professions")
    with setting(CACHE_ENABLED=False):
        assert lane.get("/api/professions").names["X-Cache"] == "BYPASS"
    assert lane.handed == 1


@pytest.fixture
def without_redis(world: None, lane: Lane) -> Iterator[None]:
    lane.warm("/api/professions")
    servers.redis_stop()
    try:
        yield
    finally:
        servers.redis_start()
        redis_is_back()


@pytest.mark.usefixtures("without_redis")
def test_without_redis_django_answers(lane: Lane) -> None:
    replies = [lane.get("/api/professions") for _ in range(3)]
    assert [(reply.status, reply.names["X-Cache"]) for reply in replies] == [("200 OK", "BYPASS")] * 3
    assert lane.handed == 3
