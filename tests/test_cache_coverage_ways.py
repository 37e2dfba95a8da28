"""Every service that writes, every task, every form and action of the admin: nothing bypasses the cache.

They are found, not listed: one that has no scenario here fails with a sentence. For each, everything that readers ask
for stands in Redis, the write is done for real, and then nothing in Redis differs from PostgreSQL. That the same write
without the invalidation leaves something stale shows that the scenario would notice.
"""

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from importlib import import_module
from typing import Any

import pytest
from django.contrib import admin as django_admin
from django.db.models import Model
from django.db.models.deletion import ProtectedError
from django.test import RequestFactory
from django.urls import reverse
from django.utils import timezone
from django.utils.module_loading import import_string

from accounts import services as accounts
from accounts.models import Player, PlayerSession, SystemAccount
from bcraftd import schedules
from bcraftd.cache import behind, invalidation
from bcraftd.transactions import atomic
from environment import services as environment
from environment.models import Weather
from inventory import services as inventory
from inventory.models import PlayerProfession
from leaderboard import services as leaderboard
from market import services as market
from market.models import Listing
from tests import coverage_reads as reads
from tests import coverage_rows as rows
from tests.operators import Operator, admin
from tests.support import Api, profession_id, recipe_id, resource_id

Write = Callable[[], object]


@dataclass(frozen=True)
class Scenario:
    """`before` sets the scene and returns the write; `stale` is what would be stale without the invalidation."""

    before: Callable[[], Write]
    stale: frozenset[str] = frozenset()


def makes(before: Callable[[], Write], *families: str) -> Scenario:
    return Scenario(before, frozenset(families))


@pytest.fixture(autouse=True)
def _scene(ada: Api, bob: Api) -> None:
    """Ada works at two trades, holds logs and sells some; Bob has coins. The board knows both."""
    for slug in ("timberhand", "sawyer"):
        ada.post(f"/api/professions/{profession_id(slug)}/join")
    ada.grant(mutterwood_log=50)
    ada.sells("mutterwood-log", 5, 10)
    leaderboard.leaderboard_refresh(wait=True)


def player(login: str) -> Player:
    return Player.objects.get(login=login)


def listing() -> Listing:
    return Listing.objects.order_by("pk")[0]


def session(login: str) -> PlayerSession:
    return PlayerSession.objects.get(player__login=login)


def log_id() -> int:
    return resource_id("mutterwood-log")


# --- Services ---------------------------------------------------------------------------------------------


def _move_items() -> Write:
    moves = {log_id(): 3}
    return atomic(lambda: inventory.items_move(player_id=player("ada").pk, moves=moves, reason="grant"))


def _move_coins() -> Write:
    moves: dict[Player | SystemAccount, int] = {SystemAccount.MINT: -5, player("ada"): 5}
    return lambda: accounts.coins_transfer(moves=moves, reason="grant")


def _old_sessions() -> None:
    """Ada was last seen two days ago, which nothing but this clock knows; nothing that says otherwise waits."""
    behind.write_all()
    PlayerSession._base_manager.filter(player__login="ada").update(last_seen_at=timezone.now() - timedelta(days=2))


def _sweep() -> Write:
    session_id = session("ada").session_id

    def write() -> None:
        _old_sessions()
        assert accounts.sessions_sweep() == 1
        assert not PlayerSession.objects.filter(session_id=session_id).exists()

    return write


def _overdue() -> None:
    """Ada's listing has run out, which nothing but this clock knows."""
    Listing._base_manager.update(expires_at=timezone.now() - timedelta(seconds=1))


def _expire() -> Write:
    def write() -> None:
        _overdue()
        assert market.listings_expire() == 1

    return write


def _other_weather() -> Weather:
    return Weather.objects.filter(is_active=False)[0]


def _advance() -> Write:
    """The weather's time has been over for long, which nothing but this clock knows."""

    def write() -> None:
        Weather._base_manager.filter(is_active=True).update(active_since=timezone.now() - timedelta(days=3))
        assert environment.weather_advance() is not None

    return write


def _change_password() -> Write:
    from accounts.selectors import session_principal

    own = Api.signed_in("ada", "correct horse battery")
    principal = session_principal(own.session["session_id"])
    assert principal is not None
    return lambda: accounts.password_change(
        principal=principal, old_password="correct horse battery", new_password="staple battery horse"
    )


def _reuse() -> Write:
    """A refresh token that is used again ends the session."""
    used = Api.signed_in("bob", "correct horse battery").session["refresh_token"]
    accounts.session_refresh(refresh_token=used)

    def write() -> None:
        with pytest.raises(Exception, match="used before"):
            accounts.session_refresh(refresh_token=used)

    return write


def _refresh_board() -> Write:
    def write() -> None:
        Player._base_manager.filter(login="bob").update(level=99)
        leaderboard.leaderboard_refresh(wait=True)

    return write


def _of(call: Callable[..., object], **fixed: Callable[[], Any]) -> Callable[[], Write]:
    """A write whose arguments are looked up first."""

    def before() -> Write:
        given = {name: value() for name, value in fixed.items()}
        return lambda: call(**given)

    return before


SERVICES: dict[str, Scenario] = {
    "accounts.coins_transfer": makes(_move_coins),
    "accounts.experience_add": makes(_of(accounts.experience_add, player=lambda: player("ada"), amount=lambda: 500)),
    "accounts.password_change": makes(_change_password, "sessions"),
    "accounts.player_register": makes(
        _of(
            accounts.player_register,
            login=lambda: "eve",
            email=lambda: "eve@example.org",
            password=lambda: "correct horse battery",
        )
    ),
    "accounts.session_end": makes(
        _of(
            accounts.session_end,
            player_id=lambda: player("ada").pk,
            session_id=lambda: session("ada").session_id,
        ),
        "sessions",
    ),
    "accounts.session_open": makes(
        _of(
            accounts.session_open,
            player=lambda: player("ada"),
            user_agent=lambda: "of the test",
            address=lambda: "127.0.0.1",
        )
    ),
    "accounts.session_refresh": makes(_reuse, "sessions"),
    "accounts.sessions_end": makes(_of(accounts.sessions_end, player_id=lambda: player("ada").pk), "sessions"),
    "accounts.sessions_sweep": makes(_sweep, "sessions"),
    "accounts.statistics_add": makes(
        _of(accounts.statistics_add, player_id=lambda: player("ada").pk, items_crafted=lambda: 5)
    ),
    # It only writes down what every reader already sees.
    "environment.weather_advance": makes(_advance),
    "environment.weather_set": makes(
        _of(environment.weather_set, weather_id=lambda: _other_weather().pk), "environment"
    ),
    "inventory.items_move": makes(_move_items, "inventory"),
    "inventory.player_grant": makes(
        _of(
            inventory.player_grant,
            login=lambda: "ada",
            coins=lambda: 5,
            items=lambda: {"mutterwood-log": 5},
        ),
        "inventory",
    ),
    "inventory.profession_join": makes(
        _of(
            inventory.profession_join,
            player_id=lambda: player("bob").pk,
            profession_id=lambda: profession_id("sawyer"),
        ),
        "recipes",
    ),
    "inventory.recipe_craft": makes(
        _of(
            inventory.recipe_craft,
            player_id=lambda: player("ada").pk,
            recipe_id=lambda: recipe_id("saw-mutterwood-planks"),
            attempts=lambda: 15,
        ),
        "inventory",
        "recipes",
    ),
    "inventory.resource_gather": makes(
        _of(inventory.resource_gather, player_id=lambda: player("ada").pk, resource_id=log_id), "inventory"
    ),
    "leaderboard.leaderboard_refresh": makes(_refresh_board, "leaderboard"),
    "market.listing_buy": makes(
        _of(
            market.listing_buy,
            buyer_id=lambda: player("bob").pk,
            listing_id=lambda: listing().pk,
            quantity=lambda: 2,
        ),
        "market",
        "inventory",
    ),
    "market.listing_cancel": makes(
        _of(market.listing_cancel, player_id=lambda: player("ada").pk, listing_id=lambda: listing().pk),
        "market",
        "inventory",
    ),
    "market.listing_create": makes(
        _of(
            market.listing_create,
            seller_id=lambda: player("ada").pk,
            resource_id=log_id,
            quantity=lambda: 2,
            unit_price=lambda: 3,
        ),
        "market",
        "inventory",
    ),
    "market.listings_expire": makes(_expire, "market", "inventory"),
}

# Public functions of services that write nothing.
READERS = {
    "accounts.password_check": "It looks at a password.",
    "accounts.player_authenticate": "It checks a password; a hash that is brought up to date is shown by nothing.",
    "accounts.players_lock": "It locks.",
}


def _services() -> Iterator[str]:
    for app in ("accounts", "inventory", "market", "environment", "leaderboard"):
        module = import_module(f"{app}.services")
        for name, found in inspect.getmembers(module, inspect.isfunction):
            if found.__module__ == module.__name__ and not name.startswith("_"):
                yield f"{app}.{name}"


def holds(scenario: Scenario) -> None:
    """The write leaves nothing stale; without the invalidation it would."""
    write = scenario.before()
    reads.read_all()
    assert reads.stale() == []
    write()
    assert reads.stale() == []


def would_notice(scenario: Scenario) -> None:
    write = scenario.before()
    reads.read_all()
    with reads.nothing_invalidates():
        write()
    assert scenario.stale <= reads.stale_families()


@pytest.mark.parametrize("name", sorted(_services()))
def test_what_a_service_writes_is_fresh_at_once(name: str) -> None:
    if name in READERS:
        return
    assert name in SERVICES, f"{name} writes, and has no scenario in {__name__}.SERVICES; a reader stands in READERS."
    holds(SERVICES[name])


def test_no_scenario_is_of_a_service_that_is_gone() -> None:
    assert {*SERVICES, *READERS} == set(_services())


@pytest.mark.parametrize("name", [name for name, scenario in SERVICES.items() if scenario.stale])
def test_without_the_invalidation_a_service_leaves_something_stale(name: str) -> None:
    would_notice(SERVICES[name])


# --- Tasks ------------------------------------------------------------------------------------------------


def _task(name: str, first: Callable[[], None] = lambda: None) -> Callable[[], Write]:
    def before() -> Write:
        def write() -> None:
            first()
            import_string(name)()

        return write

    return before


def _weather_is_over() -> None:
    Weather._base_manager.filter(is_active=True).update(active_since=timezone.now() - timedelta(days=3))


def _bob_rises() -> None:
    Player._base_manager.filter(login="bob").update(level=99)


TASKS: dict[str, Scenario] = {
    "accounts.tasks.sessions_sweep": makes(_task("accounts.tasks.sessions_sweep", _old_sessions), "sessions"),
    "bcraftd.tasks.activity_write": makes(_task("bcraftd.tasks.activity_write")),
    "environment.tasks.weather_advance": makes(_task("environment.tasks.weather_advance", _weather_is_over)),
    "leaderboard.tasks.leaderboard_refresh": makes(
        _task("leaderboard.tasks.leaderboard_refresh", _bob_rises), "leaderboard"
    ),
    "market.tasks.listings_expire": makes(_task("market.tasks.listings_expire", _overdue), "market", "inventory"),
}


@pytest.mark.parametrize("name", sorted({each.task for each in schedules.declared()}))
def test_what_a_task_writes_is_fresh_at_once(name: str) -> None:
    assert name in TASKS, f"{name} is scheduled, and has no scenario in {__name__}.TASKS."
    holds(TASKS[name])


@pytest.mark.parametrize("name", [name for name, scenario in TASKS.items() if scenario.stale])
def test_without_the_invalidation_a_task_leaves_something_stale(name: str) -> None:
    would_notice(TASKS[name])


# --- The admin --------------------------------------------------------------------------------------------


def _pages() -> list[type[Model]]:
    return [model for model in invalidation.table() if django_admin.site.is_registered(model)]


def _may(model: type[Model], what: str, row: Any = None) -> bool:
    request = RequestFactory().get("/")
    request.user = Player(login="root", role="admin")
    page = django_admin.site._registry[model]
    return bool(getattr(page, f"has_{what}_permission")(request, *([] if what == "add" else [row])))


# What the form of a page is given: a column that it may change, and another value.
FORMS: dict[str, dict[str, str]] = {
    "accounts.Player": {"role": "moderator"},
    "environment.Season": {"name": "Yule", "gathering_multiplier": "3"},
    "environment.Weather": {"name": "Hail", "gathering_multiplier": "3"},
    "inventory.Profession": {"name": "Renamed"},
    "inventory.Recipe": {"name": "Renamed"},
    "inventory.Resource": {"name": "Renamed"},
}


def _row(model: type[Model]) -> Any:
    """One that something shows."""
    if model is Player:
        return player("ada")
    if model is Weather:
        return Weather.objects.get(is_active=True)
    return model._default_manager.order_by("pk")[0]


@pytest.mark.parametrize("model", _pages(), ids=lambda model: model._meta.label)
def test_what_a_form_changes_is_fresh_at_once(model: type[Model]) -> None:
    label = model._meta.label
    if not _may(model, "change", _row(model) if label in FORMS else None):
        assert label not in FORMS
        return
    assert label in FORMS, f"{label} has a form, and nothing to change in {__name__}.FORMS."
    olga, row = admin(), _row(model)
    reads.read_all()
    name = f"{model._meta.app_label}_{model._meta.model_name}_change"
    assert olga.save(name, row.pk, **FORMS[label]).status_code == 302
    column, value = next(iter(FORMS[label].items()))
    assert str(getattr(model._base_manager.get(pk=row.pk), column)) == value
    assert reads.stale() == []


@pytest.mark.parametrize("model", _pages(), ids=lambda model: model._meta.label)
def test_what_a_page_deletes_is_gone_at_once(model: type[Model]) -> None:
    if not _may(model, "delete"):
        return
    olga = admin()
    row = session("ada") if model is PlayerSession else rows.new(model)
    if row._state.adding:
        row.save(force_insert=True)
    if model is Weather:
        environment.weather_set(weather_id=Weather.objects.exclude(pk=row.pk)[0].pk)
    reads.read_all()
    page = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_delete", args=[row.pk])
    assert olga.client.post(page, {"post": "yes"}).status_code == 302
    assert not model._base_manager.filter(pk=row.pk).exists()
    assert reads.stale() == []


# --- Actions ----------------------------------------------------------------------------------------------


def _cancel(olga: Operator) -> None:
    olga.act("market_listing", "cancel", listing().pk)
    assert listing().status == "cancelled"


def _close(olga: Operator) -> None:
    olga.act("accounts_player", "close", player("ada").pk)
    assert not player("ada").is_active


def _open(olga: Operator) -> None:
    Player._base_manager.filter(login="bob").update(is_active=False)
    olga.act("accounts_player", "open", player("bob").pk)
    assert player("bob").is_active


def _set_now(olga: Operator) -> None:
    other = _other_weather()
    page = reverse("admin:environment_weather_set_now", args=[other.pk])
    olga.client.post(page, {"_form_submitted": "True"}, headers={"HX-Request": "true"})
    assert Weather.objects.get(is_active=True) == other


def _refresh_now(olga: Operator) -> None:
    page = reverse("admin:leaderboard_leaderboardrow_refresh_now")
    olga.client.post(page, {"_form_submitted": "True"}, headers={"HX-Request": "true"})


ACTIONS: dict[str, Callable[[Operator], None] | str] = {
    "accounts.Player.close": _close,
    "accounts.Player.open": _open,
    "django_q.Failure.resubmit": "It puts a task into the queue; what tasks write is tested above.",
    "django_q.Schedule.run_now": "It makes a schedule due; what tasks write is tested above.",
    "environment.Weather.set_now": _set_now,
    "leaderboard.LeaderboardRow.refresh_now": _refresh_now,
    "market.Listing.cancel": _cancel,
}


def _actions() -> set[str]:
    return {
        f"{model._meta.label}.{action}"
        for model, page in django_admin.site._registry.items()
        for place in ("actions", "actions_row", "actions_detail", "actions_list", "actions_submit_line")
        for action in getattr(page, place, None) or ()
    }


def test_every_action_of_the_admin_has_a_scenario() -> None:
    assert set(ACTIONS) == _actions()


@pytest.mark.parametrize("name", [name for name, act in ACTIONS.items() if not isinstance(act, str)])
def test_what_an_action_writes_is_fresh_at_once(name: str) -> None:
    act = ACTIONS[name]
    assert not isinstance(act, str)
    olga = admin()
    reads.read_all()
    act(olga)
    assert reads.stale() == []


def test_deleting_chosen_rows_of_a_list_is_no_way_around(ada: Api) -> None:
    olga = admin()
    reads.read_all()
    row = PlayerProfession.objects.get(player_id=ada.id, profession_id=profession_id("sawyer"))
    page = reverse("admin:accounts_playersession_changelist")
    chosen = {"action": "delete_selected", "_selected_action": [session("ada").pk], "post": "yes"}
    assert olga.client.post(page, chosen).status_code == 302
    assert not PlayerSession.objects.filter(player_id=ada.id).exists()
    assert reads.stale() == []
    with pytest.raises(ProtectedError):
        row.profession.delete()
