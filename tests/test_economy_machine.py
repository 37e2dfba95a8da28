"""The services against the rules in plain Python (tests/economy/model.py), which say what each call does or is refused
with. Hypothesis draws what players do (tests/economy/game.py), undoes some of it in the middle, and looks after each
step whether the database is as the rules say, and whether the economy's audit finds nothing.

ECONOMY_EXAMPLES=500 draws that many games, other ones each time; without it they are few and always the same.
"""

import itertools
import os
from collections.abc import Callable
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from accounts import services as accounts
from inventory import services as inventory
from inventory.tests.support import at_once
from market import services as market
from market.models import Listing
from tests.economy.faults import Fault
from tests.economy.game import (
    BARK,
    BELL,
    LOG,
    NO_LOT,
    NO_PROFESSION,
    NO_RECIPE,
    NO_RESOURCE,
    PAPER,
    PASSWORD,
    PITDELVER,
    PLANK,
    PLANKS,
    SPRAT,
    Game,
    seen,
)
from tests.economy.model import MOST, Chance

EXAMPLES = int(os.environ.get("ECONOMY_EXAMPLES", "0"))
GAMES = settings(
    max_examples=EXAMPLES or 12,
    stateful_step_count=50,
    derandomize=not EXAMPLES,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)
LUCK = Chance(face=5, share=0.0)
SURE = Fault()
# What player 0 of a new game has in hand of logs, after the offer of five.
LOGS = {"mutterwood-log": MOST - 25}

Act = Callable[[Game], None]
Faulty = Callable[[Game, Fault], None]


@pytest.fixture(autouse=True)
def _new_world(world: None) -> None:
    Game.spoilt = True


def begun() -> Game:
    """A game in which player 0 offers five logs at 20 (the last listing) and two pieces of bark at 10^9, and player 2
    has learnt nothing."""
    game = Game()
    game.begin(level=2, price=20)
    return game


# --- Drawn games ------------------------------------------------------------------------------------------


def test_whatever_players_do_the_database_is_as_the_rules_say() -> None:
    seen.clear()
    run_state_machine_as_test(Game, settings=GAMES)
    # Games in which nearly nothing comes about, or nothing is undone, would show nothing.
    outcomes = [outcome for _, outcome in seen.elements()]
    assert (outcomes.count("done") > 100, outcomes.count("undone") > 20) == (True, True), seen


# --- Refusals ---------------------------------------------------------------------------------------------


def _then(*acts: Act) -> Act:
    def act(game: Game) -> None:
        for one in acts:
            one(game)

    return act


def _full(game: Game) -> None:
    """Player 0 can hold no more logs."""
    game.give(0, 0, LOGS, SURE)


REFUSED: list[tuple[str, Act]] = [
    ("invalid", lambda game: game.register(SURE, "new", "abc")),
    ("login_taken", lambda game: game.register(SURE, "again", PASSWORD)),
    ("email_taken", lambda game: game.register(SURE, "mail", PASSWORD)),
    ("not_found", lambda game: game.join(2, NO_PROFESSION, SURE)),
    ("profession_limit", lambda game: game.join(0, PITDELVER, SURE)),
    ("not_found", lambda game: game.gather(0, NO_RESOURCE, LUCK, SURE)),
    ("not_gatherable", lambda game: game.gather(0, PLANK, LUCK, SURE)),
    ("profession_required", lambda game: game.gather(2, LOG, LUCK, SURE)),
    ("balance_limit", _then(_full, lambda game: game.gather(0, LOG, LUCK, SURE))),
    ("not_found", lambda game: game.craft(0, NO_RECIPE, 1, LUCK, SURE)),
    ("profession_required", lambda game: game.craft(0, SPRAT, 1, LUCK, SURE)),
    ("level_too_low", lambda game: game.craft(0, PAPER, 1, LUCK, SURE)),
    ("insufficient_items", lambda game: game.craft(0, PLANKS, 40, LUCK, SURE)),
    ("not_found", lambda game: game.offer(0, NO_RESOURCE, 1, 1, SURE)),
    ("not_tradeable", lambda game: game.offer(0, BELL, 1, 1, SURE)),
    ("insufficient_items", lambda game: game.offer(0, LOG, 40, 1, SURE)),
    ("not_found", lambda game: game.buy(1, NO_LOT, 1, SURE)),
    ("own_listing", lambda game: game.buy(0, 0, 1, SURE)),
    ("listing_not_active", _then(lambda game: game.cancel(0, 0, SURE), lambda game: game.buy(1, 0, 1, SURE))),
    ("listing_not_active", _then(lambda game: game.buy(1, 0, None, SURE), lambda game: game.buy(2, 0, 1, SURE))),
    ("listing_not_active", _then(lambda game: game.time_passes(7), lambda game: game.buy(1, 0, 1, SURE))),
    ("insufficient_items", lambda game: game.buy(1, 0, 6, SURE)),
    ("insufficient_coins", lambda game: game.buy(1, 1, 1, SURE)),
    ("balance_limit", _then(lambda game: game.give(0, MOST - 1000, {}, SURE), lambda game: game.buy(1, 0, 1, SURE))),
    ("not_found", lambda game: game.cancel(0, NO_LOT, SURE)),
    ("permission_denied", lambda game: game.cancel(1, 0, SURE)),
    ("listing_not_active", _then(lambda game: game.cancel(0, 0, SURE), lambda game: game.cancel(0, 0, SURE))),
    ("balance_limit", _then(_full, lambda game: game.cancel(0, 0, SURE))),
    ("not_found", lambda game: game.give(None, 1, {}, SURE)),
    ("not_found", lambda game: game.give(0, 1, {"no-such-thing": 1}, SURE)),
    ("invalid", lambda game: game.give(0, -1, {}, SURE)),
    ("invalid", lambda game: game.give(0, 1, {"coughcoal": 0}, SURE)),
    ("balance_limit", lambda game: game.give(0, MOST, {}, SURE)),
    ("balance_limit", lambda game: game.give(0, 1, {"mutterwood-log": MOST}, SURE)),
]


def test_a_call_is_refused_with_what_the_rules_foretell_and_leaves_nothing() -> None:
    for code, act in REFUSED:
        game = begun()
        act(game)
        assert game.last == code
        game.all_is_well()
        Game.spoilt = False


def test_who_can_hold_no_more_keeps_the_overdue_listing_and_nobody_else_waits_for_it() -> None:
    game = begun()
    game.offer(1, LOG, 2, 7, SURE)
    _full(game)
    game.time_passes(7)
    game.expire(SURE)
    game.all_is_well()
    assert [lot.status for lot in game.model.lots.values()] == ["expired", "active", "expired"]


# --- Undone in the middle ---------------------------------------------------------------------------------


def _join(game: Game, fault: Fault) -> None:
    game.register(SURE, "new", PASSWORD)
    game.join(len(game.model.people) - 1, 0, fault)


def _buy(game: Game, fault: Fault) -> None:
    game.offer(0, LOG, 2, 20, SURE)
    game.buy(1, 0, None, fault)


def _cancel(game: Game, fault: Fault) -> None:
    game.offer(0, LOG, 1, 20, SURE)
    game.cancel(0, 0, fault)


def _expire(game: Game, fault: Fault) -> None:
    game.offer(0, LOG, 1, 20, SURE)
    game.time_passes(7)
    game.expire(fault)


CALLS: dict[str, Faulty] = {
    "register": lambda game, fault: game.register(fault, "new", PASSWORD),
    "join": _join,
    "gather": lambda game, fault: game.gather(0, BARK, LUCK, fault),
    "craft": lambda game, fault: game.craft(0, PLANKS, 2, LUCK, fault),
    "offer": lambda game, fault: game.offer(0, LOG, 1, 20, fault),
    "buy": _buy,
    "cancel": _cancel,
    "expire": _expire,
    "grant": lambda game, fault: game.give(1, 5, {"mutterwood-log": 1, "coughcoal": 2}, fault),
}


# What changes coins or items writes at least a balance and a history: four statements or more, but for what is one
# call of a function.
STATEMENTS = {"buy": 1, "offer": 1}


def rich() -> Game:
    """A game in which two have enough for as many calls as it takes."""
    game = begun()
    for who in (0, 1):
        game.give(who, 10**6, {"mutterwood-log": 10**6}, SURE)
    return game


def _outcome(game: Game, name: str, fault: Fault) -> str:
    CALLS[name](game, fault)
    game.all_is_well()
    return game.last


@pytest.mark.parametrize("name", CALLS)
def test_a_call_that_fails_at_any_of_its_statements_leaves_nothing(name: str) -> None:
    game = rich()
    for at in itertools.count(1):
        if _outcome(game, name, Fault("raise", at)) == "done":
            break
        assert _outcome(game, name, Fault("raise_after", at)) == "undone"
    assert at > STATEMENTS.get(name, 4)


@pytest.mark.parametrize("name", CALLS)
def test_a_call_is_done_once_or_not_at_all_however_its_transaction_ends(name: str) -> None:
    game = rich()
    assert [_outcome(game, name, Fault(kind)) for kind in ("rollback", "commit")] == ["undone"] * 2
    for at in range(1, STATEMENTS.get(name, 4) + 1):
        assert [_outcome(game, name, Fault(kind, at)) for kind in ("deadlock", "deadlocks")] == ["done", "undone"]


# --- What is wrong is found -------------------------------------------------------------------------------

give_back, statistics_add = market._give_back, accounts.statistics_add


# The fee is ten percent, whatever the setting says.
dear = market._BUY.replace("(%s, %s, %s, %s,", "(%s, %s, %s, 2 * %s,")

# What one should get, the other does.
backwards = accounts._TRANSFER.replace(
    "%s::text[], %s::bigint[]", "%s::text[], (SELECT array_agg(-coins) FROM unnest(%s::bigint[]) AS coins)"
)
# All for the same reason.
without_reason = inventory._MOVE.replace("%s, %s, %s, %s)", "coalesce(nullif(%s, 'craft_out'), 'grant'), %s, %s, %s)")


def one_more_than_remains(listing: Listing, status: str) -> None:
    listing.remaining += 1
    give_back(listing, status)


def for_good(**given: Any) -> None:
    """In a transaction of its own, which outlives the one that it belongs to."""
    at_once(lambda: statistics_add(**given))


def nothing(*_: Any, **given: Any) -> None:
    """What was to be written down is not."""


def _sell_for_19(game: Game) -> None:
    """For 19 there is no fee at five percent."""
    game.offer(0, LOG, 1, 19, SURE)
    game.buy(1, 0, 1, SURE)


def _cancel_the_rest(game: Game) -> None:
    game.buy(1, 0, 1, SURE)
    game.cancel(0, 0, SURE)


DEFECTS: list[tuple[Any, str, Any, Act]] = [
    (market, "_BUY", dear, _sell_for_19),
    (market, "_give_back", one_more_than_remains, _cancel_the_rest),
    (accounts, "_TRANSFER", backwards, lambda game: game.give(0, 1, {}, SURE)),
    (inventory, "_MOVE", without_reason, lambda game: game.craft(0, PLANKS, 1, LUCK, SURE)),
    (inventory, "_experience_add", nothing, lambda game: game.gather(0, LOG, LUCK, SURE)),
    (accounts, "statistics_add", nothing, lambda game: game.craft(0, PLANKS, 1, LUCK, SURE)),
    (accounts, "statistics_add", for_good, lambda game: game.gather(0, LOG, LUCK, Fault("commit"))),
]


@pytest.mark.parametrize(("where", "name", "defect", "act"), DEFECTS)
def test_a_defect_of_a_service_is_found(where: Any, name: str, defect: Any, act: Act) -> None:
    game = begun()
    with patch.object(where, name, defect), pytest.raises(AssertionError):
        _then(act, Game.all_is_well)(game)
