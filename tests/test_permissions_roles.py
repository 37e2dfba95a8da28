"""Who may do what in the admin: the table in docs/api.md, compared with what every page really lets somebody do.

A permission is held against its page alone, and everything but it: so that neither more nor less lets anybody in.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from django.contrib import admin as django_admin
from django.contrib.auth.models import Group, Permission
from django.db.models import Model
from django.test import Client
from django.urls import NoReverseMatch, URLPattern, URLResolver, get_resolver, reverse

from accounts.models import Player, Role
from inventory.models import Recipe
from tests.operators import Operator, admin, populate
from tests.permissions import fingerprint
from tests.support import Api
from tests.test_docs import API, rows, words

PAGES = django_admin.site._registry
NOBODY, ADMINS = "–", "admins"
# Pages that everybody finds who comes to the door.
DOORS = {"login", "logout"}


@dataclass(frozen=True)
class Clause:
    """Who may do something, and what: `permissions` that are needed together, None for admins only."""

    permissions: frozenset[str] | None
    names: frozenset[str] = frozenset()


def clauses(cell: str, app: str) -> list[Clause]:
    """A cell of the table: a dash, or clauses with a semicolon between them, each "who" or "who: what"."""
    found = []
    for text in [] if cell == NOBODY else cell.split(";"):
        who, _, what = text.partition(":")
        permissions = None if who.strip() == ADMINS else frozenset(f"{app}.{name}" for name in words(who))
        found.append(Clause(permissions, frozenset(words(what))))
    return found


@dataclass(frozen=True)
class Documented:
    """A row of the table, for one page."""

    add: list[Clause]
    change: list[Clause]
    delete: list[Clause]
    actions: list[Clause]


def documented() -> dict[str, Documented]:
    found = {}
    for pages, *cells in (row for row in rows(API, "## Roles") if len(row) == 5):
        for label in words(pages):
            app = label.split(".")[0]
            found[label] = Documented(*(clauses(cell, app) for cell in cells))
    return found


TABLE = documented()


def page(model: type[Model], kind: str) -> str:
    return f"{model._meta.app_label}_{model._meta.model_name}_{kind}"


@dataclass
class Moderator:
    """An operator whose one group is given other permissions from test to test."""

    operator: Operator

    def may(self, names: frozenset[str]) -> Operator:
        """From now on these and no others."""
        Group.objects.get(name="moderators").permissions.set([EVERY[name] for name in names])
        return self.operator

    def may_all_but(self, *names: str) -> Operator:
        return self.may(frozenset(EVERY) - set(names))


EVERY: dict[str, Permission] = {}


@pytest.fixture
def olga(ada: Api, bob: Api) -> Operator:
    """An admin, in a world where every table has rows."""
    populate(ada, bob)
    return admin()


@pytest.fixture
def mona(olga: Operator) -> Moderator:
    operator = Operator.make("mona", Role.MODERATOR)
    Player.objects.get(login="mona").groups.add(Group.objects.create(name="moderators"))
    for permission in Permission.objects.select_related("content_type"):
        EVERY[f"{permission.content_type.app_label}.{permission.codename}"] = permission
    return Moderator(operator)


def row_of(model: type[Model]) -> Any:
    """A row of a player, where the model is his: the ones of operators are another matter."""
    found = model._default_manager.order_by("pk")
    return found.filter(role=Role.PLAYER)[0] if model is Player else found[0]


def every_page() -> Iterator[tuple[type[Model], Documented]]:
    for model in sorted(PAGES, key=lambda model: model._meta.label):
        yield model, TABLE[model._meta.label]


# --- The table --------------------------------------------------------------------------------------------


def test_every_page_of_the_admin_stands_in_the_table_and_no_other() -> None:
    assert sorted(TABLE) == sorted(model._meta.label for model in PAGES)


def test_every_role_stands_in_the_table_and_no_other() -> None:
    assert [words(row[0])[0] for row in rows(API, "## Roles") if len(row) == 3] == Role.values


def test_every_permission_of_the_table_is_one_that_a_group_can_give(mona: Moderator) -> None:
    named = {
        name
        for row in TABLE.values()
        for clause in [*row.add, *row.change, *row.delete, *row.actions]
        for name in clause.permissions or ()
    }

    assert named <= set(EVERY)


# --- Adding, changing, deleting ---------------------------------------------------------------------------


def answers(operator: Operator, model: type[Model], kind: str) -> int:
    """What a page says to who would add, change or delete. Nothing is changed: what is sent is no good form."""
    args = [] if kind == "add" else [row_of(model).pk]
    if kind == "change":
        return int(operator.client.post(reverse(f"admin:{page(model, kind)}", args=args), {}).status_code)
    return int(operator.get(page(model, kind), *args).status_code)


@pytest.mark.parametrize("kind", ["add", "change", "delete"])
def test_who_adds_changes_and_deletes_is_who_the_table_names(olga: Operator, mona: Moderator, kind: str) -> None:
    for model, row in every_page():
        named: list[Clause] = getattr(row, kind)
        moderators = [clause.permissions for clause in named if clause.permissions is not None]

        assert answers(olga, model, kind) == (200 if named else 403), model
        for permissions in moderators:
            assert answers(mona.may(permissions), model, kind) == 200, model
            for one in permissions:
                assert answers(mona.may_all_but(one), model, kind) == 403, (model, one)
        if not moderators:
            assert answers(mona.may_all_but(), model, kind) == 403, model


def test_the_columns_that_can_be_changed_are_those_of_the_table(olga: Operator, mona: Moderator) -> None:
    for model, row in every_page():
        for clause in row.change:
            if clause.permissions is not None:
                assert fields(mona.may(clause.permissions), model) == clause.names, model
                assert fields(mona.may_all_but(), model) == clause.names, model
        if row.change:
            assert fields(olga, model) == frozenset().union(*(clause.names for clause in row.change)), model


def fields(operator: Operator, model: type[Model]) -> frozenset[str]:
    return frozenset(operator.get(page(model, "change"), row_of(model).pk).context["adminform"].form.fields)


def test_the_ingredients_of_a_recipe_have_permissions_of_their_own(mona: Moderator) -> None:
    recipe = Recipe.objects.order_by("pk")[0]
    first = recipe.ingredients.order_by("pk")[0]
    change = {"ingredients-0-id": first.pk, "ingredients-0-quantity": first.quantity + 7}
    change |= {"ingredients-0-resource": first.resource_id, "ingredients-0-recipe": recipe.pk}
    change |= {"ingredients-TOTAL_FORMS": 1, "ingredients-INITIAL_FORMS": 1}

    mona.may(frozenset({"inventory.change_recipe"})).save("inventory_recipe_change", recipe.pk, **change)
    assert recipe.ingredients.get(pk=first.pk).quantity == first.quantity
    both = frozenset({"inventory.change_recipe", "inventory.change_recipeingredient"})
    mona.may(both).save("inventory_recipe_change", recipe.pk, **change)
    assert recipe.ingredients.get(pk=first.pk).quantity == first.quantity + 7


# --- Actions ----------------------------------------------------------------------------------------------


def offered(operator: Operator, model: type[Model]) -> frozenset[str]:
    """The actions that a list offers, and the dialogs that open. Deleting many is deleting."""
    form = operator.get(page(model, "changelist")).context["action_form"]
    choices = {name for name, _ in form.fields["action"].choices} if form is not None else set()
    opened = {name for name in dialogs(model) if opens(operator, model, name)}
    return frozenset(choices - {"", "delete_selected"} | opened)


def dialogs(model: type[Model]) -> set[str]:
    """Unfold's actions that have a page of their own."""
    view: Any = PAGES[model]
    return {*view.actions_list, *view.actions_row, *view.actions_detail, *view.actions_submit_line}


def opens(operator: Operator, model: type[Model], name: str) -> bool:
    view: Any = PAGES[model]
    args = [] if name in view.actions_list else [row_of(model).pk]
    status = operator.get(page(model, name), *args).status_code
    assert status in (200, 403)
    return bool(status == 200)


def test_who_is_offered_an_action_is_who_the_table_names(olga: Operator, mona: Moderator) -> None:
    for model, row in every_page():
        assert offered(olga, model) == frozenset().union(*(clause.names for clause in row.actions)), model
        assert offered(mona.may(frozenset()), model) == frozenset(), model
        for clause in row.actions:
            assert clause.permissions is not None, "no action is for admins only"
            assert clause.names <= offered(mona.may(clause.permissions), model), model
            for one in clause.permissions:
                assert not clause.names & offered(mona.may_all_but(one), model), (model, one)


def test_deleting_many_is_offered_to_who_may_delete(olga: Operator, mona: Moderator) -> None:
    for model, row in every_page():
        for clause in row.delete:
            form = mona.may_all_but(*(clause.permissions or ())).get(page(model, "changelist")).context["action_form"]
            assert form is None or "delete_selected" not in dict(form.fields["action"].choices), model


# --- Nobody at all ----------------------------------------------------------------------------------------


def addresses() -> dict[str, str]:
    """Every address of the admin by its name, with the key of a row that is there."""
    found = {}
    for name, place in _named(get_resolver()):
        for args in ([], [_key(name)], [1, 1], ["accounts"]):
            try:
                found[name] = reverse(f"admin:{name}", args=args)
                break
            except NoReverseMatch:
                continue
        assert name in found, place
    found["an unknown one"] = "/admin/nowhere/"
    return found


def _named(resolver: URLResolver, inside: bool = False) -> Iterator[tuple[str, str]]:
    for pattern in resolver.url_patterns:
        if isinstance(pattern, URLResolver):
            yield from _named(pattern, inside or pattern.namespace == "admin")
        elif isinstance(pattern, URLPattern) and inside and pattern.name:
            yield pattern.name, str(pattern.pattern)


def _key(name: str) -> Any:
    for model in PAGES:
        if name.startswith(page(model, "")):
            return row_of(model).pk
    return Player.objects.order_by("pk")[0].pk


def crafted() -> dict[str, Any]:
    """What is sent by hand: every column of every model, a confirmation, and what dialogs want."""
    columns = {field.name: "1" for model in PAGES for field in model._meta.concrete_fields}
    actions = {"action": "delete_selected", "_selected_action": ["1"], "index": "0", "_form_submitted": "True"}
    return {**columns, **actions, "role": "admin", "post": "yes", "_save": "Save"}


@pytest.mark.parametrize("who", ["nobody", "a player", "a player in a group", "a player who was an admin", "closed"])
def test_who_is_no_operator_comes_in_nowhere(olga: Operator, mona: Moderator, ada: Api, who: str) -> None:
    client = _client_of(who, olga, mona)
    places = addresses()
    assert len(places) > 100
    before = fingerprint(without=("django_session",))

    for name, place in places.items():
        for answer in (client.get(place), client.post(place, crafted())):
            assert answer.status_code == (200 if name == "login" else 302), (name, answer)
            if name not in DOORS:
                assert answer["Location"].startswith("/admin/login/?next="), name
    assert fingerprint(without=("django_session",)) == before


def _client_of(who: str, olga: Operator, mona: Moderator) -> Client:
    if who == "nobody":
        return Client()
    if who in ("a player who was an admin", "closed"):
        change = {"is_active": False} if who == "closed" else {"role": Role.PLAYER}
        Player.objects.filter(login=olga.login).update(**change)
        return olga.client
    if who == "a player in a group":
        mona.may_all_but()
        Player.objects.get(login="ada").groups.add(Group.objects.get(name="moderators"))
    return Operator("ada").client


def test_a_moderator_without_a_group_changes_nothing_at_any_address(mona: Moderator) -> None:
    operator = mona.may(frozenset())
    places = {name: place for name, place in addresses().items() if name not in DOORS}
    before = fingerprint(without=("django_session",))

    for place in places.values():
        operator.client.post(place, crafted())
    for model in PAGES:
        names = {name for clause in TABLE[model._meta.label].actions for name in clause.names}
        for action in {*names - dialogs(model), "delete_selected"}:
            label = f"{model._meta.app_label}_{model._meta.model_name}"
            operator.client.post(
                reverse(f"admin:{label}_changelist"),
                {"action": action, "_selected_action": [row_of(model).pk], "post": "yes"},
            )

    assert fingerprint(without=("django_session",)) == before


def test_the_admin_asks_for_no_permission_that_the_api_would_heed() -> None:
    """In the API an operator is a player: nothing there looks at a role (docs/api.md)."""
    from tests.programs import ROOT

    sources = [path for app in ("accounts", "inventory", "market", "environment", "leaderboard")
               for path in (ROOT / app / "api").glob("*.py")]  # fmt: skip
    assert len(sources) >= 15
    for path in [*sources, ROOT / "bcraftd" / "api.py"]:
        assert not re.search(r"\.role\b|is_staff|is_superuser|has_perm", path.read_text(encoding="utf-8")), path
