"""The express lane answers as Django does, header by header."""

import gzip
from collections.abc import Callable, Iterator
from ipaddress import ip_network
from typing import Any

import pytest

from bcraftd import express
from bcraftd.cache import invalidation
from tests.lane import HTTPS, OWN, Lane
from tests.live import server
from tests.support import Api, profession_id, queries, redis_commands, resource_id, schema

pytestmark = pytest.mark.usefixtures("world")

# Every hot path with queries that it is asked by; {resource} and {id} are filled in.
EXAMPLES: dict[str, list[str]] = {
    "/api/market/listings": [
        "",
        "resource_id={resource}",
        "resource_id={resource}&limit=2",
        "limit=2&resource_id={resource}&ordering=-unit_price",
        "min_price=0&max_price=500&ordering=created_at&limit=100",
        "seller_id={player}&ordering=-created_at",
        "resource_id={resource}&limit=1&cursor={cursor}",
    ],
    "/api/leaderboard": ["", "sort=coins", "limit=1&offset=1&sort=sales", "offset=0"],
    "/api/environment/current": [""],
    "/api/environment/weather": [""],
    "/api/resources": ["", "kind=wood", "gatherable=true&rarity=common", "gatherable=false"],
    "/api/resources/{id}": [""],
    "/api/recipes": ["", "profession_id={profession}"],
    "/api/recipes/{id}": [""],
    "/api/recipes/known": [""],
    "/api/professions": [""],
    "/api/inventory": [""],
}
PRIVATE = {"/api/inventory", "/api/recipes/known"}
CASES = [
    (path, query, signed_in)
    for path, each in EXAMPLES.items()
    for query in each
    for signed_in in (True, False)
    if signed_in or path not in PRIVATE
]


@pytest.fixture
def filled(market: Api) -> Callable[[str, str], str]:
    """A path with its query, with what stands in braces filled in."""

    def fill(path: str, query: str) -> str:
        wood = resource_id("mutterwood-log")
        known = {"resource": wood, "player": market.id, "profession": profession_id("sawyer"), "id": wood}
        if "{cursor}" in query:
            first = market.get(f"/api/market/listings?resource_id={wood}&limit=1").json()
            known["cursor"] = first["next"]
        if path == "/api/recipes/{id}":
            known["id"] = market.get("/api/recipes").json()["recipes"][0]["id"]
        return f"{path}?{query}".rstrip("?").format(**known)

    return fill


def hots() -> set[str]:
    return {hot.path for entry in invalidation.entries() for hot in entry.hot}


def test_every_hot_path_has_an_example_here() -> None:
    assert set(EXAMPLES) == hots()


def test_every_read_that_shows_a_cached_value_as_it_stands_is_hot() -> None:
    cached = {
        path.replace("{resource_id}", "{id}").replace("{recipe_id}", "{id}")
        for path, operations in schema()["paths"].items()
        if "X-Cache" in operations.get("get", {}).get("responses", {}).get("200", {}).get("headers", {})
    }
    assert cached == hots()


@pytest.mark.parametrize(("path", "query", "signed_in"), CASES)
def test_a_hit_is_what_django_sends(
    lane: Lane, market: Api, filled: Callable[[str, str], str], path: str, query: str, signed_in: bool
) -> None:
    by, asked = market if signed_in else None, filled(path, query)
    wanted = lane.warm(asked, by)

    found = lane.get(asked, by)

    assert lane.handed == 0
    assert (found.status, found.body) == (wanted.status, wanted.body)
    assert sorted(row for row in found.headers if row[0] not in OWN) == sorted(
        row for row in wanted.headers if row[0] not in OWN
    )
    assert int(found.names["X-RateLimit-Remaining"]) == int(wanted.names["X-RateLimit-Remaining"]) - 1
    assert 0 < int(found.names["X-RateLimit-Reset"]) <= 60
    assert len(found.names["X-Request-ID"]) == 36


@pytest.mark.parametrize("path", ["/api/environment/current", "/api/inventory", "/api/resources"])
@pytest.mark.parametrize("form", ["{}", "W/{}", '"other", {}', "*"])
def test_what_the_client_has_already_is_a_304_as_django_sends_it(lane: Lane, market: Api, path: str, form: str) -> None:
    tag = form.format(lane.warm(path, market).names["ETag"].removeprefix("W/"))
    wanted = lane.get(path, market, lane=False, HTTP_IF_NONE_MATCH=tag)

    found = lane.get(path, market, HTTP_IF_NONE_MATCH=tag)

    assert lane.handed == 0
    assert (found.status, found.body) == ("304 Not Modified", b"") == (wanted.status, wanted.body)
    assert sorted(row for row in found.headers if row[0] not in OWN) == sorted(
        row for row in wanted.headers if row[0] not in OWN
    )


def test_another_tag_is_answered_in_full(lane: Lane, market: Api) -> None:
    lane.warm("/api/inventory", market)
    assert lane.get("/api/inventory", market, HTTP_IF_NONE_MATCH='W/"other"').status == "200 OK"
    assert lane.handed == 0


@pytest.fixture
def https(lane: Lane, settings: Any) -> Iterator[Lane]:
    """A lane in front of a Django that is set up for HTTPS behind a proxy at 192.0.2.7."""
    settings.SECURE_SSL_REDIRECT, settings.SECURE_HSTS_SECONDS = True, 3600
    settings.TRUSTED_PROXIES = [ip_network("192.0.2.7/32")]
    express._frame.cache_clear()
    yield Lane()
    express._frame.cache_clear()


@pytest.mark.parametrize(
    "change",
    [HTTPS, {"HTTP_X_FORWARDED_PROTO": "https", "REMOTE_ADDR": "192.0.2.7"}],
    ids=["https", "by a proxy"],
)
def test_over_https_as_django_sends_it(https: Lane, change: dict[str, Any]) -> None:
    for _ in range(2):
        wanted = https.get("/api/professions", lane=False, **change)
    found = https.get("/api/professions", **change)
    assert (https.handed, found.status, wanted.names["X-Cache"]) == (0, "200 OK", "HIT")
    assert {name: value for name, value in found.headers if name not in OWN} == {
        name: value for name, value in wanted.headers if name not in OWN
    }
    assert found.names["Strict-Transport-Security"] == "max-age=3600"


def test_plain_http_is_redirected_where_https_is_wanted(https: Lane) -> None:
    https.get("/api/professions", lane=False, **HTTPS)
    # Whoever is no trusted proxy may say what they like.
    replies = [https.get("/api/professions"), https.get("/api/professions", HTTP_X_FORWARDED_PROTO="https")]
    assert ([reply.status[:3] for reply in replies], https.handed) == (["301", "301"], 2)


def test_a_hit_costs_one_call_to_redis_and_no_sql(lane: Lane, market: Api) -> None:
    lane.warm("/api/inventory", market)
    lane.get("/api/inventory", market)
    with queries() as sql, redis_commands() as commands:
        assert lane.get("/api/inventory", market).names["X-Cache"] == "HIT"
    assert sql == []
    assert [command[0] for command in commands] == ["EVALSHA"]


def test_a_given_request_id_comes_back(lane: Lane) -> None:
    lane.warm("/api/professions")
    given = lane.get("/api/professions", HTTP_X_REQUEST_ID="player-one-0001").names["X-Request-ID"]
    made = lane.get("/api/professions", HTTP_X_REQUEST_ID="bad id\n").names["X-Request-ID"]
    assert (given, len(made), lane.handed) == ("player-one-0001", 36, 0)


def test_the_server_that_is_started_has_the_lane(api: Api) -> None:
    import http.client
    from urllib.parse import urlsplit

    with server(LOG_LEVEL="ERROR") as url:
        connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=30)
        replies = []
        for path in ("/api/professions", "/api/professions", "/metrics"):
            connection.request("GET", path, headers={"Accept-Encoding": "gzip"})
            reply = connection.getresponse()
            body = reply.read()
            replies.append((reply, gzip.decompress(body) if reply.headers.get("Content-Encoding") == "gzip" else body))
        connection.close()
    (first, cold), (second, warm), (_, metrics) = replies
    assert (first.headers["X-Cache"], second.headers["X-Cache"]) == ("MISS", "HIT")
    assert warm == cold.replace(b'"source":"database"', b'"source":"cache"')
    counted = b'bcraftd_http_requests_total{endpoint="/api/professions",lane="%b",method="GET",status="200"} 1.0'
    assert counted % b"django" in metrics
    assert counted % b"express" in metrics
