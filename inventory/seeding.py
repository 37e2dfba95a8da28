"""Loading the starting catalogue: what is missing is made, what is there stays as the operators left it."""

import tomllib
from collections.abc import Iterable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

from django.db.models import Model

from bcraftd.transactions import atomic
from inventory.models import Profession, Rarity, Recipe, RecipeIngredient, Resource

M = TypeVar("M", bound=Model)

CATALOGUE = Path(__file__).with_name("catalogue.toml")

# slug, value multiplier, drop weight (a common resource's is 100): the design of the economy.
RARITIES = (
    ("common", "1", "100"),
    ("rare", "2", "25"),
    ("epic", "4", "5"),
    ("legendary", "7", "1"),
    ("mythic", "10", "0.1"),
)


def load_toml(path: Path) -> dict[str, Any]:
    """A catalogue file, with exact decimals."""
    return tomllib.loads(path.read_text(encoding="utf-8"), parse_float=Decimal)


def make_missing(model: type[M], rows: Iterable[M], key: str) -> int:
    """Makes the rows whose `key` is not there yet, in two queries. Returns how many."""
    there = set(model._default_manager.values_list(key, flat=True))
    missing = [row for row in rows if getattr(row, key) not in there]
    return len(model._default_manager.bulk_create(missing))


def _ids(model: type[Model]) -> dict[str, int]:
    return dict(model._default_manager.values_list("slug", "pk"))


@atomic
def catalogue_seed() -> int:
    """Loads rarities, professions, resources and recipes. Returns how many rows were made."""
    data = load_toml(CATALOGUE)
    made = make_missing(
        Rarity,
        (
            Rarity(slug=slug, position=position, value_multiplier=Decimal(value), drop_weight=Decimal(weight))
            for position, (slug, value, weight) in enumerate(RARITIES, 1)
        ),
        "slug",
    )
    made += make_missing(Profession, (Profession(**row) for row in data["profession"]), "slug")
    professions = _ids(Profession)
    made += make_missing(Resource, (_resource(row, professions) for row in data["resource"]), "slug")
    return made + _recipes_seed(data["recipe"], professions, _ids(Resource))


def _resource(row: Mapping[str, Any], professions: Mapping[str, int]) -> Resource:
    gathered_by = row.get("gathered_by")
    return Resource(
        slug=row["slug"],
        name=row["name"],
        kind=row["kind"],
        rarity_id=row["rarity"],
        base_value=row["base_value"],
        stack_size=row.get("stack_size", 99),
        tradeable=row.get("tradeable", True),
        gatherable=gathered_by is not None,
        profession_id=professions[gathered_by] if gathered_by else None,
    )


def _recipes_seed(rows: list[Mapping[str, Any]], professions: Mapping[str, int], resources: Mapping[str, int]) -> int:
    """Ingredients are made only for recipes that are new: an operator may have taken one out of an old one."""
    there = _ids(Recipe)
    made = make_missing(
        Recipe,
        (
            Recipe(
                slug=row["slug"],
                name=row["name"],
                profession_id=professions[row["profession"]],
                output_resource_id=resources[row["output"]],
                output_quantity=row["output_quantity"],
                required_level=row["required_level"],
                base_experience=row["base_experience"],
                success_rate=row["success_rate"],
            )
            for row in rows
        ),
        "slug",
    )
    recipes = _ids(Recipe)
    ingredients = RecipeIngredient.objects.bulk_create(
        RecipeIngredient(recipe_id=recipes[row["slug"]], resource_id=resources[slug], quantity=quantity)
        for row in rows
        if row["slug"] not in there
        for slug, quantity in row["ingredients"].items()
    )
    return made + len(ingredients)
