"""GET /api/auth/sessions, DELETE /api/auth/sessions/{session_id}"""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db.models import F

from accounts.models import PlayerSession
from bcraftd.cache import store
from tests.support import Api, assert_problem, queries

PATH = "/api/auth/sessions"


def ids(player: Api) -> list[str]:
    return [row["session_id"] for row in player.get(PATH).json()["sessions"]]


def test_a_players_sessions_are_listed_newest_first_with_this_one_marked(ada: Api, bob: Api) -> None:
    phone = Api.signed_in("ada", ada.password)

    rows = ada.get(PATH).json()["sessions"]

    assert [row["session_id"] for row in rows] == [phone.session["session_id"], ada.session["session_id"]]
    assert [row["current"] for row in rows] == [False, True]
    assert set(rows[0]) == {"session_id", "created_at", "last_seen_at", "user_agent", "address", "current"}
    assert rows[0]["address"] == "127.0.0.1"
    assert rows[0]["created_at"].endswith("Z")
    assert datetime.fromisoformat(rows[0]["created_at"]) >= datetime.fromisoformat(rows[1]["created_at"])


def test_what_a_refresh_token_needs_is_not_shown(ada: Api) -> None:
    assert PlayerSession.objects.get().refresh_id not in ada.get(PATH).content.decode()


def test_a_session_that_was_not_used_for_its_whole_life_is_not_listed(ada: Api, settings: Any) -> None:
    old = Api.signed_in("ada", ada.password).session["session_id"]
    PlayerSession.objects.filter(session_id=old).update(
        last_seen_at=F("last_seen_at") - timedelta(seconds=settings.CACHE_SESSION_TTL)
    )

    assert ids(ada) == [ada.session["session_id"]]


def test_listing_needs_one_query(ada: Api) -> None:
    with queries() as seen:
        ada.get(PATH)

    # The player's sessions.
    assert len(seen) == 1, seen


def test_an_own_session_can_be_ended_from_another(ada: Api) -> None:
    phone = Api.signed_in("ada", ada.password)

    answer = ada.delete(f"{PATH}/{phone.session['session_id']}")

    assert (answer.status_code, answer.content) == (204, b"")
    assert "Content-Type" not in answer
    assert_problem(phone.get("/api/auth/me"), 401, "session_expired")
    assert not store.client().exists(f"session:{phone.session['session_id']}")
    assert ids(ada) == [ada.session["session_id"]]


def test_ending_the_own_session_is_a_logout(ada: Api) -> None:
    assert ada.delete(f"{PATH}/{ada.session['session_id']}").status_code == 204

    assert_problem(ada.get(PATH), 401, "session_expired")


def test_another_players_session_is_not_found_and_lives(ada: Api, bob: Api) -> None:
    assert_problem(ada.delete(f"{PATH}/{bob.session['session_id']}"), 404, "not_found")

    assert bob.get("/api/auth/me").status_code == 200


@pytest.mark.parametrize("session_id", ["x", "x" * 2000, "%00", "a%00b", "%F0%9F%98%80", "%ED%A0%80", "%FF", "1"])
def test_an_unknown_session_is_not_found(ada: Api, session_id: str) -> None:
    assert_problem(ada.delete(f"{PATH}/{session_id}"), 404, "not_found")


def test_a_session_can_be_ended_only_once(ada: Api) -> None:
    phone = Api.signed_in("ada", ada.password).session["session_id"]
    ada.delete(f"{PATH}/{phone}")

    assert_problem(ada.delete(f"{PATH}/{phone}"), 404, "not_found")


def test_an_unknown_parameter_is_refused(ada: Api) -> None:
    assert_problem(ada.get(f"{PATH}?limit=5"), 400, "invalid", "limit")
    assert_problem(ada.delete(f"{PATH}/{ada.session['session_id']}?x=1"), 400, "invalid", "x")
    assert ids(ada) == [ada.session["session_id"]]
