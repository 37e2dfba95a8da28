"""The worker, its schedules, and what they keep true."""

from datetime import timedelta

from django.utils import timezone
from django_q.models import OrmQ, Schedule, Task
from django_q.status import Stat

from bcraftd import operations, schedules
from bcraftd.doctor import Finding, fault, ok, warning
from bcraftd.models import BackupRun, EconomyAudit
from leaderboard import selectors

START = "Start one: `manage.py qcluster` (`docker compose up -d worker`, or `make up`)."
# Twice its schedule and a little.
AUDIT_OLD = timedelta(hours=2, minutes=15)
BOARD_OLD = timedelta(minutes=15)
QUEUE_LONG = 100
# Twice an hour and a little, where they are made by the hour.
BACKUP_OLD = timedelta(hours=2, minutes=15)


def worker() -> Finding:
    """Whether somebody runs tasks. django-q2's clusters say so in Redis every second or so."""
    alive = Stat.get_all()
    if alive:
        return ok(f"{len(alive)} alive.")
    return fault("No worker runs: listings, the leaderboard and the audit stand still.", START)


def schedule_table() -> Finding:
    """Whether every schedule is there, and none is late or paused."""
    rows = {row.name: row for row in Schedule.objects.all()}
    missing = [wanted.name for wanted in schedules.declared() if wanted.name not in rows]
    if missing:
        return fault(f"Missing: {', '.join(missing)}.", "manage.py migrate, which writes them again.")
    late = timezone.now() - operations.OVERDUE
    overdue = [name for name, row in rows.items() if row.repeats and row.next_run and row.next_run < late]
    if overdue:
        return fault(f"Overdue: {', '.join(sorted(overdue))}.", f"The worker is away or busy. {START}")
    paused = [name for name, row in rows.items() if not row.repeats]
    if paused:
        return warning(f"Paused: {', '.join(sorted(paused))}.", "Set their repeats to -1 in the admin, Schedules.")
    return ok(f"{len(rows)} schedules, none late.")


def tasks() -> Finding:
    """Whether what ran last of each schedule went well."""
    last = [row.task for row in Schedule.objects.exclude(task=None)]
    failed = Task.objects.filter(id__in=last, success=False).order_by("func").values_list("func", flat=True)
    if names := sorted(set(failed)):
        return fault(
            f"Failed the last time: {', '.join(names)}.",
            "The admin's Failed tasks have the error; Run now under Schedules tries again.",
        )
    return ok("What ran last went well.")


def queue() -> Finding:
    """Whether tasks pile up."""
    waiting = OrmQ.objects.count()
    if waiting > QUEUE_LONG:
        return warning(f"{waiting} tasks wait.", f"More workers (QCLUSTER_WORKERS), or: {START}")
    return ok(f"{waiting} tasks wait.")


def economy() -> Finding:
    """What the newest audit found, and how old it is."""
    newest = EconomyAudit.objects.order_by("-pk").first()
    if newest is None:
        return ok("Not audited yet; the schedule does it within the hour.")
    if not newest.ok:
        first = newest.problems[0]["detail"] if newest.problems else ""
        return fault(
            f"{newest.problem_count} problems, the first: {first}",
            "manage.py economy_audit names each; docs/economy.md says what to do about which.",
        )
    if timezone.now() - newest.started_at > AUDIT_OLD:
        return warning(f"The newest audit is of {newest.started_at:%Y-%m-%d %H:%M} UTC.", "manage.py economy_audit")
    return ok(f"Coins and items are whole, as of {newest.started_at:%H:%M} UTC.")


def leaderboard() -> Finding:
    """How old the board is."""
    as_of = selectors.board_as_of()
    if as_of is None:
        return ok("Nobody is on it yet.")
    if timezone.now() - as_of > BOARD_OLD:
        return warning(f"It is of {as_of:%Y-%m-%d %H:%M} UTC.", "manage.py leaderboard_refresh")
    return ok(f"It is of {as_of:%H:%M} UTC.")


def backups() -> Finding:
    """How the newest backup went, and how old the newest good one is."""
    newest = BackupRun.objects.order_by("-pk").first()
    if newest is None:
        return ok("None was made yet: docs/backups.md has how.")
    if not newest.ok:
        return fault(f"The newest failed: {newest.detail}", "Mend what it names, then: manage.py backup DIR")
    if timezone.now() - newest.started_at > BACKUP_OLD:
        return warning(
            f"The newest is of {newest.started_at:%Y-%m-%d %H:%M} UTC.",
            "Start what makes them (`docker compose up -d backup`), or: manage.py backup DIR",
        )
    return ok(f"The newest is of {newest.started_at:%H:%M} UTC.")
