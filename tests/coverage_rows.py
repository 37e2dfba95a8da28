"""Rows of every model that something cached shows, and other values for their columns: what the tests of coverage
write.

A model that comes to be watched needs a row in NEW; one whose columns only change together names them in TOGETHER.
"""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pgtrigger
from django.db.models import Field, ForeignKey, Model, QuerySet
from django.utils import timezone

from accounts.models import Player, PlayerSession
from environment.models import Season, Weather
from inventory.models import InventoryItem, PlayerProfession, Profession, Recipe, RecipeIngredient, Resource
from market.models import Listing, Trade

# Known before the row is there, so that the keys that it makes stale are known too.
NEW_ID = 1_000_000
ANOTHER_ID = 2_000_000


# --- The scene --------------------------------------------------------------------------------------------


def scene() -> None:
    """Beside the seeded catalogue: Hilda, who knows the recipes of the first trade that has some, holds something
    that they need, sells something and is signed in; and Ivo, who does nothing."""
    Player.objects.create(login="ivo", email="ivo@example.org")
    hilda = Player.objects.create(login="hilda", email="hilda@example.org")
    recipe = first_recipe()
    PlayerProfession.objects.create(player=hilda, profession=recipe.profession, slot=1, level=50)
    needed = recipe.ingredients.order_by("pk")[0].resource
    InventoryItem.objects.create(player=hilda, resource=_other(Resource, needed), quantity=3)
    Listing.objects.create(seller=hilda, resource=needed, quantity=9, remaining=5, unit_price=7)
    PlayerSession.objects.create(player=hilda, session_id="hildas", role="player", refresh_id="r")


def hilda() -> Player:
    return Player.objects.get(login="hilda")


def first_recipe() -> Recipe:
    return Recipe.objects.select_related("profession").order_by("pk")[0]


def _other(model: type[Model], row: Any) -> Any:
    """Another row of the same model than this one: the last."""
    return model._default_manager.exclude(pk=row.pk).order_by("-pk")[0]


# --- New rows ---------------------------------------------------------------------------------------------


def _player() -> Player:
    return Player(login="newcomer", email="newcomer@example.org")


def _session() -> PlayerSession:
    return PlayerSession(player=hilda(), session_id="opened", role="player", refresh_id="r")


def _weather() -> Weather:
    Weather.objects.update(is_active=False)
    return Weather(
        name="Glassy", gathering_multiplier=4, crafting_multiplier=4, duration_minutes=10_000, is_active=True,
    )  # fmt: skip


def _season() -> Season:
    Season.objects.all().delete()
    return Season(name="Yule", start_month=1, end_month=12, gathering_multiplier=4, crafting_multiplier=4)


def _profession() -> Profession:
    return Profession(slug="idler", name="Idler", kind="crafting")


def _resource() -> Resource:
    return Resource(slug="pebble", name="Pebble", kind="ore", rarity_id="common", base_value=2)


def _recipe() -> Recipe:
    recipe = first_recipe()
    return Recipe(slug="stack", name="Stack", output_resource=recipe.output_resource, profession=recipe.profession)


def _ingredient() -> RecipeIngredient:
    return RecipeIngredient(recipe=_saved(Recipe, ANOTHER_ID), resource=_saved(Resource, ANOTHER_ID), quantity=2)


def _item() -> InventoryItem:
    return InventoryItem(player=hilda(), resource=first_recipe().ingredients.order_by("pk")[0].resource, quantity=0)


def _practised() -> PlayerProfession:
    learned = first_recipe().profession
    other = Recipe.objects.exclude(profession=learned).order_by("required_level", "pk")[0].profession
    return PlayerProfession(player=hilda(), profession=other, slot=2)


def _listing() -> Listing:
    return Listing(
        seller=hilda(), resource=first_recipe().output_resource, quantity=9, remaining=5, unit_price=7,
        # The fixture of loaddata holds milliseconds, and the database lets this column stay only as it is.
        created_at=timezone.now().replace(microsecond=0),
    )  # fmt: skip


def _trade() -> Trade:
    sold = Listing.objects.get(seller=hilda())
    _saved(Listing, ANOTHER_ID)
    return Trade(
        listing=sold, buyer=_saved(Player, ANOTHER_ID), seller=hilda(), resource=sold.resource, quantity=1,
        unit_price=7, total_price=7, fee=0,
    )  # fmt: skip


# For each model a row that is not saved yet, of which something that is read shows all.
NEW: dict[type[Model], Callable[[], Model]] = {
    Player: _player,
    PlayerSession: _session,
    Weather: _weather,
    Season: _season,
    Profession: _profession,
    Resource: _resource,
    Recipe: _recipe,
    RecipeIngredient: _ingredient,
    InventoryItem: _item,
    PlayerProfession: _practised,
    Listing: _listing,
    Trade: _trade,
}


def new(model: type[Model], pk: int = NEW_ID) -> Any:
    """A row that is not saved yet, with its id."""
    assert model in NEW, f"{model._meta.label} is watched by the cache: tests.coverage_rows.NEW needs a row of it."
    row = NEW[model]()
    row.pk = pk
    return row


def _saved(model: type[Model], pk: int) -> Any:
    row = new(model, pk)
    row.save(force_insert=True)
    return row


def _signed_in(player: Player) -> None:
    PlayerSession.objects.get_or_create(player=player, session_id="newcomers", role="player", refresh_id="r")


def _sells(player: Player) -> None:
    made = first_recipe().output_resource
    Listing.objects.get_or_create(seller=player, resource=made, quantity=9, remaining=5, unit_price=7)


def _held_and_sold(resource: Resource) -> None:
    InventoryItem.objects.get_or_create(player=hilda(), resource=resource, quantity=2)
    Listing.objects.get_or_create(seller=hilda(), resource=resource, quantity=9, remaining=5, unit_price=7)


# What must stand beside a row for all that is read to show it: what goes with the row, and what holds it.
BESIDE: dict[type[Model], Callable[[Any], None]] = {Player: _signed_in}
HOLDING: dict[type[Model], Callable[[Any], None]] = {Player: _sells, Resource: _held_and_sold}


def put_beside(row: Model, *, alone: bool = False) -> None:
    """Everything that shows a row is there, where it is not yet; `alone`, what holds the row is left out."""
    for table in (BESIDE,) if alone else (BESIDE, HOLDING):
        if type(row) in table:
            table[type(row)](row)


def existing(model: type[Model], *, alone: bool = False) -> Any:
    """A saved row, which everything that is read of its model shows; `alone`, it may be deleted."""
    row = _saved(model, NEW_ID)
    put_beside(row, alone=alone)
    return model._base_manager.get(pk=row.pk)


def going_with_another(model: type[Model], field: "ForeignKey[Any, Any]") -> tuple[Any, Any]:
    """A saved row and the other one, which may be deleted and takes it along."""
    row = new(model)
    other = getattr(row, field.name)
    if other.pk != ANOTHER_ID:
        other = existing(field.related_model, alone=True)
        setattr(row, field.name, other)
    row.save()
    return row, other


# --- Other values -----------------------------------------------------------------------------------------


# Columns that the database lets change only together with others.
TOGETHER: dict[tuple[type[Model], str], Callable[[Any], dict[str, Any]]] = {
    (Resource, "gatherable"): lambda row: {
        "gatherable": not row.gatherable,
        "profession": None if row.gatherable else first_recipe().profession,
    },
    (Resource, "profession"): lambda row: {
        "gatherable": True,
        "profession": _other(Profession, row.profession or first_recipe().profession),
    },
    (Listing, "status"): lambda row: {"status": "cancelled", "closed_at": timezone.now()},
}


def other_values(row: Model, column: str) -> dict[str, Any]:
    """Another value of a column, and of those that change with it."""
    together = TOGETHER.get((type(row), column))
    if together is not None:
        return together(row)
    field: Any = row._meta.get_field(column)
    return {column: _another(field, getattr(row, column))}


def _another(field: "Field[Any, Any]", value: Any) -> Any:
    if isinstance(field, ForeignKey):
        return _other(field.related_model, value)
    if field.choices:
        return next(choice for choice, _ in field.flatchoices if choice != value)
    if isinstance(value, bool):
        return not value
    if isinstance(value, Decimal):
        return value / 2
    if isinstance(value, int):
        return value - 1 if value > 1 else value + 1
    if isinstance(value, datetime):
        return value - timedelta(minutes=1)
    assert isinstance(value, str), f"tests.coverage_rows knows no other value for {field}."
    return f"{value}-x"


def spellings(changes: dict[str, Any], model: type[Model]) -> Iterator[dict[str, Any]]:
    """The same changes by the names of fields and, where there are foreign keys, by those of their columns."""
    yield changes
    fields = {name: model._meta.get_field(name) for name in changes}
    if any(isinstance(field, ForeignKey) for field in fields.values()):
        yield {
            getattr(fields[name], "attname", name): getattr(value, "pk", value) if fields[name].is_relation else value
            for name, value in changes.items()
        }


def silently(model: type[Model]) -> "QuerySet[Any]":
    """The model's rows by Django's own queryset, of whose changes nobody hears."""
    return QuerySet(model)


def columns(model: type[Model]) -> list[str]:
    """Every column of a model but its id, by the name of its field."""
    return [field.name for field in model._meta.concrete_fields if not field.primary_key]


def fixed(model: type[Model]) -> frozenset[str]:
    """The columns that a trigger of the database keeps as they are, by the names of fields."""
    if "UPDATE" in protected(model):
        return frozenset(columns(model))
    found: set[str] = set()
    for trigger in getattr(model._meta, "triggers", ()):
        if isinstance(trigger, pgtrigger.ReadOnly):
            found.update(model._meta.get_field(name).name for name in trigger.fields or columns(model))
    return frozenset(found)


def protected(model: type[Model]) -> str:
    """The operations on rows that a trigger of the database refuses: "UPDATE OR DELETE", "" for none."""
    triggers = getattr(model._meta, "triggers", ())
    # ReadOnly is a Protect too, of columns.
    return " ".join(str(trigger.operation) for trigger in triggers if type(trigger) is pgtrigger.Protect)
