"""Pure decisions about gathering, crafting and growing: numbers in, numbers out."""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

# Profession level from which a rank holds, its name, and what it multiplies yields by.
RANKS: tuple[tuple[int, str, Decimal], ...] = (
    (50, "Master", Decimal("2")),
    (35, "Expert", Decimal("1.5")),
    (25, "Journeyman", Decimal("1.25")),
    (15, "Apprentice", Decimal("1.1")),
    (1, "Novice", Decimal("1")),
)

# A common resource gives one to five pieces before multipliers; a rarer one that times its drop weight in percent.
ROLL = (1, 5)
# XP for one gathering action of a common resource; rarer ones give it times their value multiplier.
GATHER_EXPERIENCE = 10


@dataclass(frozen=True, slots=True)
class CraftResult:
    """What a batch came to."""

    successes: int
    produced: int
    experience: int


def rank(level: int) -> str:
    """The name of a profession level's mastery rank."""
    return next(name for least, name, _ in RANKS if level >= least)


def mastery(level: int) -> Decimal:
    """What a profession level multiplies yields by."""
    return next(factor for least, _, factor in RANKS if level >= least)


def whole(amount: Decimal, chance: random.Random) -> int:
    """A whole amount: the fractional part is the probability of one more."""
    sure = int(amount)
    return sure + (chance.random() < amount - sure)


def gather_yield(*, drop_weight: Decimal, multipliers: Decimal, level: int, chance: random.Random) -> int:
    """Pieces that one gathering action gives; `multipliers` is season times weather."""
    return whole(chance.randint(*ROLL) * drop_weight / 100 * multipliers * mastery(level), chance)


def gather_experience(value_multiplier: Decimal) -> int:
    """XP of one gathering action."""
    return int(GATHER_EXPERIENCE * value_multiplier)


def craft_result(
    *,
    attempts: int,
    success_rate: Decimal,
    output_quantity: int,
    multipliers: Decimal,
    level: int,
    base_experience: int,
    chance: random.Random,
) -> CraftResult:
    """What a batch of attempts gives: each succeeds by itself, the multipliers work on what all of them make."""
    successes = sum(chance.random() < success_rate for _ in range(attempts))
    produced = whole(successes * output_quantity * multipliers * mastery(level), chance)
    return CraftResult(successes, produced, successes * base_experience)


def missing(ingredients: Mapping[int, int], held: Mapping[int, int]) -> dict[int, int]:
    """What is lacking for one attempt: resource id to quantity."""
    return {
        resource: needed - held.get(resource, 0)
        for resource, needed in ingredients.items()
        if held.get(resource, 0) < needed
    }


def stacks(quantity: int, stack_size: int) -> int:
    """How many stacks an amount fills, the last one perhaps in part."""
    return -(-quantity // stack_size)
