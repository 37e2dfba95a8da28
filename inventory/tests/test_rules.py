"""The rules of gathering, crafting and growing: properties that hold for all numbers."""

import random
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from bcraftd import randomness
from bcraftd.leveling import experience_for, level_at
from inventory import rules

# A slow machine must not fail a property: no deadline.
relaxed = settings(deadline=None)

amounts = some.decimals(min_value=0, max_value=10**6, places=4)
levels = some.integers(1, 50)
quantities = some.integers(0, 2**53 - 1)


class Rigged(random.Random):
    """Chance that always shows the same: `share` of the way from 0 to 1, and `face` on the die."""

    def __init__(self, share: float, face: int = 1) -> None:
        super().__init__()
        self.share, self.face = share, face

    def random(self) -> float:
        return self.share

    def randint(self, a: int, b: int) -> int:
        assert a <= self.face <= b
        return self.face


def spread(steps: int) -> list[float]:
    """As many draws, evenly over 0 to 1: their mean is what chance gives in the long run."""
    return [(step + 0.5) / steps for step in range(steps)]


# --- Whole amounts -------------------------------------------------------------------------------------------


@relaxed
@given(amounts, some.integers())
def test_a_whole_amount_is_the_next_below_or_above(amount: Decimal, seed: int) -> None:
    got = rules.whole(amount, random.Random(seed))
    assert isinstance(got, int)
    assert got - amount < 1
    assert amount - got < 1
    assert got >= 0


@relaxed
@given(some.integers(0, 10**9), some.integers())
def test_a_whole_amount_stays_as_it_is(amount: int, seed: int) -> None:
    assert rules.whole(Decimal(amount), random.Random(seed)) == amount


@given(some.integers(0, 10**9))
def test_no_luck_makes_more_of_a_whole_amount(amount: int) -> None:
    assert rules.whole(Decimal(amount), Rigged(0)) == amount


@relaxed
@given(some.decimals(min_value=0, max_value=1000, places=2))
def test_the_fraction_is_the_probability_of_one_more(amount: Decimal) -> None:
    assert sum(rules.whole(amount, Rigged(share)) for share in spread(100)) == amount * 100


# --- Gathering -----------------------------------------------------------------------------------------------


@relaxed
@given(some.sampled_from(["100", "25", "5", "1", "0.1"]), some.decimals(min_value=0, max_value=3, places=2), levels)
def test_a_gather_gives_three_times_its_factors_in_the_long_run(weight: str, multipliers: Decimal, level: int) -> None:
    given_out = [
        rules.gather_yield(
            drop_weight=Decimal(weight), multipliers=multipliers, level=level, chance=Rigged(share, face)
        )
        for face in range(1, 6)
        for share in spread(200)
    ]
    expected = 3 * Decimal(weight) / 100 * multipliers * rules.mastery(level)
    assert abs(Decimal(sum(given_out)) / len(given_out) - expected) <= Decimal(1) / 200


@relaxed
@given(some.integers(), some.decimals(min_value=0, max_value=3, places=2), levels)
def test_a_better_season_or_level_never_gives_less(seed: int, multipliers: Decimal, level: int) -> None:
    def got(multipliers: Decimal, level: int) -> int:
        return rules.gather_yield(
            drop_weight=Decimal(100), multipliers=multipliers, level=level, chance=random.Random(seed)
        )

    assert got(multipliers, level) <= got(multipliers + 1, level)
    assert got(multipliers, level) <= got(multipliers, 50)


@pytest.mark.parametrize(("multiplier", "experience"), [("1", 10), ("2", 20), ("4", 40), ("7", 70), ("10", 100)])
def test_a_gather_teaches_ten_times_the_value_multiplier(multiplier: str, experience: int) -> None:
    assert rules.gather_experience(Decimal(multiplier)) == experience


# --- Crafting ------------------------------------------------------------------------------------------------


def crafted(chance: random.Random, **changes: Any) -> rules.CraftResult:
    facts: dict[str, Any] = {
        "attempts": 10, "success_rate": Decimal(1), "output_quantity": 1, "multipliers": Decimal(1),
        "level": 1, "base_experience": 10, "chance": chance,
    }  # fmt: skip
    return rules.craft_result(**facts | changes)


@relaxed
@given(some.integers(), some.integers(1, 100), some.decimals("0.001", "1", places=3), some.integers(1, 9))
def test_a_batch_never_makes_more_than_its_successes_do(seed: int, attempts: int, rate: Decimal, output: int) -> None:
    result = crafted(random.Random(seed), attempts=attempts, success_rate=rate, output_quantity=output)
    assert 0 <= result.successes <= attempts
    assert result.produced == result.successes * output
    assert result.experience == result.successes * 10


@relaxed
@given(some.integers(1, 100), some.decimals("0.001", "1", places=3))
def test_the_success_rate_is_the_probability_of_a_success(attempts: int, rate: Decimal) -> None:
    results = [crafted(Rigged(share), attempts=attempts, success_rate=rate) for share in spread(1000)]
    assert sum(result.successes for result in results) == attempts * rate * 1000


@pytest.mark.parametrize(("draw", "successes"), [(0.4999, 10), (0.5, 0), (0.5001, 0)])
def test_a_draw_that_only_reaches_the_rate_is_a_failure(draw: float, successes: int) -> None:
    assert crafted(Rigged(draw), success_rate=Decimal("0.5")).successes == successes


@relaxed
@given(some.integers(1, 100), some.decimals(min_value=0, max_value=3, places=2), levels)
def test_the_multipliers_work_on_the_batch_and_round_once(attempts: int, multipliers: Decimal, level: int) -> None:
    exact = attempts * multipliers * rules.mastery(level)
    produced = [
        crafted(Rigged(share), attempts=attempts, multipliers=multipliers, level=level).produced
        for share in (0, 0.9999)
    ]
    assert produced[1] == int(exact)
    assert produced[0] == int(exact) + (exact % 1 > 0)


# --- Growing -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("level", "name", "factor"),
    [
        (1, "Novice", "1"), (14, "Novice", "1"), (15, "Apprentice", "1.1"), (24, "Apprentice", "1.1"),
        (25, "Journeyman", "1.25"), (34, "Journeyman", "1.25"), (35, "Expert", "1.5"), (49, "Expert", "1.5"),
        (50, "Master", "2"),
    ],
)  # fmt: skip
def test_mastery_begins_at_its_level(level: int, name: str, factor: str) -> None:
    assert (rules.rank(level), rules.mastery(level)) == (name, Decimal(factor))


@given(levels, levels)
def test_mastery_never_falls_with_the_level(one: int, other: int) -> None:
    assert rules.mastery(min(one, other)) <= rules.mastery(max(one, other))


@relaxed
@given(quantities)
def test_a_level_holds_the_experience_between_its_beginning_and_the_next(experience: int) -> None:
    level = level_at(experience, 10**9)
    assert experience_for(level) <= experience < experience_for(level + 1)


@given(some.integers(1, 1000))
def test_a_level_costs_a_hundred_times_itself(level: int) -> None:
    assert experience_for(level + 1) - experience_for(level) == level * 100


@pytest.mark.parametrize(
    ("experience", "level"), [(0, 1), (99, 1), (100, 2), (299, 2), (300, 3), (122_499, 49), (122_500, 50), (10**15, 50)]
)
def test_levels_begin_at_these_numbers_and_end_at_the_maximum(experience: int, level: int) -> None:
    assert level_at(experience, 50) == level


# --- Holdings ------------------------------------------------------------------------------------------------

goods = some.dictionaries(some.integers(1, 8), some.integers(1, 100))


@given(goods, goods)
def test_what_is_missing_is_exactly_what_would_be_enough(ingredients: dict[int, int], held: dict[int, int]) -> None:
    lacking = rules.missing(ingredients, held)
    assert all(quantity > 0 for quantity in lacking.values())
    for resource, needed in ingredients.items():
        assert held.get(resource, 0) + lacking.get(resource, 0) == max(needed, held.get(resource, 0))
    assert set(lacking) <= set(ingredients)
    assert rules.missing(ingredients, {r: held.get(r, 0) + lacking.get(r, 0) for r in ingredients}) == {}


@given(quantities, some.integers(1, 1000))
def test_stacks_are_as_few_as_hold_the_amount(quantity: int, size: int) -> None:
    stacks = rules.stacks(quantity, size)
    assert (stacks - 1) * size < quantity <= stacks * size


# --- The source of chance ------------------------------------------------------------------------------------


def test_a_fixed_source_repeats_and_goes_away_again_whatever_happens() -> None:
    usual = randomness.source()
    assert isinstance(usual, random.SystemRandom)
    with randomness.fixed(5):
        first = [randomness.source().random() for _ in range(3)]
    with randomness.fixed(5) as chance:
        assert [chance.random() for _ in range(3)] == first
    with pytest.raises(ZeroDivisionError), randomness.fixed(5):
        raise ZeroDivisionError
    assert randomness.source() is usual
