"""/metrics: requests by endpoint and status, how long they took and what they asked of PostgreSQL."""

import http.client
import re
import secrets
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.test import Client
from django.test.utils import CaptureQueriesContext

from bcraftd import measuring
from bcraftd.cache import store
from tests.lane import Lane
from tests.live import server
from tests.scrapes import Samples, labels, samples, scrape, total
from tests.support import Api, resource_id, schema, setting

REQUESTS = "bcraftd_http_requests_total"


def now() -> Samples:
    answer = Client().get("/metrics")
    assert answer.status_code == 200
    return samples(answer.content.decode())


def counted(before: Samples, **labels: Any) -> float:
    """How many requests with these labels came since."""
    return total(now(), REQUESTS, **labels) - total(before, REQUESTS, **labels)


def test_a_request_is_counted_by_its_route_and_its_status(ada: Api) -> None:
    log = resource_id("mutterwood-log")
    before = now()

    assert ada.get(f"/api/resources/{log}").status_code == 200
    assert ada.get("/api/resources/999999999").status_code == 404
    assert ada.post("/api/market/listings/999999999/buy").status_code == 404
    assert ada.client.get("/api/auth/me").status_code == 401

    one = "/api/resources/{resource_id}"
    assert counted(before, endpoint=one, method="GET", status=200, lane="django") == 1
    assert counted(before, endpoint=one, method="GET", status=404) == 1
    assert counted(before, endpoint="/api/market/listings/{listing_id}/buy", method="POST", status=404) == 1
    assert counted(before, endpoint="/api/auth/me", method="GET", status=401) == 1
    found = now()
    for endpoint in (one, "/api/auth/me"):
        counts = {"endpoint": endpoint, "lane": "django"}
        assert total(found, "bcraftd_http_request_seconds_count", **counts) == total(found, REQUESTS, **counts)
        assert total(found, "bcraftd_http_request_seconds_sum", **counts) > 0


def test_what_a_middleware_answers_counts_for_the_endpoint_that_was_asked(api: Api, ada: Api, settings: Any) -> None:
    before = now()
    settings.RATE_LIMIT_DEFAULT = (1, 60)
    assert [ada.get("/api/wallet/entries").status_code for _ in range(3)] == [200, 429, 429]
    assert api.client.get("/api/wallet/entries", HTTP_HOST="elsewhere.example").status_code == 400
    with setting(SECURE_SSL_REDIRECT=True):
        # The middleware reads the setting once.
        assert Client().get("/api/wallet/entries").status_code == 301

    statuses = {
        status: counted(before, endpoint="/api/wallet/entries", status=status) for status in (200, 429, 400, 301)
    }
    assert statuses == {200: 1, 429: 2, 400: 1, 301: 1}


def test_pages_of_operators_and_files_count_as_a_whole_each(api: Api) -> None:
    before = now()
    for path in ("/admin/login/", "/admin/accounts/player/7/change/", "/admin/nothing/of/the/kind/"):
        api.client.get(path)
    file = api.client.get("/static/admin/css/base.css")
    assert (file.status_code, len(file.getvalue()) > 1000) == (200, True)
    file.close()
    assert api.client.get("/static/nothing.css").status_code == 404

    assert counted(before, endpoint="/admin/") == 3
    assert counted(before, endpoint="/static/") == 1
    assert counted(before, endpoint="other", status=404) == 1


def test_the_endpoints_are_those_of_the_guide(world: None) -> None:
    for path in schema()["paths"]:
        assert measuring.endpoint_at(re.sub(r"{\w+}", "7", path)) == path


def test_a_hit_in_the_lane_is_counted_beside_those_of_django(lane: Lane) -> None:
    tag = lane.warm("/api/professions").names["ETag"]
    log = resource_id("mutterwood-log")
    lane.warm(f"/api/resources/{log}")
    before = now()

    for _ in range(3):
        lane.get("/api/professions")
    lane.get("/api/professions", HTTP_IF_NONE_MATCH=tag)
    lane.get("/api/professions?x=1")
    lane.get(f"/api/resources/{log}")

    assert lane.handed == 1
    assert counted(before, endpoint="/api/resources/{resource_id}", lane="express", status=200) == 1
    asked = {"endpoint": "/api/professions", "method": "GET"}
    assert counted(before, **asked, lane="express", status=200) == 3
    assert counted(before, **asked, lane="express", status=304) == 1
    assert counted(before, **asked, lane="django", status=400) == 1
    assert counted(before, **asked) == 5


def test_what_the_lane_hands_over_is_timed_from_its_arrival(lane: Lane, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = {"endpoint": "/api/professions", "lane": "django"}
    before = now()

    def slow(*args: Any) -> None:
        time.sleep(0.2)

    monkeypatch.setattr(store, "hot", slow)
    lane.get("/api/professions")

    seconds = "bcraftd_http_request_seconds_sum"
    assert lane.handed == 1
    assert total(now(), seconds, **asked) - total(before, seconds, **asked) > 0.2


def test_statements_are_counted_for_the_endpoint(ada: Api) -> None:
    from django.db import connection

    ada.get("/api/wallet/entries")
    name, asked = "bcraftd_http_sql_statements_total", {"endpoint": "/api/wallet/entries"}
    before = now()

    with CaptureQueriesContext(connection) as queries:
        ada.get("/api/wallet/entries")

    number = len(queries)
    assert number > 0
    after = now()
    assert total(after, name, **asked) - total(before, name, **asked) == number
    seconds = "bcraftd_http_sql_seconds_total"
    assert total(after, seconds, **asked) > total(before, seconds, **asked)


# --- What a client makes up -------------------------------------------------------------------------------


@pytest.fixture
def url(world: None) -> Iterator[str]:
    with server(LOG_LEVEL="CRITICAL") as url:
        yield url


def test_made_up_paths_methods_and_queries_make_no_series(url: str) -> None:
    def ask(method: str, path: str) -> int:
        connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=30)
        connection.request(method, path, headers={"Authorization": "Bearer " + secrets.token_hex()})
        status = connection.getresponse().status
        connection.close()
        return status

    def storm(number: int) -> None:
        for word in (secrets.token_hex(4) for _ in range(number)):
            for method in ("GET", word.upper(), "PROPFIND", "OPTIONS"):
                for path in ("/{}", "/api/{}", "/admin/{}/", "/static/{}", "/api/resources/{}", "/api/resources?{}=1"):
                    assert ask(method, path.format(word)) in (302, 400, 403, 404, 405)
                assert ask(method, f"/api/resources/{int(word, 16) + 10**6}") in (404, 405)
                assert ask(method, f"/api/auth/sessions/{word}") == 401

    storm(1)
    scrape(url)
    before = scrape(url)
    storm(10)
    after = scrape(url)

    assert set(after) == set(before), set(after) - set(before)
    assert total(after, REQUESTS) > total(before, REQUESTS) + 200
    known = {*schema()["paths"], "/admin/", "/static/", "/healthz", "/readyz", "/metrics", "other"}
    assert labels(after, REQUESTS, "endpoint") <= known
    assert labels(after, REQUESTS, "method") == {"GET", "other"}
    assert total(after, REQUESTS, endpoint="other", method="other", status=404) > 0
