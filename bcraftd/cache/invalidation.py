"""From changed rows to stale keys: collected inside the transaction, dropped once it has committed.

Django sends signals for save(), delete() and many-to-many changes. It sends none for update(), bulk_create()
and bulk_update(): a service that uses one of these calls `changed()` with the rows, in the same transaction.
"""

import threading
from collections.abc import Iterable, Mapping
from typing import Any

from django.db import transaction
from django.db.models import Model
from django.db.models.signals import post_delete, post_save

from bcraftd.cache import outbox, stats, store
from bcraftd.cache.entry import Entry, When, new_token

_table: dict[type[Model], list[When]] = {}
_entries: list[Entry] = []


class _Pending(threading.local):
    """What the running transaction made stale. What a rolled-back one leaves here is dropped with the next
    commit, which costs a miss and nothing else."""

    def __init__(self) -> None:
        self.keys: dict[str, str] = {}
        self.families: dict[str, str] = {}


_pending = _Pending()


def register(entries: Iterable[Entry], table: Iterable[When]) -> None:
    """Called by an app's ready(). Several apps may watch one model: rows are appended."""
    _entries.extend(entries)
    for row in table:
        if row.model not in _table:
            post_save.connect(_saved, sender=row.model, dispatch_uid=f"cache:{row.model._meta.label}")
            post_delete.connect(_deleted, sender=row.model, dispatch_uid=f"cache:{row.model._meta.label}")
        _table.setdefault(row.model, []).append(row)


def entries() -> list[Entry]:
    """Every declared entry."""
    return list(_entries)


def table() -> dict[type[Model], list[When]]:
    """Every declared row, by model."""
    return {model: list(rows) for model, rows in _table.items()}


def changed(rows: Iterable[Model], columns: Iterable[str] | None = None) -> None:
    """Says that rows of one or more models changed without a signal. `columns` None: any of them may have."""
    named = None if columns is None else frozenset(columns)
    for row in rows:
        _collect(row, named)


def drop(entry: Entry, params: Mapping[str, Any] | None = None) -> None:
    """Says that one key is stale for another reason than a row: it goes after the commit like any other."""
    _pending.keys[entry.name(params or {})] = entry.family
    transaction.on_commit(_drop, robust=True)


def _saved(
    sender: type[Model], instance: Model, created: bool, update_fields: frozenset[str] | None, **rest: Any
) -> None:
    _collect(instance, update_fields, created)


def _deleted(sender: type[Model], instance: Model, **rest: Any) -> None:
    _collect(instance, None)


def _collect(instance: Model, columns: frozenset[str] | None, created: bool = False) -> None:
    for row in _table.get(type(instance), ()):
        if created and not row.creation:
            continue
        if columns is not None and row.columns and not row.columns & columns:
            continue
        if row.keys is None:
            _pending.families[row.entry.generation_key] = row.entry.family
        else:
            for params in row.keys(instance):
                _pending.keys[row.entry.name(params)] = row.entry.family
    if _pending.keys or _pending.families:
        # Registered for each change: a hook registered inside a savepoint goes away with it.
        transaction.on_commit(_drop, robust=True)


def _drop() -> None:
    keys, families = _pending.keys, _pending.families
    if not keys and not families:
        return
    _pending.keys, _pending.families = {}, {}
    for family in [*keys.values(), *families.values()]:
        stats.count(family, "invalidations")
    generations = {name: new_token() for name in families}
    try:
        store.drop(keys, generations)
    except store.StoreDown:
        outbox.remember(keys, generations)
