"""From changed rows to stale keys: collected inside the transaction, fenced before its commit, dropped after it.

A fence is a mark of one writer at each key: while it stands nobody may fill, and readers go to PostgreSQL. A process
that is killed between its commit and its drop leaves the mark, which ends by itself.
"""

import secrets
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from django.db import Error, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Model
from django.db.models.signals import m2m_changed, post_delete, post_save, pre_delete

from bcraftd.cache import stats, steps, store, term
from bcraftd.cache.entry import Entry, When
from bcraftd.postgresql.base import CommitUnknown, around_commit
from bcraftd.tracked import rows_changed

_table: dict[type[Model], list[When]] = {}
_entries: list[Entry] = []


# --- What the apps declare --------------------------------------------------------------------------------


def register(entries: Iterable[Entry], table: Iterable[When]) -> None:
    """Called by an app's ready(). Several apps may watch one model: rows are appended."""
    _entries.extend(entries)
    for row in table:
        if row.model not in _table:
            _listen(row.model)
        _table.setdefault(row.model, []).append(row)


def _listen(model: type[Model]) -> None:
    name = f"cache:{model._meta.label}"
    post_save.connect(_saved, sender=model, dispatch_uid=name)
    post_delete.connect(_deleted, sender=model, dispatch_uid=name)
    rows_changed.connect(_rows_changed, sender=model, dispatch_uid=name)
    for field in model._meta.many_to_many:
        uid = f"{name}.{field.name}"
        m2m_changed.connect(_related, sender=field.remote_field.through, dispatch_uid=uid)
        # Django takes the rows between away without a word.
        gone = partial(_related_goes, model, field.name)
        pre_delete.connect(gone, sender=field.remote_field.model, weak=False, dispatch_uid=uid)


def entries() -> list[Entry]:
    """Every declared entry."""
    return list(_entries)


def table() -> dict[type[Model], list[When]]:
    """Every declared row, by model."""
    return {model: list(rows) for model, rows in _table.items()}


# --- Collecting, inside the transaction -------------------------------------------------------------------


@dataclass
class Stale:
    """Names of keys with their families, as a hook of transaction.on_commit: Django forgets it where its savepoint is
    rolled back. A family that is stale as a whole is there with the key of its generation."""

    names: dict[str, str]
    mark: str = ""
    fenced: bool = False
    # The id of its row, 0 for none.
    in_outbox: int = 0

    def __call__(self) -> None:
        """After the commit: drops."""
        steps.at("committed")
        for family in self.names.values():
            stats.count(family, "invalidations")
        if not steps.is_on("drop"):
            return
        try:
            store.drop(self.names, self.mark)
        except store.StoreDown as error:
            # Also behind a fence: Redis may have lost it (FLUSHALL), and a reader may have filled before the commit.
            self._owe(error)
        if self.in_outbox and store.server.by_term:
            term.settle(self.in_outbox)
        steps.at("dropped")

    def _owe(self, error: store.StoreDown) -> None:
        """Sees that this process serves nothing from Redis before the outbox, which has it, has been replayed."""
        from bcraftd.cache import outbox

        try:
            if not self.in_outbox:
                # The commit is over, or there was none: a row of its own.
                self.in_outbox = outbox.write(self.names, transaction.get_connection(), self.mark)
        finally:
            store.breaker.trip(error, put_off=False)


def changed(rows: Iterable[Model], columns: Iterable[str] | None = None) -> None:
    """Says that rows of one or more models changed by raw SQL. `columns` None: any of them may have."""
    named = None if columns is None else frozenset(columns)
    for row in rows:
        _collect(row, named)


def drop(entry: Entry, params: Mapping[str, Any] | None = None) -> None:
    """Says that one key is stale for another reason than a row: it is fenced and dropped like any other."""
    transaction.on_commit(Stale({entry.name(params or {}): entry.family}), robust=True)


def names_of(instance: Model, columns: frozenset[str] | None = None, created: bool = False) -> dict[str, str]:
    """The keys that a changed row makes stale, each with its family."""
    names: dict[str, str] = {}
    for row in _rows(type(instance), columns, created):
        if row.keys is None:
            names[row.entry.generation_key] = row.entry.family
        else:
            names.update((row.entry.name(params), row.entry.family) for params in row.keys(instance))
    return names


def _rows(model: type[Model], columns: frozenset[str] | None, created: bool) -> list[When]:
    """The rows of the table that such a change concerns."""
    # A foreign key may be written by the name of its field or of its column: `player` or `player_id`.
    named = None if columns is None else {model._meta.get_field(column).name for column in columns}
    return [
        row
        for row in _table.get(model, ())
        if (row.creation or not created) and (named is None or not row.columns or row.columns & named)
    ]


def _collect(instance: Model, columns: frozenset[str] | None, created: bool = False) -> None:
    names = names_of(instance, columns, created)
    if names:
        transaction.on_commit(Stale(names), robust=True)


def _saved(
    sender: type[Model], instance: Model, created: bool, update_fields: frozenset[str] | None, **rest: Any
) -> None:
    _collect(instance, update_fields, created)


def _deleted(sender: type[Model], instance: Model, **rest: Any) -> None:
    _collect(instance, None)


def _rows_changed(
    sender: type[Model], rows: Iterable[Model], columns: frozenset[str] | None, created: bool, **rest: Any
) -> None:
    # The rows are looked at, and thereby locked, only where something shows what changes.
    if _rows(sender, columns, created):
        names: dict[str, str] = {}
        for instance in rows:
            names.update(names_of(instance, columns, created))
        if names:
            transaction.on_commit(Stale(names), robust=True)


def _related(
    sender: type[Model], instance: Model, action: str, reverse: bool, model: type[Model], pk_set: Any, **rest: Any
) -> None:
    """A many-to-many change counts as one of the column, in the rows that declare it. What is cleared from the other
    side is known only before."""
    if not action.startswith("post_") and not (action == "pre_clear" and reverse):
        return
    owner = model if reverse else type(instance)
    field = next(field for field in owner._meta.many_to_many if field.remote_field.through is sender)
    if not reverse:
        rows: Iterable[Model] = [instance]
    elif pk_set is None:
        rows = owner._base_manager.filter(**{field.name: instance})
    else:
        rows = owner._base_manager.filter(pk__in=pk_set)
    changed(rows, {field.name})


def _related_goes(model: type[Model], column: str, instance: Model, **rest: Any) -> None:
    """The other side of a many-to-many relation is about to be deleted, and its rows in between with it."""
    if _rows(model, frozenset({column}), False):
        changed(model._base_manager.filter(**{column: instance}), {column})


# --- Around the commit ------------------------------------------------------------------------------------


@contextmanager
def fenced(connection: BaseDatabaseWrapper) -> Iterator[None]:
    """Stands around the commit of a transaction: fences what it has made stale, or leaves that in the outbox.

    One round trip to Redis, however many keys there are; the drop afterwards is the second.
    """
    stale = _gather(connection)
    if stale is None:
        yield
        return
    _fence(stale, connection)
    steps.at("fenced")
    try:
        yield
    except Error as error:
        if stale.fenced and not isinstance(error, CommitUnknown):
            _lift(stale)
        raise


def _gather(connection: BaseDatabaseWrapper) -> Stale | None:
    """Everything that the transaction made stale as one hook, before all others: they may read what it drops."""
    # Django's list of (savepoints, hook, robust).
    hooks: list[Any] = connection.run_on_commit
    names: dict[str, str] = {}
    for _, hook, _ in hooks:
        if isinstance(hook, Stale):
            names.update(hook.names)
    if not names:
        return None
    stale = Stale(names)
    hooks[:] = [(set(), stale, True), *(each for each in hooks if not isinstance(each[1], Stale))]
    return stale


def _fence(stale: Stale, connection: BaseDatabaseWrapper) -> None:
    from bcraftd.cache import outbox

    steps.at("fence")
    if not steps.is_on("fence"):
        return
    try:
        # An open breaker means the outbox at once: a writer neither waits for Redis nor probes it.
        if store.breaker.is_open:
            raise store.StoreDown("the breaker is open")
        stale.mark = secrets.token_hex(8)
        asked = store.server.identity
        store.fence(stale.names, stale.mark)
        if store.server.by_term:
            term.enter(connection, asked)
        stale.fenced = True
    except store.StoreDown:
        stale.in_outbox = outbox.write(stale.names, connection, stale.mark)


def _lift(stale: Stale) -> None:
    """The transaction has no effect: its own mark goes. One that Redis does not take away ends by itself."""
    try:
        store.lift(stale.names, stale.mark)
    except store.StoreDown:
        return


around_commit.append(fenced)
