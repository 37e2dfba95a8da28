"""What runs on its own, and when. Each app lists its schedules in its schedules.py; `migrate` brings the table in line.

Schedules are upserted by name: an operator's pause (repeats = 0) and the next run of an unchanged schedule stay.
"""

from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from django.apps import apps
from django.db import connections, transaction
from django_q.models import Schedule

# An arbitrary number that names the lock in the database: "schd" in ASCII.
LOCK = 0x73636864


@dataclass(frozen=True)
class Every:
    """A task by its dotted name, run every so many minutes."""

    name: str
    task: str
    minutes: int


def declared() -> list[Every]:
    """The SCHEDULES of every installed app that has any."""
    found: list[Every] = []
    for app in apps.get_app_configs():
        module = f"{app.name}.schedules"
        if app.name != "bcraftd" and not app.name.startswith("django") and find_spec(module):
            found += getattr(import_module(module), "SCHEDULES", [])
    return [*found, *SCHEDULES]


SCHEDULES = [
    Every(name="activity: write behind", task="bcraftd.tasks.activity_write", minutes=1),
    Every(name="economy: audit", task="bcraftd.tasks.economy_audit", minutes=60),
    Every(name="idempotency: sweep", task="bcraftd.tasks.idempotency_sweep", minutes=60),
]


def upsert(using: str = "default") -> int:
    """Writes the declared schedules. Returns how many were created or changed.

    Under a lock, because a name is not unique in django-q2's table and two hosts may migrate at once.
    """
    with transaction.atomic(using=using), connections[using].cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
        return _upsert(using)


def _upsert(using: str) -> int:
    changed = 0
    for wanted in declared():
        fields: dict[str, Any] = {"func": wanted.task, "schedule_type": Schedule.MINUTES, "minutes": wanted.minutes}
        row = Schedule.objects.using(using).filter(name=wanted.name).first()
        if row is None:
            Schedule.objects.using(using).create(name=wanted.name, **fields)
            changed += 1
        elif any(getattr(row, name) != value for name, value in fields.items()):
            for name, value in fields.items():
                setattr(row, name, value)
            row.save(using=using, update_fields=list(fields))
            changed += 1
    return changed


def after_migrate(sender: Any, using: str = "default", **rest: Any) -> None:
    """post_migrate's receiver. `migrate some_app` on a new database may run it before our tables exist."""
    if Schedule._meta.db_table in connections[using].introspection.table_names():
        upsert(using)
