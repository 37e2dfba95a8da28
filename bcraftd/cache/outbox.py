"""Invalidations that Redis has not taken: rows in PostgreSQL, written in the very transaction that they belong to.

A write that could not be fenced leaves a row. So does a change from outside the project, by a trigger (see
bcraftd.tracked). Replaying a row drops its keys and then deletes it; doing it twice, or by two processes at once, does
no harm. Who reconnects replays before it serves anything from Redis again (store.recovery), and a relay in every
process that serves or works looks every RELAY_SECONDS.
"""

import json
import logging
import os
import threading
from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.apps import apps
from django.db import DatabaseError, InterfaceError, connection, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Model

from bcraftd.cache import invalidation, stats, store, term
from bcraftd.models import OutboxRow

log = logging.getLogger(__name__)

RELAY_SECONDS = 1.0
# Rows that one round of a replay takes: their keys go in one call.
BATCH = 500

# While Redis is away for hours the outbox grows by a row for each write. Whoever asks for its depth, a scrape above
# all, reads no more of it than this: that it is deep is then said well enough.
COUNTED = 10_000

_DEPTHS = """
    SELECT value, count(*) FROM (SELECT names FROM bcraftd_outboxrow ORDER BY id LIMIT %s) AS first,
    jsonb_each_text(names) GROUP BY value
"""
_OUTSIDE = """
    SELECT table_name, count(*) FROM (SELECT table_name FROM bcraftd_outboxrow ORDER BY id LIMIT %s) AS first
    WHERE table_name <> '' GROUP BY table_name
"""
_INSERT = "INSERT INTO bcraftd_outboxrow (names, mark) VALUES (%s, %s) RETURNING id"


def write(names: Mapping[str, str], using: BaseDatabaseWrapper, mark: str = "") -> int:
    """Leaves key names (each with its family) to be dropped, in the connection's running transaction. Returns the row's
    id.

    `mark` is that of a fence which timed out: it may lie in the socket of a Redis that hangs, and be set when it goes
    on.
    """
    with using.cursor() as cursor:
        cursor.execute(_INSERT, [json.dumps(dict(names)), mark])
        row_id: int = cursor.fetchone()[0]
    stats.count(stats.REDIS, "not_fenced")
    log.warning("Redis did not take an invalidation; it is in the outbox", extra={"keys": len(names)})
    return row_id


def depth() -> int:
    """How many rows wait. One query."""
    return OutboxRow.objects.count()


def oldest() -> datetime | None:
    """When the row was written that has waited longest, None where none waits. One query, by the primary key."""
    return OutboxRow.objects.order_by("pk").values_list("created_at", flat=True).first()


def depth_by_family() -> dict[str, int]:
    """How many keys of the first COUNTED rows wait, by family; a row from outside counts once for each family that
    shows it. Two queries."""
    waiting: Counter[str] = Counter()
    with connection.cursor() as cursor:
        cursor.execute(_DEPTHS, [COUNTED])
        waiting.update(dict(cursor.fetchall()))
        cursor.execute(_OUTSIDE, [COUNTED])
        outside = cursor.fetchall()
    shown = {model._meta.db_table: rows for model, rows in invalidation.table().items()}
    for table, number in outside:
        waiting.update(dict.fromkeys((row.entry.family for row in shown.get(table, ())), number))
    return dict(waiting)


def replay() -> int:
    """Drops what every row names and deletes the rows. Returns how many. Raises StoreDown where Redis fails.

    Where Sentinels watch, rows stay that have been dropped at a Redis which is not the one that counts.
    """
    done = 0
    while rows := list(OutboxRow.objects.order_by("pk")[:BATCH]):
        names: dict[str, str] = {}
        for row in rows:
            names.update(names_of(row))
        asked = store.server.identity
        store.drop(names, *(row.mark for row in rows if row.mark), always=True)
        if not _forget(rows, asked):
            break
        for family in names.values():
            stats.count(family, "invalidations")
        stats.count(stats.REDIS, "replayed", len(rows))
        done += len(rows)
    return done


def _forget(rows: list[OutboxRow], identity: str) -> bool:
    with transaction.atomic():
        if store.server.by_term and not term.counts(identity):
            return False
        OutboxRow.objects.filter(pk__in=[row.pk for row in rows]).delete()
    return True


def names_of(row: OutboxRow) -> dict[str, str]:
    """The keys that a row is about, each with its family."""
    if not row.table_name:
        return dict(row.names)
    model = _models().get(row.table_name)
    if model is None or row.changed is None:
        log.error("an outbox row of a table that nothing cached shows", extra={"table": row.table_name})
        return {}
    return invalidation.names_of(_instance(model, row.changed))


def _models() -> dict[str, type[Model]]:
    return {model._meta.db_table: model for model in apps.get_models()}


def _instance(model: type[Model], columns: Mapping[str, Any]) -> Model:
    """A row as PostgreSQL wrote it to JSON, as an instance. What is missing is left at its default."""
    fields = {field.column: field for field in model._meta.concrete_fields}
    return model(**{fields[name].attname: fields[name].to_python(value) for name, value in columns.items()})


# --- The relay --------------------------------------------------------------------------------------------

_relay_in = 0
_stop = threading.Event()


def relay_start() -> None:
    """Starts this process's relay, once. To be called by what serves the API and by what runs the schedules."""
    global _relay_in
    if _relay_in != os.getpid():
        _relay_in = os.getpid()
        threading.Thread(target=_relay, name="bcraftd-outbox-relay", daemon=True).start()


def _relay() -> None:
    while not _stop.wait(term.LOOK if store.server.by_term else RELAY_SECONDS):
        relay_once()


def relay_once() -> None:
    """One look. A database or a Redis that is away is tried again at the next one."""
    try:
        connection.close_if_unusable_or_obsolete()
        if store.recovered():
            replay()
    except store.StoreDown as error:
        log.warning("the outbox waits for Redis: %s", error)
    except (DatabaseError, InterfaceError) as error:
        log.warning("the outbox cannot be read: %s", error)
        connection.close()
    except Exception:
        log.exception("the outbox could not be replayed")


store.recovery.append(replay)
if store.server.by_term:
    store.recovery.append(term.obtain)
