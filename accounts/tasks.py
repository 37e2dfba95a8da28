"""What django-q2 runs for accounts."""

from contextlib import suppress

from accounts import services
from accounts.cache import LAST_SEEN
from bcraftd.cache import store


def sessions_sweep() -> int:
    """Deletes sessions that ended by themselves. Returns how many."""
    # After the workers were away for long, what was gathered meanwhile must not come too late.
    with suppress(store.StoreDown):
        LAST_SEEN.write()
    return services.sessions_sweep()
