"""Every pair of what is cached and a way to write what it shows: nothing bypasses the cache.

The pairs are made from what the apps declare, so that a new entry or model is in here by itself; one that these tests
cannot write fails with a sentence. For each pair, values stand in Redis, the row is written for real, and then

- what the pair makes stale was gone before the commit and was dropped after it, in two round trips in all,
- what is read of the family then is what PostgreSQL says now.

A way that the database refuses is refused; a declaration that a new row makes nothing stale is held to.
"""

from collections.abc import Callable
from dataclasses import dataclass
from io import StringIO
from typing import Any
from unittest.mock import patch

import pytest
from django.core import serializers
from django.core.management import call_command
from django.db import DatabaseError
from django.db.models import CASCADE, PROTECT, RESTRICT, ForeignKey, Model, ProtectedError, RestrictedError

from bcraftd.cache import Entry, When, audit, invalidation
from inventory.models import InventoryItem, Resource
from market.cache import LISTINGS
from market.models import Trade
from tests import coverage_reads as reads
from tests import coverage_rows as rows
from tests.support import redis_commands

Changes = dict[str, Any]
Pair = tuple[type[Model], When]


# --- The ways ---------------------------------------------------------------------------------------------


def _assign(row: Any, changes: Changes) -> Any:
    for name, value in changes.items():
        setattr(row, name, value)
    return row


def _loaddata(row: Any) -> None:
    with patch("sys.stdin", StringIO(serializers.serialize("json", [row]))):
        call_command("loaddata", "-", format="json", verbosity=0)


def _upsert(row: Any, changes: Changes) -> None:
    type(row)._default_manager.bulk_create(
        [_assign(row, changes)], update_conflicts=True, unique_fields=["id"], update_fields=list(changes)
    )


UPDATES: dict[str, Callable[[Any, Changes], object]] = {
    "save": lambda row, changes: _assign(row, changes).save(),
    "save of columns": lambda row, changes: _assign(row, changes).save(update_fields=list(changes)),
    "update": lambda row, changes: type(row)._default_manager.filter(pk=row.pk).update(**changes),
    "bulk_update": lambda row, changes: type(row)._default_manager.bulk_update([_assign(row, changes)], list(changes)),
    "update_or_create": lambda row, changes: type(row)._default_manager.update_or_create(pk=row.pk, defaults=changes),
    "bulk_create over it": _upsert,
    "loaddata": lambda row, changes: _loaddata(_assign(row, changes)),
}


def _values(row: Any) -> Changes:
    return {field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields}


CREATIONS: dict[str, Callable[[Any], object]] = {
    "save": lambda row: row.save(),
    "create": lambda row: type(row)._default_manager.create(**_values(row)),
    "bulk_create": lambda row: type(row)._default_manager.bulk_create([row]),
    "update_or_create": lambda row: type(row)._default_manager.update_or_create(pk=row.pk, defaults=_values(row)),
    "loaddata": _loaddata,
}

DELETIONS: dict[str, Callable[[Any], object]] = {
    "delete": lambda row: row.delete(),
    "delete of a queryset": lambda row: type(row)._default_manager.filter(pk=row.pk).delete(),
}

PAIRS: list[Pair] = [(model, row) for model, table in invalidation.table().items() for row in table]


def _id(value: Any) -> str:
    if isinstance(value, tuple):
        return f"{value[0]._meta.label}-{value[1].entry.key}"
    if isinstance(value, type):
        return value.__name__
    return value.name if isinstance(value, ForeignKey) else str(value).replace(" ", "_")


def each(*, pairs: list[Any] = PAIRS, **ways: Any) -> pytest.MarkDecorator:
    """Parametrises a test with every pair and, where there are any, every way."""
    (name, found), *_ = [*ways.items(), ("", [None])]
    if not name:
        return pytest.mark.parametrize("pair", pairs, ids=_id)
    values = [(pair, way) for pair in pairs for way in found]
    return pytest.mark.parametrize(("pair", name), values, ids=[f"{_id(pair)}-{_id(way)}" for pair, way in values])


@pytest.fixture(autouse=True)
def _scene(world: None) -> None:
    rows.scene()
    reads.scripts_are_known()


def marked(when: When, row: Any) -> list[reads.Marker]:
    """Markers under what a change of this row makes stale."""
    return reads.markers(when.entry, None if when.keys is None else list(when.keys(row)))


def watched(when: When, model: type[Model]) -> list[str]:
    """The columns of which a change makes the entry stale."""
    return sorted(when.columns) or rows.columns(model)


# --- Rows that change -------------------------------------------------------------------------------------


@each(way=list(UPDATES))
def test_a_change_of_any_column_is_never_served_from_before(pair: Pair, way: str) -> None:
    model, when = pair
    pk = rows.existing(model).pk
    reads.read_all([when.entry])
    for column in watched(when, model):
        if column in rows.fixed(model):
            continue
        changes = rows.other_values(model._base_manager.get(pk=pk), column)
        for spelled in rows.spellings(changes, model):
            row = model._base_manager.get(pk=pk)
            rows.put_beside(row)
            with reads.drops(marked(when, row)):
                UPDATES[way](row, spelled)
    assert reads.stale(when.entry.family) == []


@pytest.mark.parametrize("model", invalidation.table(), ids=_id)
def test_a_column_that_the_database_keeps_as_it_is_is_refused_another_value(model: type[Model]) -> None:
    row = rows.existing(model)
    for column in rows.fixed(model):
        for way, write in UPDATES.items():
            changes = rows.other_values(model._base_manager.get(pk=row.pk), column)
            with pytest.raises(DatabaseError):
                write(model._base_manager.get(pk=row.pk), changes)
            assert getattr(model._base_manager.get(pk=row.pk), column) == getattr(row, column), (column, way)


def _foreign_keys() -> list[tuple[Pair, "ForeignKey[Any, Any]"]]:
    return [
        ((model, when), field)
        for model, when in PAIRS
        for field in model._meta.concrete_fields
        if isinstance(field, ForeignKey) and field.name in watched(when, model) and field.name not in rows.fixed(model)
    ]


@pytest.mark.parametrize(("pair", "field"), _foreign_keys(), ids=_id)
def test_a_row_that_is_put_among_anothers_is_a_change_of_its_column(pair: Pair, field: "ForeignKey[Any, Any]") -> None:
    """`recipe.ingredients.add(row)`, which `.set([...])` goes through too."""
    model, when = pair
    row = rows.existing(model)
    # What changes with the column is right before: the first change is of all, the second of the column alone.
    model._default_manager.filter(pk=row.pk).update(**rows.other_values(row, field.name))
    row = model._base_manager.get(pk=row.pk)
    other = rows.other_values(row, field.name)[field.name]
    reads.read_all([when.entry])

    with reads.drops(marked(when, row)):
        getattr(other, field.remote_field.get_accessor_name() or "").add(row)

    assert getattr(model._base_manager.get(pk=row.pk), field.name) == other
    assert reads.stale(when.entry.family) == []


# --- Rows that come to be ---------------------------------------------------------------------------------


@each(way=list(CREATIONS))
def test_a_new_row_is_seen_at_once(pair: Pair, way: str) -> None:
    model, when = pair
    row = rows.new(model)
    reads.read_all([when.entry])

    if when.creation:
        with reads.drops(marked(when, row)):
            CREATIONS[way](row)
    else:
        # Declared so: nothing can show the row before it is there. Nobody has to go to Redis for it.
        with redis_commands() as commands:
            CREATIONS[way](row)
        assert commands == []
        assert list(model._base_manager.filter(pk=row.pk)) == [row]
    assert reads.stale(when.entry.family) == []


# --- Rows that go -----------------------------------------------------------------------------------------


@each(way=list(DELETIONS))
def test_a_deleted_row_is_gone_at_once(pair: Pair, way: str) -> None:
    model, when = pair
    row = rows.existing(model, alone=True)
    reads.read_all([when.entry])

    if "DELETE" in rows.protected(model):
        with pytest.raises(DatabaseError):
            DELETIONS[way](row)
    else:
        with reads.drops(marked(when, row)):
            DELETIONS[way](row)
        assert not model._base_manager.filter(pk=row.pk).exists()
    assert reads.stale(when.entry.family) == []


def _relations(*kinds: Any) -> list[tuple[Pair, "ForeignKey[Any, Any]"]]:
    return [
        ((model, when), field)
        for model, when in PAIRS
        for field in model._meta.concrete_fields
        if isinstance(field, ForeignKey) and field.remote_field.on_delete in kinds
    ]


@pytest.mark.parametrize("way", list(DELETIONS))
@pytest.mark.parametrize(("pair", "field"), _relations(CASCADE), ids=_id)
def test_a_row_that_goes_with_another_is_gone_at_once(pair: Pair, field: "ForeignKey[Any, Any]", way: str) -> None:
    model, when = pair
    row, other = rows.going_with_another(model, field)
    reads.read_all([when.entry])

    with reads.drops(marked(when, row)):
        DELETIONS[way](other)

    assert not model._base_manager.filter(pk=row.pk).exists()
    assert reads.stale(when.entry.family) == []


@pytest.mark.parametrize("model", invalidation.table(), ids=_id)
def test_a_row_that_would_lose_another_one_holds_it(model: type[Model]) -> None:
    row = rows.existing(model)
    for field in {field for pair, field in _relations(PROTECT, RESTRICT) if pair[0] is model}:
        other = getattr(row, field.name)
        for write in DELETIONS.values() if other is not None else ():
            with pytest.raises((ProtectedError, RestrictedError)):
                write(other)


def test_no_watched_row_has_a_column_emptied_where_another_row_goes() -> None:
    """SET_NULL and its like change rows by Django's own queryset, of which nobody hears."""
    for model in invalidation.table():
        for field in model._meta.concrete_fields:
            if isinstance(field, ForeignKey):
                assert field.remote_field.on_delete in (CASCADE, PROTECT, RESTRICT), (
                    f"{field}: let the row go (CASCADE) or hold the other one (PROTECT)."
                )


# --- Whether the tests would notice -----------------------------------------------------------------------


@dataclass(frozen=True)
class Needless:
    """A row of an app's table that makes nothing stale by itself."""

    reason: str


# Beside each change of them stands another one that does.
NEEDLESS: dict[tuple[type[Model], Entry], Needless] = {
    (Trade, LISTINGS): Needless("No page shows a trade; each comes with a change of its listing.")
}


@each()
def test_without_the_invalidation_the_same_writes_leave_something_stale(pair: Pair) -> None:
    model, when = pair
    row = rows.new(model) if rows.columns(model) == sorted(rows.fixed(model)) else rows.existing(model)
    reads.read_all([when.entry])
    with reads.nothing_invalidates():
        if row._state.adding:
            row.save()
        for column in watched(when, model):
            if column not in rows.fixed(model):
                row = model._base_manager.get(pk=row.pk)
                model._default_manager.filter(pk=row.pk).update(**rows.other_values(row, column))

    found = [each["key"] for each in reads.stale(when.entry.family)]
    if (model, when.entry) in NEEDLESS:
        assert found == [], NEEDLESS[model, when.entry].reason
    else:
        assert [key for key in found if audit.parameters_of(when.entry, key) is not None]


def test_a_change_of_many_rows_makes_two_round_trips_too() -> None:
    hilda = rows.hilda()
    InventoryItem.objects.bulk_create(
        InventoryItem(player=hilda, resource=resource, quantity=1)
        for resource in Resource.objects.exclude(inventoryitem__player=hilda)
    )
    held = InventoryItem.objects.filter(player=hilda)
    assert held.count() > 50
    when = next(row for model, row in PAIRS if model is InventoryItem)
    reads.read_all([when.entry])
    with reads.drops(marked(when, held[0])):
        held.update(quantity=4)
    assert reads.stale(when.entry.family) == []
