"""What django-q2 runs for accounts."""

from accounts import services


def sessions_sweep() -> int:
    """Deletes sessions that ended by themselves. Returns how many."""
    return services.sessions_sweep()
