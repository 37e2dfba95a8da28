"""What django-q2 runs for the project as a whole."""

from bcraftd import idempotency
from bcraftd.cache import behind


def activity_write() -> dict[str, int]:
    """Moves what was gathered in Redis (last seen, listing views) to PostgreSQL. Returns rows changed by key."""
    return behind.write_all()


def idempotency_sweep() -> int:
    """Deletes answers under idempotency keys that are older than a day. Returns how many."""
    return idempotency.sweep()
