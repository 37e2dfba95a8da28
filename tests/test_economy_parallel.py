"""The endurance run in short: crowds, opposed trades, contests and a kill of PostgreSQL over HTTP; and its judge, which
has to find what is wrong. A long run is `make check-economy`; see tests/economy/.
"""

import json
import random
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from typing import Any

import pytest

from tests.consistency.stage import running
from tests.economy import judge, truth
from tests.economy.books import Books, Movement, Offer, Sale, Transfer
from tests.economy.client import Answer, Call, Line, Player
from tests.economy.judge import World, violations
from tests.economy.run import Plan, Run
from tests.economy.scenes import contest, crowd, opposed, together, twice
from tests.economy.stage import Stage

PLAN = Plan(operations=700, seed=1, players=16, postgres_kills=1)


@pytest.fixture(scope="module")
def servers() -> Iterator[Stage]:
    """Servers that may be killed; the API is each run's own."""
    with running(Stage) as started:
        yield started


@pytest.fixture(scope="module")
def run(servers: Stage) -> Iterator[Run]:
    """Players who have not done anything yet. The tests play on in one world, and each judges all of it."""
    with Run(servers, PLAN) as prepared:
        yield prepared


@pytest.fixture
def line(run: Run) -> Iterator[Line]:
    with closing(run.ground.line()) as opened:
        yield opened


def found(run: Run) -> list[str]:
    """What the judge finds by now."""
    return [*run.ground.books.complaints, *violations(run.ground.books, truth.world(run.stage.url))]


# --- The economy ------------------------------------------------------------------------------------------


def test_one_piece_and_a_hundred_buyers_at_once_one_gets_it(run: Run, line: Line) -> None:
    assert crowd(run.ground, random.Random(1), line, 100) == {"good": 1, "listing_not_active": 99}
    assert found(run) == []


def test_fifty_who_buy_from_each_other_do_not_lock_each_other_out(run: Run) -> None:
    pair = run.ground.pairs[0]
    trades = sum((sum(together(*[lambda: opposed(run.ground, pair)] * 25), Counter()) for _ in range(3)), Counter())
    assert trades == {"good": 150}
    assert found(run) == []
    assert run.stage.logged(run.stage.postgres.log, "deadlock detected") == 0


def test_bought_cancelled_and_run_out_at_once_each_piece_goes_one_way(run: Run) -> None:
    for number in range(2):
        together(*[_contesting(run, f"{number}/{index}") for index in range(8)])
    states = Counter(status for status, _ in truth.world(run.stage.url).states.values())
    # However the races went, some of the sixteen are closed.
    assert sum(states.values()) - states["active"] > 10
    assert found(run) == []


def _contesting(run: Run, seed: str) -> Callable[[], Counter[str]]:
    def act() -> Counter[str]:
        with closing(run.ground.line()) as line:
            return contest(run.ground, random.Random(seed), line)

    return act


def test_postgresql_is_killed_under_fifty_traders_and_what_was_answered_is_there_once(run: Run) -> None:
    run.play()
    result = run.result()
    assert result.violations == []
    numbers = result.numbers
    assert (numbers["postgres_kills"], numbers["deadlocks"], numbers["deadlocks_answered"]) == (1, 0, 0)
    assert numbers["operations"] >= PLAN.operations
    # The kill was felt, and by far the most was done all the same.
    assert numbers["unavailable"] + numbers["connections_broken"] > 0
    assert sum(numbers["effects"].values()) > numbers["operations"] / 2


# --- What is wrong is found -------------------------------------------------------------------------------


def test_a_coin_by_hand_is_found(run: Run) -> None:
    player = run.ground.players[3].id
    run.stage.sql(f"UPDATE accounts_player SET coins = coins + 1 WHERE id = {player}")
    told = run.result()
    run.stage.sql(f"UPDATE accounts_player SET coins = coins - 1 WHERE id = {player}")
    assert [text.split(":")[0] for text in told.violations] == [f"coins of player {player}", "the audit"]
    assert json.loads(told.line())["violations"] == 2
    assert found(run) == []


def _repeated(run: Run) -> None:
    twice(run.ground, run.ground.gathering(run.ground.players[0], "mutterwood-log"))


def _contested(run: Run) -> None:
    """Until one was cancelled of which something had been sold."""
    for number in range(40):
        _contesting(run, str(number))()
        sold = {sale.listing for sale in run.ground.books.sales.values()}
        if sold & run.ground.books.cancelled.keys():
            return


def test_a_defect_is_found(servers: Stage) -> None:
    """Two, in one API: a key that is not looked at, and cancelled listings that give too much back."""
    with servers.another_world(), Run(servers, replace(PLAN, players=8, broken="key,return")) as run:
        _repeated(run)
        _contested(run)
        told = " ".join(found(run))
    assert "gather of player" in told
    assert "a movement was answered and is not there" in told


# --- The judge --------------------------------------------------------------------------------------------


def player(pk: int) -> Player:
    return Player(pk, pk, f"player-{pk}", "")


def answered(books: Books, kind: str, who: int, body: Any, *, status: int = 200, **asked: Any) -> None:
    call = Call(kind, player(who), "/", {}, f"key-{books.settled}", asked)
    books.note(call, Answer(status, json.dumps(body).encode()))


@pytest.fixture
def books() -> Books:
    """Player 1 lists five of ten pieces at 30, player 2 buys two of them."""
    books = Books()
    for pk in (1, 2):
        books.registered(pk)
    books.granted(1, 0, {7: 10})
    answered(books, "list", 1, {"id": 70}, status=201, resource=7, quantity=5, unit_price=30)
    trade = {
        "id": 700, "listing_id": 70, "buyer_id": 2, "seller_id": 1, "resource_id": 7, "quantity": 2, "unit_price": 30,
        "total_price": 60, "fee": 3,
    }  # fmt: skip
    answered(books, "buy", 2, {"trade": trade}, listing=70, quantity=2)
    return books


@pytest.fixture
def world() -> World:
    """The tables after that."""
    starting = [Transfer("starting_coins", f"player:{pk}", (("mint", -1000), (f"player:{pk}", 1000))) for pk in (1, 2)]
    sold = Transfer("trade", "trade:700", (("market_fee", 3), ("player:1", 57), ("player:2", -60)))
    moved = [(1, 7, 10, "grant", ""), (1, 7, -5, "escrow", "listing:70"), (2, 7, 2, "purchase", "trade:700")]
    return World(
        coins={1: 1057, 2: 940},
        experience={1: 0, 2: 0},
        holdings={(1, 7): 5, (2, 7): 2, (2, 8): 0},
        movements=Counter(Movement(*row) for row in moved),
        transfers=Counter([*starting, sold]),
        offers={70: Offer(1, 7, 5, 30)},
        states={70: ("active", 3)},
        sales={700: Sale(70, 2, 1, 7, 2, 30, 60, 3)},
        keys={(1, "key-0"): 201, (2, "key-1"): 200},
    )


def test_tables_that_hold_what_was_answered_are_right(books: Books, world: World) -> None:
    assert (violations(books, world), books.complaints) == ([], [])


def _lose_the_trade(world: World) -> None:
    world.sales.clear()


def _pay_twice(world: World) -> None:
    world.transfers[next(row for row in world.transfers if row.reason == "trade")] += 1


def _move_twice(world: World) -> None:
    world.movements[Movement(2, 7, 2, "purchase", "trade:700")] += 1


def _take_a_coin(world: World) -> None:
    world.coins[1] -= 1


def _take_a_piece(world: World) -> None:
    world.holdings[2, 7] -= 1


def _list_what_nobody_listed(world: World) -> None:
    world.offers[71] = Offer(1, 7, 1, 1)


def _cancel_what_nobody_cancelled(world: World) -> None:
    world.states[70] = ("cancelled", 3)


def _leave_too_much(world: World) -> None:
    world.states[70] = ("active", 4)


def _run_out_and_keep_it(world: World) -> None:
    world.states[70] = ("expired", 3)


def _forget_the_answer(world: World) -> None:
    del world.keys[2, "key-1"]


def _learn_for_nothing(world: World) -> None:
    world.experience[1] = 10


def _join_unasked(world: World) -> None:
    world.joined.add((1, 3))


@pytest.mark.parametrize(
    "wrong",
    [
        _lose_the_trade, _pay_twice, _move_twice, _take_a_coin, _take_a_piece, _list_what_nobody_listed,
        _cancel_what_nobody_cancelled, _leave_too_much, _run_out_and_keep_it, _forget_the_answer, _learn_for_nothing,
        _join_unasked,
    ],
)  # fmt: skip
def test_tables_that_hold_anything_else_are_not(books: Books, world: World, wrong: Callable[[World], None]) -> None:
    wrong(world)
    assert violations(books, world) != []


def test_what_ran_out_gave_back_what_was_left(books: Books, world: World) -> None:
    world.states[70] = (judge.EXPIRED, 3)
    world.movements[Movement(1, 7, 3, "escrow_return", "listing:70")] += 1
    world.holdings[1, 7] += 3
    assert violations(books, world) == []


def test_an_effect_that_is_answered_to_two_calls_is_a_complaint(books: Books) -> None:
    answered(books, "list", 1, {"id": 70}, status=201, resource=7, quantity=5, unit_price=30)
    assert "listing 70 was the answer to another call too" in books.complaints[0]


@pytest.mark.parametrize(
    ("status", "code"), [(500, "internal_error"), (409, "conflict"), (503, ""), (429, "rate_limited")]
)
def test_an_answer_that_nobody_should_get_is_a_complaint(books: Books, status: int, code: str) -> None:
    answered(books, "gather", 1, {"code": code}, status=status)
    assert (books.complained, books.refusals) == (1, {})


def test_a_refusal_by_the_rules_leaves_nothing(books: Books, world: World) -> None:
    answered(books, "buy", 2, {"code": "insufficient_coins"}, status=409, listing=70, quantity=3)
    assert (violations(books, world), books.complained, books.refusals) == ([], 0, {"insufficient_coins": 1})
