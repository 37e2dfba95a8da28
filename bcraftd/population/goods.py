"""What players of a populated world can make and sell: the catalogue, as it is in the database."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from inventory.models import Recipe, Resource
from inventory.rules import ROLL, gather_experience

# Zipf's law: what is the n-th in popularity is asked for 1/n times as often as the first.
ZIPF = 1.0


@dataclass(frozen=True, slots=True)
class Product:
    """A resource and one way to get it: gathered where there is no recipe, else crafted by it.

    value: coins a piece. pieces: what one action yields on average. experience: XP of one action that succeeds.
    level: of the profession, below which it cannot be made. needs: ingredients of one action, by resource id.
    """

    resource_id: int
    value: float
    pieces: float
    experience: int
    level: int = 1
    recipe_id: int | None = None
    needs: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Drawn:
    """Things to draw from, and their weights added up as random.choices takes them."""

    things: Sequence[Any]
    weights: Sequence[float]


@dataclass(frozen=True, slots=True)
class Goods:
    """professions: ids, by popularity. products: of each profession, by popularity."""

    professions: Drawn
    products: Mapping[int, Drawn]


def by_zipf(things: Sequence[Any], ranks: Sequence[int] | None = None) -> Drawn:
    """Things with weights by their ranks from 1 on; without ranks by their order."""
    return Drawn(things, list(accumulate(1 / rank**ZIPF for rank in ranks or range(1, len(things) + 1))))


def goods() -> Goods:
    """What the catalogue lets players make and sell. Three queries. Empty where nothing was seeded.

    The cheapest is the most popular, in each profession by its rank among all.
    """
    made: list[tuple[int, Product]] = [*_gathered(), *_crafted()]
    made.sort(key=lambda each: (each[1].value, each[1].resource_id))
    ranked: dict[int, list[tuple[int, Product]]] = defaultdict(list)
    for rank, (profession_id, product) in enumerate(made, 1):
        ranked[profession_id].append((rank, product))
    products = {
        profession_id: by_zipf([product for _, product in found], [rank for rank, _ in found])
        for profession_id, found in ranked.items()
    }
    return Goods(by_zipf(list(products)), products)


def _value(resource: Resource) -> float:
    return float(resource.base_value * resource.rarity.value_multiplier)


def _gathered() -> list[tuple[int, Product]]:
    roll = sum(ROLL) / 2
    return [
        (
            resource.profession_id,
            Product(
                resource.pk,
                _value(resource),
                pieces=roll * float(resource.rarity.drop_weight) / 100,
                experience=gather_experience(resource.rarity.value_multiplier),
            ),
        )
        for resource in Resource.objects.filter(tradeable=True, gatherable=True).select_related("rarity")
        if resource.profession_id is not None
    ]


def _crafted() -> list[tuple[int, Product]]:
    recipes = (
        Recipe.objects.filter(output_resource__tradeable=True)
        .select_related("output_resource__rarity")
        .prefetch_related("ingredients")
    )
    return [
        (
            recipe.profession_id,
            Product(
                recipe.output_resource_id,
                _value(recipe.output_resource),
                pieces=recipe.output_quantity * float(recipe.success_rate),
                experience=recipe.base_experience,
                level=recipe.required_level,
                recipe_id=recipe.pk,
                needs=tuple((each.resource_id, each.quantity) for each in recipe.ingredients.all()),
            ),
        )
        for recipe in recipes
    ]
