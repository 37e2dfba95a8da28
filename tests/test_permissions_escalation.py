"""Nobody lifts himself: what a moderator sends by hand makes no admin, no coins and no password of an operator; and
what ends a session in the API ends it in the admin too."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib import admin as django_admin
from django.contrib.auth.models import Group, Permission
from django.contrib.sessions.models import Session
from django.db.models import Model
from django.urls import reverse
from django_q.models import OrmQ, Schedule

from accounts.models import LedgerEntry, Player, PlayerSession, Role
from inventory.models import InventoryItem, ItemMovement
from market.models import Listing
from tests import servers
from tests.operators import PASSWORD, Operator, admin, populate
from tests.support import Api, redis_is_back

PAGES = django_admin.site._registry
LIFTED = {
    "role": "admin", "is_superuser": "on", "is_staff": "on", "coins": "999999", "level": "99", "experience": "999999",
    "login": "king", "user_permissions": "1", "id": "1", "password": "pbkdf2_sha256$1$a$b",
}  # fmt: skip
NEW = {"password1": "another good one", "password2": "another good one"}


@pytest.fixture
def olga(ada: Api, bob: Api) -> Operator:
    """An admin, in a world where every table has rows."""
    populate(ada, bob)
    return admin()


@pytest.fixture
def mona(olga: Operator) -> Operator:
    """A moderator with every permission that there is."""
    operator = Operator.make("mona", Role.MODERATOR)
    group = Group.objects.create(name="everything")
    group.permissions.set(Permission.objects.all())
    Player.objects.get(login="mona").groups.add(group)
    Operator.make("mark", Role.MODERATOR)
    return operator


def pk_of(login: str) -> int:
    return Player.objects.get(login=login).pk


def standing() -> dict[str, Any]:
    """What makes somebody more than he is, and everything that has a ledger."""
    columns = ("id", "login", "role", "coins", "level", "experience")
    return {
        "players": list(Player.objects.order_by("pk").values(*columns)),
        "operators": list(Player.objects.exclude(role=Role.PLAYER).order_by("pk").values()),
        "groups": list(Player.groups.through.objects.order_by("pk").values()),
        "permissions": list(Group.permissions.through.objects.order_by("pk").values()),
        "names": list(Group.objects.order_by("pk").values()),
        "own": list(Player.user_permissions.through.objects.values()),
        **{
            model.__name__: list(model._default_manager.order_by("pk").values())
            for model in (LedgerEntry, ItemMovement, InventoryItem, Listing)
        },
        "schedules": list(Schedule.objects.order_by("pk").values("name", "func", "args", "kwargs", "hook")),
        "tasks": list(OrmQ.objects.order_by("pk").values("key", "payload")),
    }


# --- What a moderator sends by hand -----------------------------------------------------------------------


@pytest.mark.parametrize("login", ["mona", "mark", "Olga", "ada"])
def test_no_form_makes_anybody_more_than_he_is(mona: Operator, login: str) -> None:
    """With a moderator who may do everything that a group can allow."""
    before = standing()
    group = str(Group.objects.get(name="everything").pk)
    for name in ("accounts_player_change", "auth_user_password_change", "accounts_player_history"):
        for email in ("new@example.org", ""):
            sent = {**LIFTED, "groups": [group], "is_active": "on", "email": email, "_save": "Save"}
            answer = mona.client.post(reverse(f"admin:{name}", args=[pk_of(login)]), sent)
            refused = login != "ada" and name != "accounts_player_history"
            assert (answer.status_code == 403) is refused, name

    assert standing() == before


def test_whom_a_moderator_adds_is_a_player_with_the_starting_coins(mona: Operator) -> None:
    sent = {**LIFTED, **NEW, "login": "eve", "email": "eve@example.org", "groups": "1", "is_active": "on"}

    answer = mona.client.post(reverse("admin:accounts_player_add"), sent)

    assert answer.status_code == 302
    eve = Player.objects.get(login="eve")
    assert (eve.role, eve.coins, eve.level, eve.experience) == (Role.PLAYER, 1000, 1, 0)
    assert not eve.groups.exists()
    assert Operator("eve").entered.status_code == 200, "the login form comes back"


@pytest.mark.parametrize("login", ["mark", "Olga", "mona"])
def test_a_moderator_sets_no_operators_password_and_closes_none(mona: Operator, login: str) -> None:
    before = standing()

    assert mona.client.post(reverse("admin:auth_user_password_change", args=[pk_of(login)]), NEW).status_code == 403
    for action in ("close", "open", "delete_selected"):
        mona.act("accounts_player", action, pk_of(login))

    assert standing() == before
    assert Player.objects.get(login=login).check_password(PASSWORD)


def test_a_moderator_does_set_a_players_password(mona: Operator, ada: Api) -> None:
    answer = mona.client.post(reverse("admin:auth_user_password_change", args=[ada.id]), NEW)

    assert answer.status_code == 302
    assert Player.objects.get(pk=ada.id).check_password(NEW["password1"])


def test_a_group_cannot_be_made_changed_or_left_out(mona: Operator) -> None:
    before = standing()
    group = Group.objects.get(name="everything")
    sent = {"name": "kings", "permissions": [str(row.pk) for row in Permission.objects.all()], "post": "yes"}

    for name, args in (("add", []), ("change", [group.pk]), ("delete", [group.pk])):
        assert mona.client.post(reverse(f"admin:auth_group_{name}", args=args), sent).status_code == 403
    mona.act("auth_group", "delete_selected", group.pk)

    assert standing() == before


def test_no_address_gives_a_moderator_more_than_the_table_says(mona: Operator) -> None:
    """Every form of every page, with every column of its model in it."""
    before = standing()
    for model in PAGES:
        row = _row_of(model)
        for kind, args in (("add", []), ("change", [row.pk])):
            mona.client.post(reverse(f"admin:{_page(model, kind)}", args=args), _all_columns(model))

    assert standing() == before


def _page(model: type[Model], kind: str) -> str:
    return f"{model._meta.app_label}_{model._meta.model_name}_{kind}"


def _row_of(model: type[Model]) -> Any:
    row = model._default_manager.order_by("pk").first()
    assert row is not None
    return row


def _all_columns(model: type[Model]) -> dict[str, str]:
    return {name: "1" for field in model._meta.concrete_fields for name in (field.name, field.attname)} | LIFTED


# --- Nor does an admin ------------------------------------------------------------------------------------


def test_what_is_no_field_of_a_form_is_not_written_whoever_sends_it(olga: Operator) -> None:
    for model, page in PAGES.items():
        row = _row_of(model)
        shown = olga.get(_page(model, "change"), row.pk)
        if not page.has_change_permission(shown.wsgi_request, row):
            continue
        form = set(shown.context["adminform"].form.fields)
        beside = {name: value for name, value in _all_columns(model).items() if name not in form}
        kept = [field.attname for field in model._meta.concrete_fields if field.name not in form]
        before = model._default_manager.filter(pk=row.pk).values(*kept).get()

        assert olga.save(_page(model, "change"), row.pk, **beside).status_code == 302, model

        assert model._default_manager.filter(pk=row.pk).values(*kept).get() == before, model


def test_what_no_page_shows_cannot_be_found_out_by_filters(olga: Operator, ada: Api) -> None:
    """`?session_id__startswith=A` would tell a session's id letter by letter."""
    session = PlayerSession.objects.get(player_id=ada.id)
    player = Player.objects.get(pk=ada.id)
    for page, look_up, secret in (
        ("accounts_playersession", "session_id", session.session_id),
        ("accounts_playersession", "refresh_id", session.refresh_id),
        ("accounts_player", "password", player.password),
        ("accounts_player", "sessions__session_id", session.session_id),
        ("market_listing", "seller__password", player.password),
        ("accounts_ledgerentry", "player__password", player.password),
        ("accounts_ledgerentry", "player__sessions__refresh_id", session.refresh_id),
    ):
        for how in ("", "__exact", "__startswith", "__regex", "__gt", "__in", "__contains"):
            answer = olga.get(f"{page}_changelist", **{f"{look_up}{how}": secret})
            assert answer.status_code == 400, (page, look_up, how)
        answer = olga.get(f"{page}_changelist", _to_field=look_up)
        assert answer.status_code == 400, (page, look_up)


# --- What ends a session ----------------------------------------------------------------------------------


def inside(operator: Operator) -> bool:
    return bool(operator.get("index").status_code == 200)


def by_form(olga: Operator, login: str, **changes: Any) -> None:
    answer = olga.save("accounts_player_change", pk_of(login), **changes)
    assert answer.status_code == 302


def by_save(olga: Operator, login: str, **changes: Any) -> None:
    player = Player.objects.get(login=login)
    for name, value in changes.items():
        setattr(player, name, bool(value) if name == "is_active" else value)
    player.save()


def by_update(olga: Operator, login: str, **changes: Any) -> None:
    Player.objects.filter(login=login).update(**{n: bool(v) if n == "is_active" else v for n, v in changes.items()})


WAYS = [by_form, by_save, by_update]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("change", "back"),
    [
        ({"role": "player"}, {"role": "moderator"}),
        ({"role": "admin"}, {"role": "moderator"}),
        ({"is_active": None}, {"is_active": "on"}),
    ],
    ids=["lower", "higher", "closed"],
)
def test_another_role_or_standing_ends_what_is_open_in_the_admin_for_good(
    olga: Operator, way: Callable[..., None], change: dict[str, Any], back: dict[str, Any]
) -> None:
    """Also where it is taken back before the operator has clicked anything."""
    mona = Operator.make("mona", Role.MODERATOR)
    api = Api.signed_in("mona", PASSWORD)
    assert inside(mona)

    way(olga, "mona", **change)
    way(olga, "mona", **back)

    assert not inside(mona)
    assert api.get("/api/auth/me").status_code == 401
    assert inside(olga), "nobody else's ends"
    assert inside(Operator("mona"))


def test_another_role_counts_at_the_very_next_click(olga: Operator) -> None:
    mona = Operator.make("mona", Role.ADMIN)
    player = pk_of("ada")

    by_form(olga, "mona", role="moderator")

    answer = mona.client.post(reverse("admin:accounts_player_change", args=[player]), {"role": "admin"})
    assert (answer.status_code, answer["Location"].split("?")[0]) == (302, reverse("admin:login"))
    assert Player.objects.get(pk=player).role == Role.PLAYER


def test_a_new_password_ends_what_another_has_open_and_not_ones_own(olga: Operator) -> None:
    mona = Operator.make("mona", Role.MODERATOR)
    elsewhere = Operator("mona")

    changed = mona.client.post(
        reverse("admin:password_change"),
        {"old_password": PASSWORD, "new_password1": NEW["password1"], "new_password2": NEW["password1"]},
    )

    assert changed.status_code == 302
    assert inside(mona)
    assert not inside(elsewhere)


def test_a_change_that_is_rolled_back_ends_nothing(olga: Operator) -> None:
    from django.db import transaction

    mona = Operator.make("mona", Role.MODERATOR)
    with transaction.atomic():
        by_update(olga, "mona", role="admin")
        transaction.set_rollback(True)

    assert inside(mona)


def test_with_redis_away_it_ends_all_the_same(olga: Operator) -> None:
    mona = Operator.make("mona", Role.MODERATOR)
    assert inside(mona)
    servers.redis_stop()
    try:
        by_update(olga, "mona", role="player")
        by_update(olga, "mona", role="moderator")
        assert not inside(mona)
    finally:
        servers.redis_start()
    redis_is_back()

    assert not Session.objects.filter(session_key=mona.client.cookies["bcraftd_admin"].value).exists()


def test_a_players_change_of_password_leaves_operators_alone(olga: Operator, ada: Api) -> None:
    ada.post("/api/auth/password", old_password=ada.password, new_password="another good one")

    assert inside(olga)
