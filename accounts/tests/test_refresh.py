"""POST /api/auth/refresh"""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.db.models import F

from accounts.models import Player, PlayerSession
from accounts.tests.forging import bad_tokens, claims_of, forged
from bcraftd.cache import store
from tests.support import Api, assert_problem, queries


def refresh(api: Api, token: Any) -> Any:
    return api.post("/api/auth/refresh", refresh_token=token)


def test_a_refresh_token_gives_new_tokens_for_the_same_session(api: Api, ada: Api) -> None:
    answer = refresh(api, ada.session["refresh_token"])

    body = answer.json()
    assert answer.status_code == 200
    assert set(body) == {"access_token", "refresh_token", "token_type", "expires_in", "session_id"}
    assert body["session_id"] == ada.session["session_id"]
    assert (body["token_type"], body["expires_in"]) == ("bearer", 900)
    assert body["refresh_token"] != ada.session["refresh_token"]
    assert Api(body["access_token"]).get("/api/auth/me").json()["id"] == ada.id
    assert PlayerSession.objects.count() == 1


def test_refreshing_can_go_on_and_on(api: Api, ada: Api) -> None:
    token = ada.session["refresh_token"]
    for _ in range(3):
        token = refresh(api, token).json()["refresh_token"]

    assert ada.get("/api/auth/me").status_code == 200


def test_using_a_refresh_token_twice_ends_the_session(api: Api, ada: Api) -> None:
    first = refresh(api, ada.session["refresh_token"]).json()

    assert_problem(refresh(api, ada.session["refresh_token"]), 401, "token_invalid")

    assert_problem(refresh(api, first["refresh_token"]), 401, "session_expired")
    assert_problem(Api(first["access_token"]).get("/api/auth/me"), 401, "session_expired")
    assert_problem(ada.get("/api/auth/me"), 401, "session_expired")
    assert not PlayerSession.objects.exists()
    assert store.client().get(f"session:{ada.session['session_id']}") is None


def test_using_a_token_twice_leaves_other_sessions_alone(api: Api, ada: Api) -> None:
    other = Api.signed_in("ada", ada.password)
    for _ in range(2):
        refresh(api, ada.session["refresh_token"])

    assert other.get("/api/auth/me").status_code == 200


def test_of_two_uses_at_the_same_moment_one_at_most_succeeds(ada: Api) -> None:
    """And the session ends, as after two uses one after the other: which of the two has the copy, nobody can tell."""

    def attempt(_: int) -> int:
        try:
            return int(refresh(Api(), ada.session["refresh_token"]).status_code)
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as threads:
        assert sorted(threads.map(attempt, range(4))) == [200, 401, 401, 401]
    assert_problem(ada.get("/api/auth/me"), 401, "session_expired")


def test_a_token_that_is_not_ours_or_not_for_this_is_invalid_and_harmless(api: Api, ada: Api) -> None:
    for kind, token in bad_tokens(ada.session["refresh_token"], ada.session["access_token"]).items():
        answer = refresh(api, token)
        assert (kind, answer.status_code, answer.json()["code"]) == (kind, 401, "token_invalid")

    assert ada.get("/api/auth/me").status_code == 200
    assert refresh(api, ada.session["refresh_token"]).status_code == 200


def test_a_token_that_names_another_players_session_harms_neither(api: Api, ada: Api, bob: Api) -> None:
    token = forged(ada.session["refresh_token"], sid=bob.session["session_id"])

    assert_problem(refresh(api, token), 401, "session_expired")

    for player in (ada, bob):
        assert refresh(api, player.session["refresh_token"]).status_code == 200


@pytest.mark.parametrize("value", ["", "x" * 4097, "a\x00", "\ud800", 1, 1.5, True, None, [], {}, 10**30])
def test_what_is_no_text_is_bad_input(api: Api, value: Any) -> None:
    assert_problem(refresh(api, value), 400, "invalid", "refresh_token")


@pytest.mark.parametrize("body", [{}, {"token": "x"}, {"refresh_token": "x", "more": 1}])
def test_missing_and_unknown_fields_are_refused(api: Api, body: dict[str, Any]) -> None:
    assert_problem(api.post("/api/auth/refresh", **body), 400, "invalid")


def test_after_a_logout_nothing_is_refreshed(api: Api, ada: Api) -> None:
    ada.post("/api/auth/logout")

    assert_problem(refresh(api, ada.session["refresh_token"]), 401, "session_expired")


def test_a_session_not_used_for_its_whole_life_is_over(api: Api, ada: Api, settings: Any) -> None:
    PlayerSession.objects.update(last_seen_at=F("last_seen_at") - timedelta(seconds=settings.CACHE_SESSION_TTL))

    assert_problem(refresh(api, ada.session["refresh_token"]), 401, "session_expired")


def test_a_closed_account_gets_nothing(api: Api, ada: Api) -> None:
    # Not through save(), which would end the session.
    Player.objects.update(is_active=False)

    assert_problem(refresh(api, ada.session["refresh_token"]), 401, "session_expired")


def test_refreshing_needs_two_queries(api: Api, ada: Api) -> None:
    with queries() as seen:
        refresh(api, ada.session["refresh_token"])

    # The session with its player, locked; the new refresh id.
    assert len(seen) == 2, seen


def test_the_tokens_name_the_player_and_the_session_and_end(ada: Api) -> None:
    access, renewal = claims_of(ada.session["access_token"]), claims_of(ada.session["refresh_token"])

    for claims in (access, renewal):
        assert claims["player_id"] == str(ada.id)
        assert claims["sid"] == ada.session["session_id"]
    assert access["exp"] - access["iat"] == 15 * 60
    assert renewal["exp"] - renewal["iat"] == 24 * 3600 + 15 * 60
