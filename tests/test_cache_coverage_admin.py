"""Every page, form, inline and action of the admin: nothing bypasses the cache.

The pairs are made from the admin's registry and from what the apps declare. What a page lets nobody do is refused; what
it does takes away what it makes stale before its commit. An action without a row in ACTIONS fails.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest
from django.contrib import admin as django_admin
from django.db.models import Model
from django.test import RequestFactory
from django.urls import reverse

from accounts.cache import SESSION
from accounts.models import Player, PlayerSession
from bcraftd.cache import Entry, When, invalidation
from environment import services as environment
from environment.models import Weather
from inventory.models import InventoryItem
from leaderboard.services import leaderboard_refresh
from market.cache import LISTINGS
from market.models import Listing
from tests import coverage_reads as reads
from tests import coverage_rows as rows
from tests.operators import PASSWORD, Operator, admin, errors_of

Pair = tuple[type[Model], When]
PAIRS: list[Pair] = [(model, row) for model, table in invalidation.table().items() for row in table]
PAGES = [pair for pair in PAIRS if django_admin.site.is_registered(pair[0])]

# Entries whose columns no form changes, each with the reason.
GIVEN_ONCE: dict[tuple[type[Model], Entry], str] = {(Player, LISTINGS): "A login is given once."}
# What a form asks for beside the columns.
ASKED: dict[type[Model], dict[str, str]] = {Player: {"password1": PASSWORD, "password2": PASSWORD}}


@pytest.fixture
def olga(world: None) -> Operator:
    rows.scene()
    leaderboard_refresh(wait=True)
    return admin()


def by_pair(pair: Any) -> str:
    return f"{pair[0]._meta.label}-{pair[1].entry.key}"


def page_of(model: type[Model], what: str) -> str:
    return f"{model._meta.app_label}_{model._meta.model_name}_{what}"


def may(model: type[Model], what: str) -> bool:
    """Whether an operator who may do everything may do this."""
    request = RequestFactory().get("/")
    request.user = Player(login="root", role="admin")
    page: Any = django_admin.site._registry[model]
    return bool(getattr(page, f"has_{what}_permission")(request))


def listed(model: type[Model]) -> set[str]:
    """The actions that the model's list offers."""
    request = RequestFactory().get("/")
    request.user = Player(login="root", role="admin")
    return set(django_admin.site._registry[model].get_actions(request))


def posted(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values as a browser sends them: None leaves a box out."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, bool):
            found[name] = "on" if value else None
        else:
            found[name] = "" if value is None else str(getattr(value, "pk", value))
    return found


def watched(when: When, model: type[Model]) -> list[str]:
    return sorted(when.columns) or rows.columns(model)


def marked(when: When, row: Any, *, without: Any = None) -> list[reads.Marker]:
    """Markers under what a change of this row makes stale; `without` an id that a form will not give it."""
    if when.keys is None:
        return reads.markers(when.entry, None)
    return reads.markers(when.entry, [params for params in when.keys(row) if without not in params.values()])


def saves(olga: Operator, page: str, *args: Any, **changes: Any) -> None:
    answer = olga.save(page, *args, **changes)
    assert answer.status_code == 302, errors_of(answer)


def refused(olga: Operator, model: type[Model], what: str, *args: Any) -> None:
    page = reverse(f"admin:{page_of(model, what)}", args=args)
    assert olga.client.post(page, {"post": "yes"}).status_code == 403


# --- Pages ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pair", PAGES, ids=by_pair)
def test_a_column_that_a_form_changes_is_never_served_from_before(olga: Operator, pair: Pair) -> None:
    model, when = pair
    pk = rows.existing(model).pk
    if not may(model, "change"):
        refused(olga, model, "change", pk)
        return
    reads.read_all([when.entry])
    offered = olga.get(page_of(model, "change"), pk).context["adminform"].form.fields
    chosen = [column for column in watched(when, model) if column in offered]
    assert bool(chosen) != ((model, when.entry) in GIVEN_ONCE)
    for column in chosen:
        row = model._base_manager.get(pk=pk)
        rows.put_beside(row)
        changes = rows.other_values(row, column)
        with reads.drops(marked(when, row), alone=False):
            saves(olga, page_of(model, "change"), pk, **posted(changes))
        assert getattr(model._base_manager.get(pk=pk), column) == changes[column]
    assert reads.stale(when.entry.family) == []


@pytest.mark.parametrize("pair", PAGES, ids=by_pair)
def test_a_row_that_a_form_makes_is_seen_at_once(olga: Operator, pair: Pair) -> None:
    model, when = pair
    if not may(model, "add"):
        refused(olga, model, "add")
        return
    row = rows.new(model)
    reads.read_all([when.entry])
    offered = olga.get(page_of(model, "add")).context["adminform"].form.fields
    values = {column: getattr(row, column) for column in rows.columns(model) if column in offered}
    asked = {**posted(values), **ASKED.get(model, {})}
    given = {name: value for name, value in asked.items() if value is not None}
    unchecked = {name: None for name, value in asked.items() if value is None and offered[name].initial}

    if when.creation:
        with reads.drops(marked(when, row, without=row.pk), alone=False):
            saves(olga, page_of(model, "add"), **given, **unchecked)
    else:
        saves(olga, page_of(model, "add"), **given, **unchecked)
    assert reads.stale(when.entry.family) == []


@pytest.mark.parametrize("way", ["page", "delete_selected"])
@pytest.mark.parametrize("pair", PAGES, ids=by_pair)
def test_a_row_that_a_page_deletes_is_gone_at_once(olga: Operator, pair: Pair, way: str) -> None:
    model, when = pair
    row = rows.existing(model, alone=True)
    if not may(model, "delete"):
        assert "delete_selected" not in listed(model)
        refused(olga, model, "delete", row.pk)
        return
    if model is Weather:
        # The one that holds now is refused, and so is choosing several.
        environment.weather_set(weather_id=Weather.objects.exclude(pk=row.pk)[0].pk)
        assert "delete_selected" not in listed(model)
        way = "page"
    reads.read_all([when.entry])

    with reads.drops(marked(when, row), alone=False):
        if way == "page":
            olga.client.post(reverse(f"admin:{page_of(model, 'delete')}", args=[row.pk]), {"post": "yes"})
        else:
            chosen = {"action": way, "_selected_action": [row.pk], "post": "yes"}
            olga.client.post(reverse(f"admin:{page_of(model, 'changelist')}"), chosen)

    assert not model._base_manager.filter(pk=row.pk).exists()
    assert reads.stale(when.entry.family) == []


# --- Inlines ----------------------------------------------------------------------------------------------


def _inlines() -> list[tuple[Pair, type[Model]]]:
    """Pairs whose rows stand on another model's page, and that model."""
    found = []
    for parent, page in django_admin.site._registry.items():
        for inline in page.inlines:
            if getattr(inline, "can_delete", True):
                found += [(pair, parent) for pair in PAIRS if pair[0] is inline.model]
    return found


INLINES = pytest.mark.parametrize(
    ("pair", "parent"), _inlines(), ids=[f"{by_pair(pair)}-{parent.__name__}" for pair, parent in _inlines()]
)


def prefix_of(olga: Operator, parent: type[Model], pk: Any) -> str:
    (formset,) = olga.get(page_of(parent, "change"), pk).context["inline_admin_formsets"]
    return str(formset.formset.prefix)


def link(pair: Pair, parent: type[Model]) -> str:
    """The foreign key from a row to the one whose page it stands on."""
    return next(field.name for field in pair[0]._meta.concrete_fields if field.related_model is parent)


@INLINES
def test_a_row_of_an_inline_is_never_served_from_before(olga: Operator, pair: Pair, parent: type[Model]) -> None:
    model, when = pair
    row = rows.existing(model)
    above = getattr(row, link(pair, parent))
    reads.read_all([when.entry])
    prefix = prefix_of(olga, parent, above.pk)
    for column in watched(when, model):
        if column != link(pair, parent):
            changes = rows.other_values(row, column)
            given = {f"{prefix}-0-{name}": value for name, value in posted(changes).items()}
            with reads.drops(marked(when, row), alone=False):
                saves(olga, page_of(parent, "change"), above.pk, **given)
            assert getattr(model._base_manager.get(pk=row.pk), column) == changes[column]
    with reads.drops(marked(when, row), alone=False):
        saves(olga, page_of(parent, "change"), above.pk, **{f"{prefix}-0-DELETE": "on"})
    assert not model._base_manager.filter(pk=row.pk).exists()
    assert reads.stale(when.entry.family) == []


@INLINES
def test_a_new_row_of_an_inline_is_seen_at_once(olga: Operator, pair: Pair, parent: type[Model]) -> None:
    model, when = pair
    row = rows.new(model)
    above = getattr(row, link(pair, parent))
    reads.read_all([when.entry])
    prefix = prefix_of(olga, parent, above.pk)
    values = posted({column: getattr(row, column) for column in rows.columns(model)})
    given = {f"{prefix}-0-{name}": value for name, value in values.items()}

    with reads.drops(marked(when, row), alone=False):
        saves(olga, page_of(parent, "change"), above.pk, **{f"{prefix}-TOTAL_FORMS": "1"}, **given)

    assert model._base_manager.filter(**{link(pair, parent): above}).count() == 1
    assert reads.stale(when.entry.family) == []


# --- Actions ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Action:
    """What an operator does, the families that it makes stale, or the reason why there are none."""

    act: Callable[[Operator], None] | None = None
    stale: tuple[str, ...] = ()
    reason: str = ""


def _cancel(olga: Operator) -> None:
    (listing,) = Listing.objects.all()
    olga.act("market_listing", "cancel", listing.pk)
    assert Listing.objects.get().status == "cancelled"


def _close(olga: Operator) -> None:
    olga.act("accounts_player", "close", rows.hilda().pk)
    assert not rows.hilda().is_active


def _open(olga: Operator) -> None:
    rows.silently(Player).filter(login="ivo").update(is_active=False)
    ivo = Player.objects.get(login="ivo")
    olga.act("accounts_player", "open", ivo.pk)
    assert Player.objects.get(login="ivo").is_active


def _end_sessions(olga: Operator) -> None:
    olga.act("accounts_player", "end_sessions", rows.hilda().pk)
    assert not PlayerSession.objects.filter(player=rows.hilda()).exists()


def _ban(olga: Operator) -> None:
    _dialog(olga, "accounts_player_ban", rows.hilda().pk, reason="a bot")
    assert not rows.hilda().is_active


def _grant(olga: Operator) -> None:
    resource = InventoryItem.objects.filter(player=rows.hilda())[0].resource
    _dialog(
        olga, "accounts_player_grant", rows.hilda().pk, coins=7, resource=resource.pk, quantity=3, once=str(uuid4())
    )  # fmt: skip


def _dialog(olga: Operator, name: str, *args: int, **given: Any) -> None:
    answer = olga.client.post(reverse(f"admin:{name}", args=args), {"_form_submitted": "True", **given})
    assert answer.status_code == 302, answer.content


def _set_now(olga: Operator) -> None:
    other = Weather.objects.filter(is_active=False)[0]
    _dialog(olga, "environment_weather_set_now", other.pk)
    assert Weather.objects.get(is_active=True) == other


ACTIONS: dict[str, Action] = {
    "accounts.Player.close": Action(_close, ("sessions",)),
    "accounts.Player.ban": Action(_ban, ("sessions",)),
    "accounts.Player.end_sessions": Action(_end_sessions, ("sessions",)),
    "accounts.Player.grant": Action(_grant, ("inventory",)),
    "accounts.Player.open": Action(_open, reason="Who is closed has no session; logins and offers stay."),
    "django_q.Failure.resubmit": Action(reason="It puts a task into the queue; tasks have tests of their own."),
    "django_q.Schedule.run_now": Action(reason="It makes a task due; tasks have tests of their own."),
    "environment.Weather.set_now": Action(_set_now, ("environment",)),
    "leaderboard.LeaderboardRow.refresh_now": Action(
        lambda olga: _dialog(olga, "leaderboard_leaderboardrow_refresh_now"), ("leaderboard",)
    ),
    "market.Listing.cancel": Action(_cancel, ("market", "inventory")),
}


def _actions() -> Iterator[str]:
    for model, page in django_admin.site._registry.items():
        for place in ("actions", "actions_row", "actions_detail", "actions_list", "actions_submit_line"):
            for action in getattr(page, place, None) or ():
                name = action if isinstance(action, str) else getattr(action, "__name__", action)
                # Unfold puts actions into groups.
                for each in name.get("items", ()) if isinstance(name, dict) else (name,):
                    yield f"{model._meta.label}.{each}"


def test_every_action_of_the_admin_has_a_row() -> None:
    assert set(_actions()) == set(ACTIONS), "tests.test_cache_coverage_admin.ACTIONS says what each does to the cache."
    assert all(action.stale or action.reason for action in ACTIONS.values())


@pytest.mark.parametrize("name", [name for name, action in ACTIONS.items() if action.act])
def test_what_an_action_writes_is_fresh_at_once(olga: Operator, name: str) -> None:
    act = ACTIONS[name].act
    assert act is not None
    reads.read_all()
    act(olga)
    assert reads.stale() == []


@pytest.mark.parametrize("name", [name for name, action in ACTIONS.items() if action.stale])
def test_without_the_invalidation_an_action_leaves_something_stale(olga: Operator, name: str) -> None:
    act = ACTIONS[name].act
    assert act is not None
    reads.read_all()
    with reads.nothing_invalidates():
        act(olga)
    assert set(ACTIONS[name].stale) <= reads.stale_families()


def test_a_password_that_an_operator_gives_ends_the_players_sessions(olga: Operator) -> None:
    """A form of its own, and a column that nothing shows: what it ends is shown."""
    hilda = rows.hilda()
    session = PlayerSession.objects.get(player=hilda)
    markers = reads.markers(SESSION, [{"session_id": session.session_id}])
    with reads.drops(markers, alone=False):
        saves(olga, "auth_user_password_change", hilda.pk, password1=f"{PASSWORD}2", password2=f"{PASSWORD}2")
    assert not PlayerSession.objects.filter(pk=session.pk).exists()
