"""Reads of the inventory."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from django.db import connection

from bcraftd.cache import Answer, Fresh
from bcraftd.pagination import keyset_page
from bcraftd.replicas import PLAYER, may_lag
from inventory import rules
from inventory.cache import INVENTORY, KNOWN_RECIPES, PROFESSIONS, RECIPES, RESOURCES
from inventory.models import (
    ItemMovement,
    PlayerProfession,
    Profession,
    Recipe,
    RecipeIngredient,
    Resource,
)

RESOURCE_COLUMNS = (
    "id", "slug", "name", "kind", "rarity_id", "base_value", "stack_size", "tradeable", "gatherable", "profession_id",
)  # fmt: skip
RECIPE_COLUMNS = (
    "id", "slug", "name", "output_resource_id", "output_quantity", "profession_id", "required_level",
    "base_experience", "success_rate",
)  # fmt: skip


def inventory_get(player_id: int) -> Answer | None:
    """What a player holds, through the cache."""
    return INVENTORY.get({"player_id": player_id})


# In SQL as it stands: these two are the players' own, read after each purchase, and the ORM takes longer to write them
# than PostgreSQL to answer (docs/performance.md). Names are written as the ORM writes them: tests read there what an
# entry shows.
_INVENTORY = """
SELECT "inventory_resource"."id", "inventory_resource"."slug", "inventory_resource"."name",
       "inventory_resource"."rarity_id", "inventory_inventoryitem"."quantity", "inventory_resource"."stack_size"
FROM "inventory_inventoryitem"
JOIN "inventory_resource" ON "inventory_resource"."id" = "inventory_inventoryitem"."resource_id"
WHERE "inventory_inventoryitem"."player_id" = %(player)s AND "inventory_inventoryitem"."quantity" > 0
ORDER BY "inventory_resource"."id"
"""
_KNOWN = """
SELECT "inventory_recipe"."id", "inventory_recipe"."slug", "inventory_recipe"."name",
       "inventory_recipeingredient"."resource_id", "inventory_recipeingredient"."quantity",
       coalesce("inventory_inventoryitem"."quantity", 0)
FROM "inventory_playerprofession"
JOIN "inventory_recipe"
  ON "inventory_recipe"."profession_id" = "inventory_playerprofession"."profession_id"
  AND "inventory_recipe"."required_level" <= "inventory_playerprofession"."level"
LEFT JOIN "inventory_recipeingredient" ON "inventory_recipeingredient"."recipe_id" = "inventory_recipe"."id"
LEFT JOIN "inventory_inventoryitem"
  ON "inventory_inventoryitem"."player_id" = "inventory_playerprofession"."player_id"
  AND "inventory_inventoryitem"."resource_id" = "inventory_recipeingredient"."resource_id"
WHERE "inventory_playerprofession"."player_id" = %(player)s
ORDER BY "inventory_recipe"."id", "inventory_recipeingredient"."id"
"""


def _rows_of(player_id: int, statement: str) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, {"player": player_id})
        return list(cursor.fetchall())


@INVENTORY.filler
def _inventory(player_id: int) -> Fresh:
    """One query."""
    return Fresh(
        {
            "inventory": [
                {
                    "resource_id": resource_id,
                    "slug": slug,
                    "name": name,
                    "rarity": rarity,
                    "quantity": quantity,
                    "stacks": rules.stacks(quantity, stack_size),
                }
                for resource_id, slug, name, rarity, quantity, stack_size in _rows_of(player_id, _INVENTORY)
            ]
        }
    )


def resources_list(
    *, kind: str | None = None, rarity: str | None = None, gatherable: bool | None = None
) -> Answer | None:
    """The catalogue of resources, through the cache."""
    return RESOURCES.get(variant={"kind": kind, "rarity": rarity, "gatherable": gatherable})


def resource_get(resource_id: int) -> Answer | None:
    """One resource, through the cache; None where there is none."""
    return RESOURCES.get(variant={"id": resource_id})


@RESOURCES.filler
def _resources(id: int | None = None, **filters: Any) -> Fresh | None:
    """One query."""
    rows = Resource.objects.filter(**{name: value for name, value in filters.items() if value is not None})
    if id is not None:
        rows = rows.filter(pk=id)
    found = [_resource(row) for row in rows.order_by("id").values(*RESOURCE_COLUMNS)]
    if id is not None:
        return Fresh(found[0]) if found else None
    return Fresh({"resources": found})


def _resource(row: dict[str, Any]) -> dict[str, Any]:
    return {("rarity" if name == "rarity_id" else name): row[name] for name in RESOURCE_COLUMNS}


def recipes_list(*, profession_id: int | None = None) -> Answer | None:
    """The catalogue of recipes, through the cache."""
    return RECIPES.get(variant={"profession_id": profession_id})


def recipe_get(recipe_id: int) -> Answer | None:
    """One recipe, through the cache; None where there is none."""
    return RECIPES.get(variant={"id": recipe_id})


@RECIPES.filler
def _recipes(id: int | None = None, profession_id: int | None = None) -> Fresh | None:
    """Two queries."""
    rows = Recipe.objects.all()
    if id is not None:
        rows = rows.filter(pk=id)
    if profession_id is not None:
        rows = rows.filter(profession_id=profession_id)
    found = list(rows.order_by("id").values(*RECIPE_COLUMNS))
    ingredients = ingredients_of(row["id"] for row in found)
    for row in found:
        row["ingredients"] = [
            {"resource_id": resource, "quantity": quantity} for resource, quantity in ingredients[row["id"]].items()
        ]
    if id is not None:
        return Fresh(found[0]) if found else None
    return Fresh({"recipes": found})


def ingredients_of(recipe_ids: Iterable[int]) -> dict[int, dict[int, int]]:
    """Recipe id to its ingredients, resource id to quantity. One query."""
    found: dict[int, dict[int, int]] = defaultdict(dict)
    rows = RecipeIngredient.objects.filter(recipe_id__in=list(recipe_ids)).order_by("id")
    for recipe_id, resource_id, quantity in rows.values_list("recipe_id", "resource_id", "quantity"):
        found[recipe_id][resource_id] = quantity
    return found


def professions_list() -> Answer | None:
    """The catalogue of professions, through the cache."""
    return PROFESSIONS.get()


@PROFESSIONS.filler
def _professions() -> Fresh:
    """One query."""
    return Fresh({"professions": list(Profession.objects.order_by("id").values("id", "slug", "name", "kind"))})


def known_recipes(player_id: int) -> Answer | None:
    """What a player's professions and levels allow, and what is lacking for each, through the cache."""
    return KNOWN_RECIPES.get({"player_id": player_id})


@KNOWN_RECIPES.filler
def _known_recipes(player_id: int) -> Fresh:
    """One query: a row for each ingredient of a recipe, beside what is held of it."""
    recipes: dict[int, dict[str, Any]] = {}
    ingredients: dict[int, dict[int, int]] = defaultdict(dict)
    held: dict[int, int] = {}
    for recipe_id, slug, name, resource_id, needed, has in _rows_of(player_id, _KNOWN):
        recipes[recipe_id] = {"id": recipe_id, "slug": slug, "name": name}
        # A recipe without ingredients has one row all the same.
        if resource_id is not None:
            ingredients[recipe_id][resource_id] = needed
            held[resource_id] = has
    return Fresh({"recipes": [_known(row, rules.missing(ingredients[pk], held)) for pk, row in recipes.items()]})


def _known(recipe: Mapping[str, Any], lacking: Mapping[int, int]) -> dict[str, Any]:
    return {
        **recipe,
        "craftable": not lacking,
        "missing": [{"resource_id": resource, "quantity": quantity} for resource, quantity in lacking.items()],
    }


def professions_of(player_id: int) -> list[dict[str, Any]]:
    """A player's professions in the order of joining. One query."""
    rows = PlayerProfession.objects.filter(player_id=player_id).select_related("profession").order_by("slot")
    return [profession_shown(row) for row in rows]


def profession_shown(row: PlayerProfession) -> dict[str, Any]:
    """A player's profession as the API shows it; `row.profession` must be loaded."""
    return {
        "id": row.profession_id,
        "slug": row.profession.slug,
        "name": row.profession.name,
        "level": row.level,
        "experience": row.experience,
        "rank": rules.rank(row.level),
    }


@may_lag(PLAYER, "player_id", ItemMovement)
def movements_page(*, player_id: int, limit: int, cursor: str | None = None) -> dict[str, Any]:
    """A page of the player's item movements, newest first. One query."""
    rows, following = keyset_page(
        ItemMovement.objects.filter(player_id=player_id).values(
            "id", "resource_id", "quantity", "reason", "reference", "created_at"
        ),
        order=["-id"],
        kinds=[int],
        cursor=cursor,
        limit=limit,
    )
    return {"movements": rows, "next": following}
