"""POST /api/auth/register"""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection

from accounts.models import LedgerEntry, Player
from accounts.services import player_register
from bcraftd.errors import Refusal
from tests.support import Api, assert_problem

PASSWORD = "correct horse battery"


def register(api: Api, **changes: Any) -> Any:
    return api.post(
        "/api/auth/register", **{"login": "ada", "email": "ada@example.org", "password": PASSWORD, **changes}
    )


def test_a_new_player_is_created_and_told_its_id(api: Api) -> None:
    answer = register(api, login="Ada_L-9")

    player = Player.objects.get()
    assert answer.status_code == 201
    assert answer.json() == {"id": player.pk, "login": "Ada_L-9"}
    assert answer["Cache-Control"] == "no-store"
    assert (player.login, player.email, player.role, player.level) == ("Ada_L-9", "ada@example.org", "player", 1)


def test_the_password_is_kept_only_as_an_argon2_hash(api: Api) -> None:
    register(api)

    assert Player.objects.get().password.startswith("argon2$")


def test_a_new_player_has_the_starting_coins_on_record_and_statistics(api: Api) -> None:
    register(api)

    player = Player.objects.select_related("statistics").get()
    assert player.coins == 1000
    assert player.statistics.items_crafted == 0
    assert list(LedgerEntry.objects.order_by("amount").values_list("system_account", "amount")) == [
        ("mint", -1000),
        ("", 1000),
    ]


def test_without_starting_coins_nothing_is_booked(api: Api, settings: Any) -> None:
    settings.STARTING_COINS = 0

    assert register(api).status_code == 201
    assert Player.objects.get().coins == 0
    assert not LedgerEntry.objects.exists()


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"email": "other@example.org"}, "login_taken"),
        ({"login": "ADA", "email": "other@example.org"}, "login_taken"),
        ({"login": "other"}, "email_taken"),
        ({"login": "other", "email": "ADA@EXAMPLE.ORG"}, "email_taken"),
    ],
)
def test_login_and_email_are_unique_without_regard_to_case(api: Api, changes: dict[str, str], code: str) -> None:
    register(api)

    assert_problem(register(api, **changes), 409, code)
    assert Player.objects.count() == 1
    assert LedgerEntry.objects.count() == 2


def test_of_two_who_want_the_same_login_at_once_one_gets_it(api: Api) -> None:
    def attempt(number: int) -> int:
        try:
            return int(register(Api(), email=f"ada{number}@example.org").status_code)
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as threads:
        assert sorted(threads.map(attempt, range(4))) == [201, 409, 409, 409]
    assert Player.objects.count() == 1


@pytest.mark.parametrize("login", ["abc", "a" * 32, "0_-"])
def test_logins_of_3_to_32_letters_are_taken(api: Api, login: str) -> None:
    assert register(api, login=login, email="x@example.org").json()["login"] == login


LOGINS = [
    "", "ab", "a" * 33, "a b", "adä", "ada\n", " ada", "ada\x00", "ada\ud800", "ada.l", 123, 1.5, True, None,
    [], {},
]  # fmt: skip
EMAILS = [
    "", "ada", "@example.org", "ada@", "ada@example.org\x00", "a" * 250 + "@example.org", 5, True, None,
    ["a@b.cd"],
]  # fmt: skip
PASSWORDS = [
    "", "short", "0123456789", "password123", "ada@example", "a" * 129, "correct\x00horse", "\ud800" * 9,
    10**30, True, None,
]  # fmt: skip


@pytest.mark.parametrize(
    ("field", "value"),
    [("login", x) for x in LOGINS] + [("email", x) for x in EMAILS] + [("password", x) for x in PASSWORDS],
)
def test_a_bad_value_is_named_and_nothing_is_created(api: Api, field: str, value: Any) -> None:
    assert_problem(register(api, **{field: value}), 400, "invalid", field)
    assert not Player.objects.exists()


@pytest.mark.parametrize("field", ["login", "email", "password"])
def test_each_field_is_needed(api: Api, field: str) -> None:
    body = {"login": "ada", "email": "ada@example.org", "password": PASSWORD}
    del body[field]

    answer = assert_problem(api.post("/api/auth/register", **body), 400, "invalid", field)

    assert [row["code"] for row in answer["errors"]] == ["required"]


@pytest.mark.parametrize("field", ["role", "coins", "is_active", "id", "Login", "\ud800"])
def test_an_unknown_field_is_refused(api: Api, field: str) -> None:
    assert_problem(register(api, **{field: 1}), 400, "invalid")
    assert not Player.objects.exists()


def test_a_query_is_refused(api: Api) -> None:
    answer = api.call("POST", "/api/auth/register?x=1", {"login": "ada", "email": "a@b.cd", "password": PASSWORD})

    assert_problem(answer, 400, "invalid", "x")
    assert not Player.objects.exists()


def test_every_rule_that_a_password_breaks_is_named(api: Api) -> None:
    body = assert_problem(register(api, password="1234567"), 400, "invalid", "password")

    assert {row["code"] for row in body["errors"]} == {
        "password_too_short",
        "password_too_common",
        "password_entirely_numeric",
    }
    assert body["detail"] == body["errors"][0]["detail"]


@pytest.mark.parametrize("password", ["Gwendolyn1", "montgomery7"])
def test_a_password_that_is_nearly_the_login_or_the_email_is_refused(api: Api, password: str) -> None:
    answer = register(api, login="gwendolyn", email="montgomery@example.org", password=password)

    body = assert_problem(answer, 400, "invalid", "password")
    assert [row["code"] for row in body["errors"]] == ["password_too_similar"]


class NoVowels:
    """A rule that an operator may have added: Django does not ask for a code."""

    def validate(self, password: str, user: Any = None) -> None:
        raise ValidationError("No vowels, please.")


def test_a_rule_without_a_code_of_its_own_is_told_too(api: Api, settings: Any) -> None:
    settings.AUTH_PASSWORD_VALIDATORS = [{"NAME": f"{__name__}.NoVowels"}]

    body = assert_problem(register(api), 400, "invalid", "password")

    assert body["errors"] == [{"field": "password", "code": "invalid", "detail": "No vowels, please."}]
    assert body["detail"] == "No vowels, please."


@pytest.mark.parametrize("cause", [None, ValueError("not from a server")])
def test_what_the_database_refuses_for_another_reason_is_a_conflict(
    world: None, monkeypatch: pytest.MonkeyPatch, cause: Exception | None
) -> None:
    def refused(**facts: str) -> Player:
        raise IntegrityError("another constraint") from cause

    monkeypatch.setattr(Player.objects, "create", refused)

    with pytest.raises(Refusal) as refusal:
        player_register(login="ada", email="ada@example.org", password=PASSWORD)
    assert refusal.value.code == "conflict"


def test_a_password_keeps_its_spaces(api: Api) -> None:
    register(api, password="  correct horse  ")

    assert api.post("/api/auth/login", login="ada", password="correct horse").status_code == 401
    assert api.post("/api/auth/login", login="ada", password="  correct horse  ").status_code == 200
