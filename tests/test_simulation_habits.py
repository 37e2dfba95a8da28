"""How a simulation's bots decide: always something that can be done, by their habit and by what they have seen."""

import random
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bcraftd.simulation.habits import HABITS, MIX, Action, Seen, World, attempts, decide, popular
from bcraftd.simulation.run import Plan, habits


def resource(number: int, profession: int | None, **other: Any) -> dict[str, Any]:
    gathered = profession is not None
    return {"id": number, "base_value": 10, "tradeable": True, "gatherable": gathered, "profession_id": profession,
            **other}  # fmt: skip


def recipe(number: int, profession: int, level: int, **ingredients: int) -> dict[str, Any]:
    needs = [{"resource_id": int(name[1:]), "quantity": quantity} for name, quantity in ingredients.items()]
    return {"id": number, "profession_id": profession, "required_level": level, "ingredients": needs}


FELL, MINE, SAW, SMITH = 1, 2, 3, 4
WORLD = World.of(
    {"resources": [resource(1, FELL), resource(2, MINE), resource(3, None), resource(4, None, tradeable=False)]},
    {"recipes": [recipe(11, SAW, 1, r1=3), recipe(12, SMITH, 1, r2=2, r1=1), recipe(13, SAW, 9, r1=1)]},
    {"professions": [{"id": each} for each in (FELL, MINE, SAW, SMITH)]},
)


def offer(number: int, price: int, seller: int = 9, remaining: int = 5) -> dict[str, Any]:
    return {"id": number, "seller_id": seller, "unit_price": price, "remaining": remaining, "resource_id": 1}


seens = st.builds(
    Seen,
    player_id=st.just(7),
    coins=st.integers(0, 500),
    holds=st.dictionaries(st.integers(1, 4), st.integers(0, 20)),
    professions=st.lists(st.sampled_from([FELL, MINE, SAW, SMITH]), max_size=3, unique=True),
    craftable=st.lists(st.sampled_from([11, 12, 13]), unique=True),
    offers=st.lists(st.builds(offer, st.integers(1, 99), st.integers(1, 60), st.sampled_from([7, 9])), max_size=5),
    active=st.lists(st.integers(100, 120), max_size=3, unique=True),
    others=st.lists(st.integers(8, 12), max_size=3),
    paid=st.dictionaries(st.integers(1, 4), st.integers(1, 99)),
)


@given(st.sampled_from(sorted(HABITS)), seens, st.integers())
def test_whatever_was_seen_a_bot_does_something_that_it_can_do(name: str, seen: Seen, seed: int) -> None:
    action = decide(HABITS[name], seen, WORLD, random.Random(seed))

    assert action.path.startswith("/api/")
    assert (action.method == "POST") == (action.body is not None)
    check = CHECKS.get(action.kind)
    if check is not None:
        check(action, seen)


def _can_buy(action: Action, seen: Seen) -> None:
    assert action.body is not None
    wanted = [row for row in seen.offers if row["id"] == action.about and row["seller_id"] != 7]
    assert any(
        1 <= action.body["quantity"] <= row["remaining"] and row["unit_price"] * action.body["quantity"] <= seen.coins
        for row in wanted
    )


def _can_list(action: Action, seen: Seen) -> None:
    assert action.body is not None
    assert 1 <= action.body["quantity"] <= seen.holds[action.about]
    assert action.body["unit_price"] >= 1
    assert WORLD.resources[action.about]["tradeable"]


def _can_craft(action: Action, seen: Seen) -> None:
    assert action.body is not None
    assert action.about in seen.craftable
    assert 1 <= action.body["quantity"] <= attempts(WORLD.recipes[action.about], seen.holds)


def _can_join(action: Action, seen: Seen) -> None:
    assert action.about not in seen.professions
    assert len(seen.professions) < 3


def _can_gather(action: Action, seen: Seen) -> None:
    assert WORLD.resources[action.about]["profession_id"] in seen.professions


def _can_cancel(action: Action, seen: Seen) -> None:
    assert action.about in seen.active


CHECKS = {"buy": _can_buy, "list": _can_list, "craft": _can_craft, "join": _can_join, "gather": _can_gather,
          "cancel": _can_cancel}  # fmt: skip


def kinds(name: str, seen: Seen) -> Counter[str]:
    chance = random.Random(1)
    return Counter(decide(HABITS[name], seen, WORLD, chance).kind for _ in range(2_000))


RICH = Seen(
    player_id=7, coins=10**6, holds={1: 50, 2: 50, 3: 50}, professions=[FELL, SAW, SMITH], craftable=[11, 12],
    offers=[offer(5, 10)], active=[100], others=[9],
)  # fmt: skip


@pytest.mark.parametrize(("name", "most"), [("gatherer", "gather"), ("trader", "market"), ("lurker", "market")])
def test_each_habit_does_above_all_what_it_is_called_after(name: str, most: str) -> None:
    assert kinds(name, RICH).most_common(1)[0][0] == most


def test_crafters_craft_and_traders_buy_and_lurkers_write_nothing() -> None:
    assert kinds("crafter", RICH)["craft"] > kinds("gatherer", RICH)["craft"] == 0
    assert kinds("trader", RICH)["buy"] > kinds("crafter", RICH)["buy"] > kinds("gatherer", RICH)["buy"] == 0
    assert not kinds("lurker", RICH).keys() & {"gather", "craft", "list", "buy", "cancel", "join"}


def test_a_newcomer_learns_to_gather_first_and_then_to_make_something_of_it() -> None:
    for seed in range(50):
        first = decide(HABITS["gatherer"], Seen(), WORLD, random.Random(seed))
        assert first.kind != "gather"
        if first.kind == "join":
            assert first.about in (FELL, MINE)
        second = decide(HABITS["gatherer"], Seen(professions=[FELL]), WORLD, random.Random(seed))
        if second.kind == "join":
            assert second.about == SAW


def test_what_was_bought_is_sold_for_more() -> None:
    seen = Seen(holds={1: 5}, paid={1: 30})
    chance = random.Random(2)
    asked = [decide(HABITS["trader"], seen, WORLD, chance) for _ in range(500)]
    prices = [action.body["unit_price"] for action in asked if action.kind == "list" and action.body]
    assert prices
    assert min(prices) > 30


def test_the_first_ones_are_asked_for_the_most() -> None:
    chance = random.Random(3)
    drawn = Counter(popular(range(50), chance) for _ in range(10_000))
    assert drawn[0] > 1.5 * drawn[1] > 2 * drawn[9] > 0
    assert len(drawn) == 50


def test_a_mix_is_kept_to_one_bot_and_a_seed_draws_it_again() -> None:
    plan = Plan("", 1, 1, MIX, "7")
    found = Counter(habit.name for habit in habits(plan, 100))
    assert found == Counter(MIX)
    assert [habit.name for habit in habits(plan, 7)] == [habit.name for habit in habits(plan, 7)]
    assert {habit.name for habit in habits(Plan("", 1, 1, {"lurker": 1}, "7"), 5)} == {"lurker"}
