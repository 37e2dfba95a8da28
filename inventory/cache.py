"""What the inventory keeps in Redis."""

from collections.abc import Mapping
from typing import Any

from bcraftd import replicas
from bcraftd.cache import Entry, Hot, When, hot
from inventory.models import InventoryItem, PlayerProfession, Profession, Recipe, RecipeIngredient, Resource

INVENTORY = Entry(
    family="inventory",
    key="inventory:user:{player_id}",
    ttl="CACHE_USER_INVENTORY_TTL",
    generation=True,
    hot=(Hot("/api/inventory", private=True, source=True),),
)
KNOWN_RECIPES = Entry(
    family="recipes",
    key="recipes:user:{player_id}",
    ttl=300,
    variants=True,
    generation=True,
    hot=(Hot("/api/recipes/known", private=True, source=True),),
)
RESOURCES = Entry(
    family="catalogue",
    key="catalogue:resources",
    ttl=3600,
    variants=True,
    hot=(
        Hot("/api/resources", {"kind": hot.word(), "rarity": hot.word(), "gatherable": hot.flag()}, source=True),
        Hot("/api/resources/{id}"),
    ),
)
RECIPES = Entry(
    family="catalogue",
    key="catalogue:recipes",
    ttl=3600,
    variants=True,
    hot=(Hot("/api/recipes", {"profession_id": hot.digits()}, source=True), Hot("/api/recipes/{id}")),
)
PROFESSIONS = Entry(
    family="catalogue",
    key="catalogue:professions",
    ttl=3600,
    variants=True,
    hot=(Hot("/api/professions", source=True),),
)


def _holder(row: InventoryItem | PlayerProfession) -> list[Mapping[str, Any]]:
    return [{"player_id": row.player_id}]


def _one(row: Any) -> list[Mapping[str, Any]]:
    return [{}]


ENTRIES = [INVENTORY, KNOWN_RECIPES, RESOURCES, RECIPES, PROFESSIONS]
TABLE = [
    # Every inventory shows the resource's name: no list of keys, the whole family starts anew.
    When(Resource, INVENTORY, None),
    When(InventoryItem, INVENTORY, _holder),
    When(InventoryItem, KNOWN_RECIPES, _holder),
    When(PlayerProfession, KNOWN_RECIPES, _holder, columns=frozenset({"level", "player", "profession"})),
    When(Recipe, KNOWN_RECIPES, None),
    When(RecipeIngredient, KNOWN_RECIPES, None),
    When(Resource, RESOURCES, _one),
    When(Recipe, RECIPES, _one),
    When(RecipeIngredient, RECIPES, _one),
    When(Profession, PROFESSIONS, _one),
]
# A movement is written with each change of what is held.
LAGGING = [
    replicas.shown(InventoryItem, lambda item: [(replicas.PLAYER, item.player_id)]),
    replicas.shown(Resource, lambda resource: [(replicas.RESOURCE, resource.pk)]),
]
