"""Models whose every change is heard of, whichever of Django's ways it goes.

Django sends signals for save() and delete(), none for update(), bulk_create() and bulk_update(), and the one for
a save() outside a transaction comes after the change can be seen. A tracked model says all of it, and always
inside the transaction. This module knows nobody who listens: the cache engine does.
"""

from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

import pgtrigger
from django.db import models, transaction
from django.db.models.signals import ModelSignal

M = TypeVar("M", bound=models.Model)

# Sent inside the transaction, before an update() and after a bulk_create(). `rows` are the changed rows: of an
# update() a lazy queryset of the rows as they were, which locks them when it is looked at; `columns` are the
# written ones; `created` tells the two apart.
rows_changed = ModelSignal()


class TrackedQuerySet(models.QuerySet[M]):
    """Says what Django's own does in silence. bulk_update() and update_or_create() go through these two."""

    def update(self, **values: Any) -> int:
        """As Django's. Where somebody looks at the rows they are locked first, in the order of their ids."""
        if self.query.is_sliced or not rows_changed.has_listeners(self.model):
            return super().update(**values)
        with transaction.atomic(using=self.db, savepoint=False):
            rows = self._to_be_changed()
            rows_changed.send(sender=self.model, rows=rows, columns=frozenset(values), created=False)
            seen = rows._result_cache
            # What has come to match in the meantime was seen by nobody, and so is not changed either.
            target = self if seen is None else self.order_by().filter(pk__in=[row.pk for row in seen])
            return super(TrackedQuerySet, target).update(**values)

    update.alters_data = True  # type: ignore[attr-defined]

    def _to_be_changed(self) -> "models.QuerySet[Any]":
        manager = self.model._base_manager.using(self.db)
        return manager.filter(pk__in=self.order_by().values("pk")).order_by("pk").select_for_update(no_key=True)

    def bulk_create(self, objs: Iterable[M], *args: Any, **options: Any) -> list[M]:
        """As Django's."""
        with transaction.atomic(using=self.db, savepoint=False):
            made = super().bulk_create(objs, *args, **options)
            # Rows that were there already (update_conflicts) have been updated.
            created = not options.get("update_conflicts")
            rows_changed.send(sender=self.model, rows=made, columns=None, created=created)
            return made

    bulk_create.alters_data = True  # type: ignore[attr-defined]


TrackedManager = models.Manager.from_queryset(TrackedQuerySet)


class Tracked(models.Model):
    """The base of every model that something cached shows (bcraftd.E005)."""

    objects = TrackedManager()

    class Meta:
        abstract = True
        # What a related manager's add() and set() write through, which Django does by an update() of its own.
        base_manager_name = "objects"

    def save(self, *args: Any, **options: Any) -> None:
        """As Django's, in a transaction of its own where there is none: signals then come before the commit."""
        with transaction.atomic(using=options.get("using"), savepoint=False):
            super().save(*args, **options)


# What the project's own connections say of themselves (settings.DATABASES); psql says nothing.
INSIDE = "project"
_IS_OUTSIDE = f"current_setting('bcraftd.writer', true) IS DISTINCT FROM '{INSIDE}'"

_NOTE_ROWS = """
IF TG_OP <> 'INSERT' THEN
    INSERT INTO bcraftd_outboxrow (table_name, changed) VALUES (TG_TABLE_NAME, to_jsonb(OLD) - 'password');
END IF;
IF TG_OP <> 'DELETE' THEN
    INSERT INTO bcraftd_outboxrow (table_name, changed) VALUES (TG_TABLE_NAME, to_jsonb(NEW) - 'password');
END IF;
RETURN NULL;
"""
# The same condition stands in the function, since a trigger of TRUNCATE takes none.
_NOTE_ALL = """
IF current_setting('bcraftd.writer', true) IS DISTINCT FROM 'project' THEN
    EXECUTE format(
        'INSERT INTO bcraftd_outboxrow (table_name, changed) SELECT %L, to_jsonb(row) - ''password'' FROM %I.%I AS row',
        TG_TABLE_NAME, TG_TABLE_SCHEMA, TG_TABLE_NAME
    );
END IF;
RETURN NULL;
"""


def outside_triggers() -> Sequence[pgtrigger.Trigger]:
    """Triggers of a tracked model: a change by anybody but the project's own connections goes into the outbox, as the
    row was and as it is. The relay finds out which keys that makes stale."""
    return [
        pgtrigger.Trigger(
            name="outside_change",
            when=pgtrigger.After,
            operation=pgtrigger.Insert | pgtrigger.Update | pgtrigger.Delete,
            condition=pgtrigger.Condition(_IS_OUTSIDE),
            func=_NOTE_ROWS,
        ),
        # Rows that are gone cannot be asked afterwards.
        pgtrigger.Trigger(
            name="outside_truncate",
            level=pgtrigger.Statement,
            when=pgtrigger.Before,
            operation=pgtrigger.Truncate,
            func=_NOTE_ALL,
        ),
    ]
