"""What a request leaves in the log: one line, when it is answered."""

import logging
from typing import Any

import pytest

from tests.support import Api

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
