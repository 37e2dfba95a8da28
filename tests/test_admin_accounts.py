"""Players in the admin: made, changed, closed; what ends their sessions does so at once."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import LedgerEntry, Player, PlayerSession, PlayerStatistics, Role
from tests.operators import PASSWORD, Operator, admin, errors_of, messages_of
from tests.support import Api, assert_problem

NEW = {"login": "cyd", "email": "cyd@example.org", "role": "player", "password1": PASSWORD, "password2": PASSWORD}


@pytest.fixture
def olga(world: None) -> Operator:
    return admin()


def signed_out(api: Api) -> None:
    assert_problem(api.get("/api/auth/me"), 401, "session_expired")


def saves_of_players(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What each save() of a player is called with, from here on."""
    seen: list[dict[str, Any]] = []
    save = Player.save

    def noting(self: Player, **rest: Any) -> None:
        seen.append(rest)
        save(self, **rest)

    monkeypatch.setattr(Player, "save", noting)
    return seen


# Making.


def test_a_new_player_has_what_everybody_starts_with(olga: Operator) -> None:
    answer = olga.save("accounts_player_add", **NEW)

    assert answer.status_code == 302, errors_of(answer)
    player = Api.signed_in("cyd", PASSWORD)
    assert player.coins() == 1000
    cyd = Player.objects.get(login="cyd")
    assert [entry.amount for entry in LedgerEntry.objects.filter(player=cyd)] == [1000]
    assert PlayerStatistics.objects.filter(player=cyd).exists()
    assert answer["Location"] == reverse("admin:accounts_player_change", args=[cyd.pk])


def test_an_admin_makes_a_moderator(olga: Operator) -> None:
    olga.save("accounts_player_add", **{**NEW, "role": "moderator"})

    assert Player.objects.get(login="cyd").role == Role.MODERATOR


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"login": "oLGA"}, "login"),
        ({"login": "ab"}, "login"),
        ({"login": "a b c"}, "login"),
        ({"login": "abc\n"}, "login"),
        ({"login": "abc\0"}, "login"),
        ({"login": "é" * 5}, "login"),
        ({"login": "a" * 33}, "login"),
        ({"email": "OLGA@example.org"}, "email"),
        ({"email": "nobody"}, "email"),
        ({"role": "king"}, "role"),
        ({"password1": ""}, "password1"),
        ({"password2": "something else"}, "password2"),
        ({"password1": "12345678", "password2": "12345678"}, "password2"),
        ({"password1": "cyd-cyd-cyd", "password2": "cyd-cyd-cyd", "login": "cyd-cyd-cyd"}, "password2"),
    ],
    ids=str,
)
def test_a_player_that_breaks_the_rules_is_not_made(olga: Operator, changes: dict[str, str], field: str) -> None:
    answer = olga.save("accounts_player_add", **{**NEW, **changes})

    assert list(errors_of(answer)) == [field]
    assert Player.objects.count() == 1


# Changing.


def test_no_form_has_coins_or_levels(olga: Operator, ada: Api) -> None:
    form = olga.get("accounts_player_change", ada.id).context["adminform"].form

    assert set(form.fields) == {"email", "role", "groups", "is_active", "password"}
    olga.save("accounts_player_change", ada.id, coins="5", level="9", experience="9", login="eve", is_superuser="on")
    player = Player.objects.get(pk=ada.id)
    assert (player.login, player.coins, player.level, player.experience) == ("ada", 1000, 1, 0)
    assert not player.is_superuser


@pytest.mark.parametrize("change", [{"role": "moderator"}, {"is_active": None}], ids=str)
def test_another_role_or_standing_ends_the_sessions_at_once(olga: Operator, ada: Api, change: dict[str, Any]) -> None:
    assert ada.get("/api/auth/me").status_code == 200

    answer = olga.save("accounts_player_change", ada.id, **change)

    assert answer.status_code == 302
    signed_out(ada)
    assert not PlayerSession.objects.filter(player_id=ada.id).exists()


def test_another_email_address_ends_no_session(olga: Operator, ada: Api) -> None:
    olga.save("accounts_player_change", ada.id, email="new@example.org")

    assert ada.get("/api/auth/me").json()["email"] == "new@example.org"


def test_a_taken_email_address_is_refused(olga: Operator, ada: Api, bob: Api) -> None:
    answer = olga.save("accounts_player_change", ada.id, email="BOB@example.org")

    assert list(errors_of(answer)) == ["email"]
    assert Player.objects.get(pk=ada.id).email == "ada@example.org"


def test_coins_that_moved_while_the_form_was_saved_stay(
    olga: Operator, ada: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    from accounts.admin import PlayerChangeForm

    def clean(form: Any) -> Any:
        Player.objects.filter(pk=ada.id).update(coins=5)
        return form.cleaned_data

    monkeypatch.setattr(PlayerChangeForm, "clean", clean, raising=False)

    assert olga.save("accounts_player_change", ada.id, email="new@example.org").status_code == 302
    player = Player.objects.get(pk=ada.id)
    assert (player.email, player.coins) == ("new@example.org", 5)


def test_a_new_password_ends_the_sessions_at_once_and_touches_nothing_else(
    olga: Operator, ada: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved = saves_of_players(monkeypatch)

    answer = olga.save("auth_user_password_change", ada.id, password1="another good one", password2="another good one")

    assert answer.status_code == 302
    signed_out(ada)
    assert Api.signed_in("ada", "another good one").coins() == 1000
    assert {"update_fields": ["password"]} in saved
    assert {} not in saved


def test_a_new_password_must_be_good(olga: Operator, ada: Api) -> None:
    answer = olga.save("auth_user_password_change", ada.id, password1="12345678", password2="12345678")

    assert "password2" in errors_of(answer)
    assert ada.get("/api/auth/me").status_code == 200


def test_an_operators_own_password_is_changed_alone_and_keeps_the_page_open(
    olga: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    api = Api.signed_in("olga", PASSWORD)
    saved = saves_of_players(monkeypatch)

    page = reverse("admin:password_change")
    form = {"old_password": PASSWORD, "new_password1": "another good one", "new_password2": "another good one"}
    answer = olga.client.post(page, form)

    assert answer.status_code == 302
    assert saved == [{"update_fields": ["password"]}]
    assert olga.get("index").status_code == 200
    signed_out(api)


def test_nobody_sees_a_password(olga: Operator, ada: Api) -> None:
    mona = Operator.make("mona", Role.MODERATOR)
    stored = Player.objects.get(pk=ada.id).password

    for operator in (olga, mona):
        page = operator.get("accounts_player_change", ada.id).content.decode()
        assert stored not in page
        assert stored.split("$")[-1] not in page


# Closing and opening.


def test_closing_an_account_ends_its_sessions_and_opening_lets_it_in_again(olga: Operator, ada: Api, bob: Api) -> None:
    answer = olga.act("accounts_player", "close", ada.id)

    assert messages_of(answer) == ["Closed: 1"]
    signed_out(ada)
    assert_problem(Api().post("/api/auth/login", login="ada", password=ada.password), 401, "bad_credentials")
    assert bob.get("/api/auth/me").status_code == 200

    assert messages_of(olga.act("accounts_player", "open", ada.id)) == ["Opened: 1"]
    assert Api.signed_in("ada", ada.password).coins() == 1000


def test_what_was_done_is_written_down(olga: Operator, ada: Api) -> None:
    olga.act("accounts_player", "close", ada.id)

    assert "Closed" in olga.get("accounts_player_history", ada.id).content.decode()


def test_nobody_locks_himself_out(olga: Operator, ada: Api) -> None:
    own = Player.objects.get(login="Olga").pk

    closed = olga.act("accounts_player", "close", own, ada.id)
    demoted = olga.save("accounts_player_change", own, role="player")

    assert len(messages_of(closed)) == 2, "one refusal, one that went on"
    signed_out(ada)
    assert demoted.status_code == 302
    assert olga.get("accounts_player_changelist").status_code == 200
    player = Player.objects.get(pk=own)
    assert (player.role, player.is_active) == (Role.ADMIN, True)


# Moderators.


@pytest.fixture
def mona(olga: Operator) -> Operator:
    """A moderator who may change players."""
    return Operator.make("mona", Role.MODERATOR, "accounts.change_player", "accounts.add_player")


def test_a_moderator_makes_nobody_a_moderator(mona: Operator, ada: Api) -> None:
    mona.save("accounts_player_change", ada.id, role="moderator", email="new@example.org")
    made = mona.save("accounts_player_add", **{**NEW, "role": "admin"})

    assert made.status_code == 302, errors_of(made)
    player = Player.objects.get(pk=ada.id)
    assert (player.role, player.email) == (Role.PLAYER, "new@example.org")
    assert Player.objects.get(login="cyd").role == Role.PLAYER


@pytest.mark.parametrize("login", ["Olga", "mona"])
def test_a_moderator_changes_no_operator(mona: Operator, login: str) -> None:
    other = Player.objects.get(login=login)
    new = {"password1": "another good one", "password2": "another good one"}

    for page in ("accounts_player_change", "auth_user_password_change"):
        answer = mona.client.post(reverse(f"admin:{page}", args=[other.pk]), {**new, "email": "x@example.org"})
        assert answer.status_code == 403, page
    mona.act("accounts_player", "close", other.pk)

    other.refresh_from_db()
    assert other.is_active
    assert other.check_password(PASSWORD)


def test_a_moderator_closes_a_player(mona: Operator, ada: Api) -> None:
    assert messages_of(mona.act("accounts_player", "close", ada.id)) == ["Closed: 1"]

    signed_out(ada)


# Sessions and the ledger.


def test_removing_a_session_ends_it_at_once_and_no_other(olga: Operator, ada: Api, bob: Api) -> None:
    row = PlayerSession.objects.get(player_id=ada.id)

    answer = olga.client.post(reverse("admin:accounts_playersession_delete", args=[row.pk]), {"post": "yes"})

    assert answer.status_code == 302
    signed_out(ada)
    assert bob.get("/api/auth/me").status_code == 200


def test_sessions_are_ended_many_at_once(olga: Operator, ada: Api, bob: Api) -> None:
    ids = list(PlayerSession.objects.values_list("pk", flat=True))
    page = reverse("admin:accounts_playersession_changelist")

    olga.client.post(page, {"action": "delete_selected", "_selected_action": ids, "post": "yes"})

    signed_out(ada)
    signed_out(bob)


def test_no_page_shows_what_a_session_could_be_taken_over_with(olga: Operator, ada: Api) -> None:
    row = PlayerSession.objects.get(player_id=ada.id)

    for name, args in (("changelist", []), ("change", [row.pk])):
        page = olga.get(f"accounts_playersession_{name}", *args).content.decode()
        assert row.session_id not in page
        assert row.refresh_id not in page


def test_a_transfer_shows_both_its_sides(olga: Operator, ada: Api) -> None:
    ada.grant(coins=777)
    transfer = LedgerEntry.objects.get(player_id=ada.id, amount=777).transfer_id

    page = olga.get("accounts_ledgertransfer_change", transfer).content.decode()

    assert "777" in page
    assert "-777" in page
    assert "Mint" in page


def test_a_stranger_cannot_post(world: None, ada: Api) -> None:
    answer = Client().post(reverse("admin:accounts_player_change", args=[ada.id]), {"role": "admin"})

    assert answer.status_code == 302
    assert Player.objects.get(pk=ada.id).role == Role.PLAYER
