"""Every service and seed that writes: nothing bypasses the cache.

They are found, not listed: one that has no scenario here fails with a sentence. For each, everything that readers ask
for stands in Redis, the write is done for real, and then nothing in Redis differs from PostgreSQL. That the same write
without the invalidation leaves something stale shows that the scenario would notice.
"""

import inspect
from collections.abc import Callable, Iterator
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import pytest
from django.contrib.auth.hashers import make_password
from django.db.models import Model
from django.utils import timezone

from accounts import services as accounts
from accounts.models import Player, PlayerSession, SystemAccount
from bcraftd.transactions import atomic
from environment import services as environment
from environment.models import Season, Weather
from environment.rules import season_at
from environment.seeding import environment_seed
from inventory import services as inventory
from inventory.models import Recipe
from inventory.seeding import catalogue_seed
from leaderboard import services as leaderboard
from market import services as market
from tests.coverage_scenarios import (
    Scenario,
    Write,
    bob_rises,
    holds,
    keeps,
    listing,
    log_id,
    makes,
    old_sessions,
    overdue,
    player,
    session,
    set_scene,
    weather_is_over,
    would_notice,
)
from tests.support import Api, profession_id, recipe_id


@pytest.fixture(autouse=True)
def _scene(ada: Api, bob: Api) -> None:
    set_scene(ada)


# --- What each does ---------------------------------------------------------------------------------------


def _move_items() -> Write:
    moves = {log_id(): 3}
    return atomic(lambda: inventory.items_move(player_id=player("ada").pk, moves=moves, reason="grant"))


def _move_coins() -> Write:
    moves: dict[Player | SystemAccount, int] = {SystemAccount.MINT: -5, player("ada"): 5}
    return lambda: accounts.coins_transfer(moves=moves, reason="grant")


def _sweep() -> Write:
    session_id = session("ada").session_id

    def write() -> None:
        old_sessions()
        assert accounts.sessions_sweep() == 1
        assert not PlayerSession.objects.filter(session_id=session_id).exists()

    return write


def _expire() -> Write:
    def write() -> None:
        overdue()
        assert market.listings_expire() == 1

    return write


def _other_weather() -> Weather:
    return Weather.objects.filter(is_active=False)[0]


def _advance() -> Write:
    def write() -> None:
        weather_is_over()
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
        bob_rises()
        leaderboard.leaderboard_refresh(wait=True)

    return write


def _lacking(missing: Callable[[], Model], seed: Callable[[], int]) -> Callable[[], Write]:
    """A seed that makes again what is missing."""

    def before() -> Write:
        missing().delete()

        def write() -> None:
            assert seed() > 0

        return write

    return before


def _recipe() -> Recipe:
    """One that Ada knows."""
    return Recipe.objects.get(slug="saw-mutterwood-planks")


def _season() -> Season:
    """The one that holds now."""
    season = season_at(list(Season.objects.all()), timezone.now())
    assert season is not None
    return season


def _of(call: Callable[..., object], **fixed: Callable[[], Any]) -> Callable[[], Write]:
    """A write whose arguments are looked up first."""

    def before() -> Write:
        given = {name: value() for name, value in fixed.items()}
        return lambda: call(**given)

    return before


SERVICES: dict[str, Scenario] = {
    "accounts.coins_transfer": keeps(_move_coins, "Coins are read from PostgreSQL, but for the boards."),
    "accounts.experience_add": keeps(
        _of(accounts.experience_add, player=lambda: player("ada"), amount=lambda: 500),
        "Levels are read from PostgreSQL, but for the boards.",
    ),
    "accounts.password_change": makes(_change_password, "sessions"),
    "accounts.player_open": keeps(
        _of(
            accounts.player_open,
            login=lambda: "fay",
            email=lambda: "fay@example.org",
            hashed=lambda: make_password("correct horse battery"),
        ),
        "Nothing shows a player before there is one.",
    ),
    "accounts.player_register": keeps(
        _of(
            accounts.player_register,
            login=lambda: "eve",
            email=lambda: "eve@example.org",
            password=lambda: "correct horse battery",
        ),
        "Nothing shows a player before there is one.",
    ),
    "accounts.session_end": makes(
        _of(
            accounts.session_end,
            player_id=lambda: player("ada").pk,
            session_id=lambda: session("ada").session_id,
        ),
        "sessions",
    ),
    "accounts.session_open": keeps(
        _of(
            accounts.session_open,
            player=lambda: player("ada"),
            user_agent=lambda: "of the test",
            address=lambda: "127.0.0.1",
        ),
        "The value is written through with its row.",
    ),
    "accounts.session_refresh": makes(_reuse, "sessions"),
    "accounts.sessions_end": makes(_of(accounts.sessions_end, player_id=lambda: player("ada").pk), "sessions"),
    "accounts.sessions_sweep": makes(_sweep, "sessions"),
    "accounts.statistics_add": keeps(
        _of(accounts.statistics_add, player_id=lambda: player("ada").pk, items_crafted=lambda: 5),
        "Statistics are read from PostgreSQL, but for the boards.",
    ),
    "environment.environment_seed": makes(_lacking(_season, environment_seed), "environment"),
    "environment.weather_advance": keeps(_advance, "It only writes down what every reader already sees."),
    "environment.weather_set": makes(
        _of(environment.weather_set, weather_id=lambda: _other_weather().pk), "environment"
    ),
    "inventory.catalogue_seed": makes(_lacking(_recipe, catalogue_seed), "catalogue", "recipes"),
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
    "inventory.load_toml": "It reads a file.",
    "inventory.make_missing": "A part of the seeds, with bulk_create.",
}


APPS = ("accounts", "inventory", "market", "environment", "leaderboard")


def _services() -> Iterator[str]:
    """The public functions of every services.py and seeding.py."""
    for name in (f"{app}.{kind}" for app in APPS for kind in ("services", "seeding")):
        if find_spec(name) is not None:
            for function, found in inspect.getmembers(import_module(name), inspect.isfunction):
                if found.__module__ == name and not function.startswith("_"):
                    yield f"{name.partition('.')[0]}.{function}"


@pytest.mark.parametrize("name", sorted(_services()))
def test_what_a_service_writes_is_fresh_at_once(name: str) -> None:
    if name in READERS:
        return
    assert name in SERVICES, f"{name} writes, and has no scenario in {__name__}.SERVICES; a reader stands in READERS."
    holds(SERVICES[name])


def test_no_scenario_is_of_a_service_that_is_gone() -> None:
    assert {*SERVICES, *READERS} == set(_services())


def test_every_scenario_names_what_it_makes_stale_or_says_why_nothing_is() -> None:
    for name, scenario in SERVICES.items():
        assert bool(scenario.stale) != bool(scenario.reason), name


@pytest.mark.parametrize("name", [name for name, scenario in SERVICES.items() if scenario.stale])
def test_without_the_invalidation_a_service_leaves_something_stale(name: str) -> None:
    would_notice(SERVICES[name])
