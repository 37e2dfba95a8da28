"""POST /api/auth/logout"""

import pytest

from accounts.models import PlayerSession
from bcraftd.cache import store
from tests.support import Api, assert_problem


def test_after_a_logout_the_tokens_are_dead(api: Api, ada: Api) -> None:
    answer = ada.post("/api/auth/logout")

    assert (answer.status_code, answer.json()) == (200, {"status": "logged_out"})
    assert_problem(ada.get("/api/auth/me"), 401, "session_expired")
    assert_problem(ada.post("/api/auth/logout"), 401, "session_expired")
    assert_problem(api.post("/api/auth/refresh", refresh_token=ada.session["refresh_token"]), 401, "session_expired")


def test_a_session_that_redis_holds_is_gone_from_there_too(ada: Api) -> None:
    key = f"session:{ada.session['session_id']}"
    ada.get("/api/auth/me")
    assert store.client().exists(key)

    ada.post("/api/auth/logout")

    assert not store.client().exists(key)
    assert not PlayerSession.objects.exists()


def test_only_this_session_ends(ada: Api, bob: Api) -> None:
    other = Api.signed_in("ada", ada.password)

    ada.post("/api/auth/logout")

    assert other.get("/api/auth/me").status_code == 200
    assert bob.get("/api/auth/me").status_code == 200


def test_a_body_is_not_needed_and_an_empty_one_is_fine(ada: Api) -> None:
    assert ada.call("POST", "/api/auth/logout").status_code == 200
    assert Api.signed_in("ada", ada.password).call("POST", "/api/auth/logout", {}).status_code == 200


@pytest.mark.parametrize(("path", "body"), [("", {"all": True}), ("", []), ("?all=1", {})])
def test_what_it_does_not_know_it_refuses_and_the_session_lives(ada: Api, path: str, body: object) -> None:
    assert_problem(ada.call("POST", f"/api/auth/logout{path}", body), 400, "invalid")

    assert ada.get("/api/auth/me").status_code == 200
