"""Who a request speaks for: `Authorization` and `X-Session-ID`, on any call that needs a player."""

from typing import Any

import jwt
import pytest
from rest_framework_simplejwt import state
from rest_framework_simplejwt.backends import TokenBackend

from accounts import tokens
from accounts.models import Player
from accounts.tests.forging import OTHER_KEY, bad_tokens, by_hand, forged
from bcraftd.cache import store
from bcraftd.errors import Refusal
from tests.support import Api, assert_problem, queries, redis_commands

ME = "/api/auth/me"
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


def test_a_token_that_is_not_ours_or_not_for_this_is_invalid(api: Api, ada: Api) -> None:
    for kind, token in bad_tokens(ada.session["access_token"], ada.session["refresh_token"]).items():
        answer = Api(token).get(ME)
        assert (kind, answer.status_code, answer.json()["code"]) == (kind, 401, "token_invalid")

    assert ada.get(ME).status_code == 200


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


def test_what_else_a_token_says_changes_nothing(ada: Api, bob: Api) -> None:
    claims: dict[str, Any] = {
        "role": "admin",
        "is_superuser": True,
        "aud": "others",
        "sub": str(bob.id),
        "user_id": bob.id,
    }
    token = forged(ada.session["access_token"], **claims)

    assert Api(token).get(ME).json()["role"] == "player"
    assert Api(token).get(ME).json()["login"] == "ada"
    assert Api(by_hand(token, {"alg": "HS256", "kid": "another"})).get(ME).json()["login"] == "ada"


def test_a_token_of_tens_of_kilobytes_is_invalid(api: Api, ada: Api) -> None:
    for size in (10_000, 100_000):
        token = forged(ada.session["access_token"], key=OTHER_KEY, more="x" * size)
        assert_problem(Api(token).get(ME), 401, "token_invalid")


def test_tokens_are_signed_with_a_key_of_their_own(ada: Api, settings: Any) -> None:
    assert settings.JWT_SIGNING_KEY != settings.SECRET_KEY
    for kind in ("access_token", "refresh_token"):
        jwt.decode(ada.session[kind], settings.JWT_SIGNING_KEY, algorithms=["HS256"], issuer="bcraftd")
        assert jwt.get_unverified_header(ada.session[kind]) == {"alg": "HS256", "typ": "JWT"}


def test_another_signing_key_ends_every_login(api: Api, ada: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state, "token_backend", TokenBackend("HS256", OTHER_KEY, issuer="bcraftd"))

    assert_problem(ada.get(ME), 401, "token_invalid")
    answer = api.post("/api/auth/refresh", refresh_token=ada.session["refresh_token"])
    assert_problem(answer, 401, "token_invalid")


def test_neither_token_works_after_a_change_of_role_or_a_logout(api: Api, ada: Api, bob: Api) -> None:
    bob.post("/api/auth/logout")
    player = Player.objects.get(login="ada")
    player.role = "moderator"
    player.save()

    for ended in (ada, bob):
        assert_problem(ended.get(ME), 401, "session_expired")
        answer = api.post("/api/auth/refresh", refresh_token=ended.session["refresh_token"])
        assert_problem(answer, 401, "session_expired")


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


def test_no_log_holds_a_password_or_a_token(caplog: pytest.LogCaptureFixture, api: Api) -> None:
    caplog.set_level("DEBUG")
    ada = Api.signed_up("ada", "correct horse battery")
    api.post("/api/auth/login", login="ada", password="wrong horse battery")
    ada.get(ME)
    api.post("/api/auth/refresh", refresh_token=ada.session["refresh_token"])
    ada.post("/api/auth/password", old_password="correct horse battery", new_password="another long staple")
    Api("garbage-" + ada.session["access_token"]).get(ME)

    assert "/api/auth/password" in caplog.text
    for secret in ("horse battery", "long staple", ada.session["access_token"], ada.session["refresh_token"]):
        assert secret not in caplog.text


def test_a_verified_token_is_verified_once_until_it_expires(ada: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    verified, token = tokens.Verified(), ada.session["access_token"]
    checked: list[str] = []

    def read(text: str) -> tokens.Claims:
        checked.append(text)
        return original(text)

    original = tokens.read_access
    monkeypatch.setattr(tokens, "read_access", read)
    claims = [verified.read(token) for _ in range(3)]
    assert (claims[0].player_id, claims[0].session_id) == (ada.id, ada.session["session_id"])
    assert (claims[1:], checked) == (claims[:1] * 2, [token])

    # A second before its expiry it is good, from then on it is not.
    monkeypatch.setattr("accounts.tokens.time.time", lambda: claims[0].expires - 1)
    verified.read(token)
    assert len(checked) == 1
    monkeypatch.setattr("accounts.tokens.time.time", lambda: claims[0].expires)
    verified.read(token)
    assert len(checked) == 2


def test_few_verified_tokens_are_remembered_and_no_bad_one(ada: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    verified = tokens.Verified()
    monkeypatch.setattr(tokens.Verified, "MAX", 3)
    given = [
        tokens.issue(player_id=ada.id, session_id=ada.session["session_id"], refresh_id="0" * 32).access_token
        for _ in range(5)
    ]
    for token in given:
        verified.read(token)
    assert len(verified) == 3
    with pytest.raises(Refusal):
        verified.read(f"{given[0]}x")
    assert len(verified) == 3
