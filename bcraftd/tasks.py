"""What django-q2 runs for the project as a whole."""

from bcraftd import economy, idempotency
from bcraftd.cache import behind


def activity_write() -> dict[str, int]:
    """Moves what was gathered in Redis (last seen, listing views) to PostgreSQL. Returns rows changed by key."""
    return behind.write_all()


def idempotency_sweep() -> int:
    """Deletes answers under idempotency keys that are older than a day. Returns how many."""
    return idempotency.sweep()


def economy_audit() -> int:
    """Audits the economy, keeps what was found and says it in the log. Returns how many problems there are."""
    report = economy.audit()
    economy.record(report)
    economy.alert(report)
    return report.problem_count
