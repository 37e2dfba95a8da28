"""POST /api/auth/password"""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection

from accounts import services
from accounts.models import Player, PlayerSession
from bcraftd.cache import store
from bcraftd.errors import Refusal
from bcraftd.identity import Principal
from inventory.tests.support import at_once
from tests.support import SENTENCE, Api, QuickArgon2, assert_problem, queries, written

OLD = "correct horse battery"
NEW = "another long staple"


def change(player: Api, **changes: Any) -> Any:
    return player.post("/api/auth/password", **{"old_password": OLD, "new_password": NEW, **changes})


def test_afterwards_only_the_new_password_opens_a_session(api: Api, ada: Api) -> None:
    answer = change(ada)

    assert (answer.status_code, answer.json()) == (200, {"status": "changed"})
    assert api.post("/api/auth/login", login="ada", password=OLD).status_code == 401
    assert api.post("/api/auth/login", login="ada", password=NEW).status_code == 200


def test_all_other_sessions_end_and_this_one_lives(api: Api, ada: Api, bob: Api) -> None:
    others = [Api.signed_in("ada", OLD) for _ in range(2)]

    change(ada)

    for other in others:
        assert_problem(other.get("/api/auth/me"), 401, "session_expired")
        assert not store.client().exists(f"session:{other.session['session_id']}")
        token = other.session["refresh_token"]
        assert_problem(api.post("/api/auth/refresh", refresh_token=token), 401, "session_expired")
    assert ada.get("/api/auth/me").status_code == 200
    assert api.post("/api/auth/refresh", refresh_token=ada.session["refresh_token"]).status_code == 200
    assert bob.get("/api/auth/me").status_code == 200


def test_a_wrong_old_password_changes_nothing(ada: Api) -> None:
    before = Player.objects.get().password
    other = Api.signed_in("ada", OLD)

    body = assert_problem(change(ada, old_password="wrong horse battery"), 400, "invalid", "old_password")

    assert body["errors"] == [{"field": "old_password", "code": "wrong", "detail": body["detail"]}]
    assert SENTENCE.fullmatch(body["detail"])
    assert Player.objects.get().password == before
    assert other.get("/api/auth/me").status_code == 200


@pytest.mark.parametrize("field", ["old_password", "new_password"])
@pytest.mark.parametrize("value", ["", "x" * 129, "a\x00bcdefgh", "\ud800" * 9, 12345678, True, None, []])
def test_a_bad_value_is_named_and_changes_nothing(ada: Api, field: str, value: Any) -> None:
    before = Player.objects.get().password

    assert_problem(change(ada, **{field: value}), 400, "invalid", field)

    assert Player.objects.get().password == before


@pytest.mark.parametrize("weak", ["short", "1234567890", "password123", "ada@example.org"])
def test_a_weak_new_password_changes_nothing(ada: Api, weak: str) -> None:
    other = Api.signed_in("ada", OLD)

    body = assert_problem(change(ada, new_password=weak), 400, "invalid", "new_password")

    assert body["detail"] == body["errors"][0]["detail"]
    assert other.get("/api/auth/me").status_code == 200
    assert PlayerSession.objects.count() == 2


def test_a_new_password_that_is_nearly_the_login_is_refused(sign_up: Callable[..., Api]) -> None:
    body = assert_problem(change(sign_up("gwendolyn"), new_password="gwendolyn1"), 400, "invalid", "new_password")

    assert [row["code"] for row in body["errors"]] == ["password_too_similar"]


def test_a_change_writes_the_password_and_nothing_else_of_the_player(ada: Api) -> None:
    with queries() as sql:
        change(ada)

    assert written(sql, Player) == [{"password"}]


def test_an_unknown_field_is_refused(ada: Api) -> None:
    assert_problem(change(ada, login="bob"), 400, "invalid", "login")


def test_a_hash_that_is_brought_up_to_date_ends_no_session(ada: Api, settings: Any) -> None:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.PBKDF2PasswordHasher", *settings.PASSWORD_HASHERS]

    other = Api.signed_in("ada", OLD)

    assert Player.objects.get().password.startswith("pbkdf2_")
    assert ada.get("/api/auth/me").status_code == 200
    assert other.get("/api/auth/me").status_code == 200


def test_of_two_changes_at_the_same_moment_one_is_made(ada: Api) -> None:
    answers = at_once(
        *[lambda new=new: change(ada, new_password=new) for new in ("first of the two", "second of the two")]
    )

    made = [answer for answer in answers if answer.status_code == 200]
    [refused] = [answer for answer in answers if answer.status_code != 200]
    assert len(made) == 1
    # Whether the loser compared before or after the winner wrote.
    assert refused.json()["code"] in ("conflict", "invalid")


def test_nothing_is_locked_while_passwords_are_hashed(ada: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hash takes its time, and a transaction that idles is ended by the database."""
    inside: list[bool] = []
    for name in ("encode", "verify"):
        reckon = getattr(QuickArgon2, name)

        def noting(*given: Any, reckon: Callable[..., Any] = reckon) -> Any:
            inside.append(connection.in_atomic_block)
            return reckon(*given)

        monkeypatch.setattr(QuickArgon2, name, noting)

    assert change(ada).status_code == 200
    Api.signed_up("cyd", "correct horse battery")

    assert len(inside) >= 3
    assert not any(inside)


def test_a_password_that_was_changed_meanwhile_is_not_changed_again(ada: Api) -> None:
    principal = Principal(ada.id, "ada", "player", ada.session["session_id"])
    before = Player.objects.values_list("password", flat=True).get()

    with pytest.raises(Refusal) as refused:
        services._password_set(principal, before="what it was a moment ago", after="another")

    assert (refused.value.code, refused.value.detail) == ("conflict", "The password was changed at the same moment.")
    assert Player.objects.values_list("password", flat=True).get() == before
