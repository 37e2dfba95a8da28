"""Who a request speaks for: `Authorization` and `X-Session-ID`, on any call that needs a player."""

from typing import Any

import pytest

from accounts.tests.forging import bad_tokens, forged
from bcraftd.cache import store
from tests.support import Api, assert_problem, queries, redis_commands

ME = "/api/auth/me"
KINDS = list(bad_tokens("eyJhbGciOiJIUzI1NiJ9.e30.", ""))
SIGNED_IN = [
    ("GET", "/api/auth/me"),
    ("GET", "/api/auth/sessions"),
    ("DELETE", "/api/auth/sessions/x"),
    ("POST", "/api/auth/logout"),
    ("POST", "/api/auth/password"),
    ("GET", "/api/wallet/entries"),
    ("GET", "/api/inventory"),
    ("GET", "/api/inventory/movements"),
    ("GET", "/api/recipes/known"),
    ("POST", "/api/professions/1/join"),
    ("POST", "/api/gather"),
    ("POST", "/api/craft"),
    ("GET", "/api/market/listings/mine"),
    ("POST", "/api/market/listings"),
    ("POST", "/api/market/listings/1/buy"),
    ("POST", "/api/market/listings/1/cancel"),
    ("GET", "/api/market/trades"),
    ("GET", "/api/leaderboard/me"),
]


@pytest.mark.parametrize(("method", "path"), SIGNED_IN)
def test_a_call_that_needs_a_player_says_so(api: Api, method: str, path: str) -> None:
    answer = api.call(method, path)

    assert_problem(answer, 401, "not_authenticated")
    assert answer["WWW-Authenticate"] == 'Bearer realm="api"'


@pytest.mark.parametrize("kind", KINDS)
def test_a_token_that_is_not_ours_or_not_for_this_is_invalid(api: Api, ada: Api, kind: str) -> None:
    token = bad_tokens(ada.session["access_token"], ada.session["refresh_token"])[kind]

    assert_problem(Api(token).get(ME), 401, "token_invalid")


@pytest.mark.parametrize(
    "header",
    ["Bearer", "Bearer ", "Basic YWRhOnB3", "{token}", "Bearer {token} {token}", "Bearer {token},", "Token {token}",
     "Bearer ü", "Bearer {token}\u0661"],
)  # fmt: skip
def test_anything_but_one_bearer_token_is_invalid(api: Api, ada: Api, header: str) -> None:
    answer = api.get(ME, Authorization=header.replace("{token}", ada.session["access_token"]))

    assert_problem(answer, 401, "token_invalid")


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "Bearer  "])
def test_the_scheme_is_known_in_any_case(api: Api, ada: Api, scheme: str) -> None:
    assert api.get(ME, Authorization=f"{scheme} {ada.session['access_token']}").status_code == 200


def test_an_empty_header_is_as_none(api: Api) -> None:
    assert_problem(api.get(ME, Authorization=""), 401, "not_authenticated")


def test_a_token_for_a_session_that_never_was_has_expired(api: Api, ada: Api) -> None:
    token = forged(ada.session["access_token"], sid="made-up")

    assert_problem(Api(token).get(ME), 401, "session_expired")


def test_a_token_that_names_another_players_session_has_expired(ada: Api, bob: Api) -> None:
    token = forged(ada.session["access_token"], sid=bob.session["session_id"])

    assert_problem(Api(token).get(ME), 401, "session_expired")
    assert bob.get(ME).json()["login"] == "bob"


def test_a_session_id_beside_the_token_must_match_it(ada: Api, bob: Api) -> None:
    assert ada.get(ME, X_Session_ID=ada.session["session_id"]).status_code == 200

    for other in (bob.session["session_id"], "", "x", ada.session["session_id"] + " x", "ü"):
        assert_problem(ada.get(ME, X_Session_ID=other), 401, "token_invalid")


def test_a_session_id_alone_is_nobody(api: Api, ada: Api) -> None:
    assert_problem(api.get(ME, X_Session_ID=ada.session["session_id"]), 401, "not_authenticated")


@pytest.mark.parametrize("path", ["/api/environment/current", "/api/market/listings", "/api/resources"])
def test_a_public_call_does_not_look_at_the_token(api: Api, path: str) -> None:
    for header in ("Bearer garbage", "Basic YWRhOnB3"):
        assert api.get(path, Authorization=header).status_code == 200


def test_a_forged_token_costs_neither_sql_nor_redis(api: Api, ada: Api) -> None:
    token = bad_tokens(ada.session["access_token"], "")["another key"]

    with queries() as seen, redis_commands() as commands:
        Api(token).get(ME)

    assert (seen, commands) == ([], [])


def test_a_made_up_session_costs_one_query_and_leaves_nothing_in_redis(api: Api, ada: Api) -> None:
    token = forged(ada.session["access_token"], sid="made-up")

    with queries() as seen:
        Api(token).get(ME)

    # The session's row, which is not there.
    assert len(seen) == 1, seen
    left: Any = store.client().keys("*made-up*")
    assert left in ([], [b"lease:session:made-up"])
    assert store.client().get("session:made-up") is None
