"""What a request leaves in the log: one line, when it is answered."""

import logging
import time
from typing import Any

import pytest
from django.db.backends.postgresql import base as django_postgresql

from bcraftd import logs
from tests.lane import Lane
from tests.support import Api, profession_id, queries, schema, setting

LOGGER = "django_structlog.middlewares.request"


def lines(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    return [record.msg for record in caplog.records if record.name == LOGGER and isinstance(record.msg, dict)]


def test_a_request_is_one_line_that_says_who_asked_for_what(ada: Api, caplog: pytest.LogCaptureFixture) -> None:
    me = ada.get("/api/auth/me").json()["id"]
    caplog.clear()
    with caplog.at_level(logging.INFO):
        ada.client.get(
            "/api/auth/me?x=1",
            HTTP_AUTHORIZATION=f"Bearer {ada.token}",
            HTTP_USER_AGENT="a game",
            HTTP_X_REQUEST_ID="request-of-the-test",
            REMOTE_ADDR="203.0.113.7",
        )

    (line,) = lines(caplog)
    assert len(caplog.records) == 1
    assert line["event"] == "request_finished"
    assert line["request"] == "GET /api/auth/me?..."
    assert line["code"] == 400
    assert line["user_agent"] == "a game"
    assert line["request_id"] == "request-of-the-test"
    assert line["ip"] == "203.0.113.7"
    assert line["player_id"] == me


def test_a_proxy_that_is_not_trusted_names_nobody(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        api.client.get("/api/resources", HTTP_X_FORWARDED_FOR="198.51.100.9", REMOTE_ADDR="203.0.113.7")

    (line,) = lines(caplog)
    assert line["ip"] == "203.0.113.7"


def test_the_line_says_what_the_request_cost(ada: Api, caplog: pytest.LogCaptureFixture) -> None:
    ada.get("/api/wallet/entries")
    caplog.clear()
    with caplog.at_level(logging.INFO), queries() as seen:
        ada.get("/api/wallet/entries")

    (line,) = lines(caplog)
    assert line["sql_count"] == len(seen) > 0
    assert 0 < line["sql_ms"] < line["duration_ms"]
    assert (line["cache"], line["lane"], line["player_id"]) == (None, "django", ada.id)


def test_a_commit_is_time_and_no_statement(ada: Api, caplog: pytest.LogCaptureFixture, monkeypatch: Any) -> None:
    real = django_postgresql.DatabaseWrapper.commit

    def slow(self: Any) -> None:
        """As where a disk is slow to take a commit."""
        time.sleep(0.3)
        real(self)

    monkeypatch.setattr(django_postgresql.DatabaseWrapper, "commit", slow)
    caplog.clear()
    sawyer = profession_id("sawyer")
    with caplog.at_level(logging.INFO), queries() as seen:
        ada.post(f"/api/professions/{sawyer}/join")

    (line,) = lines(caplog)
    assert line["sql_ms"] >= 300
    assert line["sql_count"] == len(seen)


def test_the_line_says_what_the_cache_did(lane: Lane, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        for _ in range(2):
            lane.get("/api/professions", lane=False)
        lane.get("/api/professions")

    assert [line["cache"] for line in lines(caplog)] == ["MISS", "HIT"], "the lane's own answer leaves no line"
    assert lines(caplog)[1]["sql_count"] == 0


def test_every_so_many_hits_of_the_lane_one_leaves_a_line_where_that_is_wanted(
    lane: Lane, market: Api, caplog: pytest.LogCaptureFixture, settings: Any
) -> None:
    lane.warm("/api/inventory", market)
    settings.LOG_HITS = 3
    caplog.clear()
    with caplog.at_level(logging.INFO):
        ids = [f"request-number-{number}" for number in range(7)]
        for each in ids:
            lane.get("/api/inventory?", market, HTTP_X_REQUEST_ID=each, REMOTE_ADDR="203.0.113.7")

    found = [record.msg for record in caplog.records if isinstance(record.msg, dict)]
    assert lane.handed == 0
    assert [line["request_id"] for line in found] == [ids[0], ids[3], ids[6]]
    line = found[0]
    assert (line["event"], line["request"], line["code"]) == ("request_finished", "GET /api/inventory", 200)
    assert (line["player_id"], line["cache"], line["lane"], line["sql_count"]) == (market.id, "HIT", "express", 0)
    assert (line["ip"], line["duration_ms"] > 0) == ("203.0.113.7", True)


def test_a_line_of_the_lane_has_the_fields_of_any_other(lane: Lane, caplog: pytest.LogCaptureFixture) -> None:
    with setting(LOG_HITS=1), caplog.at_level(logging.INFO):
        for _ in range(2):
            lane.get("/api/professions", lane=False)
        lane.get("/api/professions")

    found = [record.msg for record in caplog.records if isinstance(record.msg, dict)]
    assert set(found[-1]) == set(found[0])


def test_a_defect_is_one_line_with_its_traceback_and_what_it_cost(
    ada: Api, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(**facts: Any) -> None:
        raise ZeroDivisionError("a defect")

    monkeypatch.setattr("accounts.selectors.wallet_page", broken, raising=True)
    caplog.clear()
    with caplog.at_level(logging.INFO):
        assert ada.get("/api/wallet/entries").status_code == 500

    (line,) = lines(caplog)
    assert (line["event"], line["code"], line["player_id"]) == ("request_failed", 500, ada.id)
    assert line["duration_ms"] > 0
    assert line["exc_info"]


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("", ""),
        ("limit=10&cursor=abc", "?limit=10&cursor=abc"),
        ("access_token=hunter2", "?..."),
        ("hunter2", "?..."),
        ("limit=10&password=hunter2&sort=coins&token=hunter2", "?limit=10&...&sort=coins"),
        ("%6Cimit=hunter2", "?..."),
        ("Limit=hunter2", "?..."),
        ("limit=1;token=hunter2", "?..."),
    ],
)
def test_of_a_query_only_what_is_known_is_written_down(query: str, shown: str) -> None:
    assert logs.shown("GET", "/api/ä", query) == f"GET /api/%C3%A4{shown}"


def test_every_parameter_of_the_api_is_known(world: None) -> None:
    named = {
        parameter["name"]
        for operations in schema()["paths"].values()
        for operation in operations.values()
        for parameter in operation.get("parameters", [])
        if parameter["in"] == "query"
    }
    assert named <= logs.PARAMETERS
    # Django's names for a page, an ordering and everything on one page.
    assert logs.PARAMETERS - named == {"all", "o", "p"}
