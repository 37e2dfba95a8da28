"""Every page of the admin: it opens, it survives odd input, it asks few queries, and histories cannot be written."""

from typing import Any

import pytest
from django.apps import apps as django_apps
from django.contrib import admin as django_admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group
from django.db.models import Model
from django.test import Client
from django.urls import reverse

from accounts.models import LedgerEntry, LedgerTransfer, Player, PlayerSession, PlayerStatistics, Role
from bcraftd.models import BackupRun, EconomyAudit
from inventory.models import InventoryItem, ItemMovement, PlayerProfession
from leaderboard.models import LeaderboardRow
from market.models import Listing, Trade
from tests.operators import PASSWORD, Operator, admin, populate
from tests.support import Api, queries

MODELS = sorted(django_admin.site._registry, key=lambda model: model._meta.label)
READ_ONLY: list[type[Model]] = [
    BackupRun, EconomyAudit, InventoryItem, ItemMovement, LeaderboardRow, LedgerEntry, LedgerTransfer, Listing,
    LogEntry, PlayerProfession, PlayerStatistics, Trade,
]  # fmt: skip
# Rows that may be removed but not written: ending a session is removing it.
REMOVABLE: list[type[Model]] = [PlayerSession]

PAGES = django_admin.site._registry
ODD = ["\0", "a\0b", "'", '"', "' OR 1=1 --", "%", "_", "\\", "☃", "9" * 30, "-1", "\ufffd", "a" * 5000]
ODD_FILTERS = [
    {"pk__in": "9" * 30}, {"pk__exact": "\0"}, {"pk\0": "1"}, {"pk__exact": "9" * 30}, {"p": "0"}, {"p": "9" * 30},
    {"p": "x"}, {"o": "99.-99"}, {"nothing": "1"}, {"all": ""}, {"e": "1"},
]  # fmt: skip


def page(model: type[Model], kind: str) -> str:
    return f"{model._meta.app_label}_{model._meta.model_name}_{kind}"


def first(model: type[Model], operator: Operator) -> Any:
    row = PAGES[model].get_queryset(operator.get("index").wsgi_request).first()
    assert row is not None, f"populate() makes no {model._meta.label}"
    return row


@pytest.fixture
def olga(ada: Api, bob: Api) -> Operator:
    """An admin, in a world where every table has rows."""
    populate(ada, bob)
    return admin()


def test_every_model_of_the_domain_has_its_pages() -> None:
    apps = ("accounts", "inventory", "market", "environment", "leaderboard")
    domain = {model for app in apps for model in django_apps.get_app_config(app).get_models()}

    assert {model._meta.label for model in domain - set(MODELS)} == {"inventory.RecipeIngredient"}, (
        "an inline of Recipe"
    )


def test_every_list_opens_in_few_queries_however_many_rows_it_shows(olga: Operator) -> None:
    for model in MODELS:
        with queries() as seen:
            listed = olga.get(page(model, "changelist"))

        assert listed.status_code == 200, model
        assert listed.context["cl"].result_count > 0, model
        # The operator (the session is in Redis), one capped count, one page of rows, and the choices of at most
        # two filters.
        assert len(seen) <= 5, (model, seen)


def test_every_form_opens_where_it_may_be_used(olga: Operator) -> None:
    for model in MODELS:
        row = first(model, olga)
        assert olga.get(page(model, "change"), row.pk).status_code == 200, model
        assert olga.get(page(model, "history"), row.pk).status_code == 200, model
        added = olga.get(page(model, "add"))
        assert added.status_code == (200 if PAGES[model].has_add_permission(added.wsgi_request) else 403), model


def test_no_search_is_too_odd(olga: Operator) -> None:
    for model in MODELS:
        for text in ODD:
            found = olga.client.get(reverse(f"admin:{page(model, 'changelist')}"), {"q": text}, follow=True)
            assert found.status_code == 200, (model, text)
            # A percent sign stands for itself.
            assert text != "%" or not PAGES[model].search_fields or not found.context["cl"].result_count, model


def test_no_filter_is_too_odd(olga: Operator) -> None:
    for model in MODELS:
        for query in ODD_FILTERS:
            answer = olga.client.get(reverse(f"admin:{page(model, 'changelist')}"), query, follow=True)
            assert answer.status_code == 200, (model, query)
            assert "cl" in answer.context, (model, query)


def test_a_row_that_is_not_there_leads_back_to_the_index(olga: Operator) -> None:
    for model in MODELS:
        for key in ("0", "-1", "9" * 30, "x", "\0", "_00", "%"):
            answer = olga.get(page(model, "change"), key)
            assert (answer.status_code, answer["Location"]) == (302, reverse("admin:index")), (model, key)


def test_histories_and_what_the_ledgers_keep_cannot_be_written(olga: Operator) -> None:
    for model in READ_ONLY + REMOVABLE:
        row: Any = model._default_manager.first()
        before = list(model._default_manager.order_by("pk").values())

        for kind, args in (("add", []), ("change", [row.pk]), ("delete", [row.pk])):
            if kind != "delete" or model in READ_ONLY:
                answer = olga.client.post(reverse(f"admin:{page(model, kind)}", args=args), {"post": "yes"})
                assert answer.status_code == 403, (model, kind)
        if model in READ_ONLY:
            olga.act(f"{model._meta.app_label}_{model._meta.model_name}", "delete_selected", row.pk)

        assert list(model._default_manager.order_by("pk").values()) == before


@pytest.mark.parametrize(
    "name", ["index", "market_listing_changelist", "accounts_player_add", "jsi18n", "autocomplete"]
)
def test_players_and_strangers_get_no_admin(ada: Api, name: str) -> None:
    player = Operator("ada")
    assert player.entered.status_code == 200, "the login form comes back"
    assert "_auth_user_id" not in player.client.session

    for client in (player.client, Client()):
        answer = client.get(reverse(f"admin:{name}"))
        assert (answer.status_code, answer["Location"].split("?")[0]) == (302, reverse("admin:login"))


def test_a_closed_account_gets_no_admin(world: None) -> None:
    Operator.make("olga", Role.ADMIN)
    Player.objects.filter(login="olga").update(is_active=False)

    assert Operator("olga").entered.status_code == 200


def test_moderators_see_everything_and_write_nothing_that_no_group_lets_them(olga: Operator) -> None:
    mona = Operator.make("mona", Role.MODERATOR)
    for model in MODELS:
        row = first(model, mona)

        assert mona.get(page(model, "change"), row.pk).status_code == 200, model
        listed = mona.get(page(model, "changelist"))
        assert listed.status_code == 200, model
        assert listed.context["action_form"] is None, model
        for kind, args in (("add", []), ("change", [row.pk]), ("delete", [row.pk])):
            answer = mona.client.post(reverse(f"admin:{page(model, kind)}", args=args), {"post": "yes"})
            assert answer.status_code == 403, (model, kind)
        assert model._default_manager.filter(pk=row.pk).exists(), model


def test_only_admins_edit_what_groups_allow(world: None) -> None:
    mona = Operator.make("mona", Role.MODERATOR, "auth.change_group", "auth.add_group", "auth.delete_group")
    group = Group.objects.get()

    assert mona.client.post(reverse("admin:auth_group_change", args=[group.pk]), {"name": "x"}).status_code == 403
    assert mona.client.post(reverse("admin:auth_group_add"), {"name": "x"}).status_code == 403
    assert mona.client.post(reverse("admin:auth_group_delete", args=[group.pk]), {"post": "yes"}).status_code == 403


def test_pages_are_found_by_their_names(olga: Operator) -> None:
    for extended in ({}, {"extended": "1"}):
        found = olga.get("search", s="LISTing", **extended)

        assert found.status_code == 200
        assert reverse("admin:market_listing_changelist") in found.content.decode()
        assert reverse("admin:market_trade_changelist") not in found.content.decode()


def test_no_search_for_pages_fails(olga: Operator) -> None:
    for query in ({}, {"s": ""}, {"s": "no such page"}, {"s": "\0"}, {"s": "listing", "page": "x"}):
        assert olga.get("search", **query).status_code == 200, query


def test_what_is_typed_into_a_select_finds_rows_and_never_fails(olga: Operator) -> None:
    of = {"app_label": "inventory", "model_name": "recipe", "field_name": "profession"}
    found = {term: olga.get("autocomplete", term=term, **of) for term in ("timber", "", "\0", "%", "'")}

    assert {answer.status_code for answer in found.values()} == {200}
    assert [row["text"] for row in found["timber"].json()["results"]] == ["Timberhand"]
    assert len(found[""].json()["results"]) >= 12
    assert found["\0"].json()["results"] == found["%"].json()["results"] == []


def test_long_lists_are_counted_up_to_a_limit(olga: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    from bcraftd import adminbase

    monkeypatch.setattr(adminbase, "COUNT_LIMIT", 2)

    with queries() as seen:
        listed = olga.get("accounts_player_changelist")

    assert Player.objects.count() > 2
    assert listed.context["cl"].result_count == 2
    assert all("LIMIT" in sql for sql in seen if "COUNT(" in sql)


def test_the_menu_leads_to_every_list(olga: Operator) -> None:
    # A page that has no links of its own to lists.
    shown = olga.get("password_change").content.decode()

    for model in MODELS:
        link = reverse(f"admin:{page(model, 'changelist')}")
        assert f'href="{link}"' in shown, f"{link} is not in the menu"


def test_a_login_leads_to_the_index(world: None) -> None:
    Operator.make("olga", Role.ADMIN)

    entered = Client().post(reverse("admin:login"), {"username": "olga", "password": PASSWORD})

    assert (entered.status_code, entered["Location"]) == (302, reverse("admin:index"))


@pytest.mark.parametrize("path", ["/admin/login/", "/api/docs"])
def test_the_scripts_of_pages_may_run_and_those_of_strangers_may_not(world: None, path: str) -> None:
    policy = Client().get(path)["Content-Security-Policy"]

    assert "script-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "http" not in policy


@pytest.mark.parametrize("path", ["/api/resources", "/healthz", "/nowhere"])
def test_nothing_runs_in_what_is_no_page(world: None, path: str) -> None:
    assert "default-src 'none'" in Client().get(path)["Content-Security-Policy"]
