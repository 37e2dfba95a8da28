"""How every connection to PostgreSQL is made: what settings.DATABASES holds."""

from collections.abc import Mapping
from typing import Any

# No request may hold a lock for long: a writer that hangs is ended by the server (milliseconds). All of it stays below
# what a fence lives: see bcraftd/postgresql/base.py. The last one tells the triggers that watch for changes from
# outside that these connections say what they change.
WORDS = {
    "statement_timeout": "7000",
    "lock_timeout": "5000",
    "idle_in_transaction_session_timeout": "7000",
    "bcraftd.writer": "project",
}
# Milliseconds after which a connection is over whose other end has taken nothing of what was sent: a host that lost its
# power refuses nothing, and the kernel's own limit is a quarter of an hour. A replica can be done without sooner.
TCP_TIMEOUT, REPLICA_TCP_TIMEOUT = 8000, 2000
# Seconds; libpq takes no less than 2.
CONNECT_TIMEOUT, REPLICA_CONNECT_TIMEOUT = 5, 2


def connecting(url: Mapping[str, Any], *, pooled: bool, replica: bool = False) -> dict[str, Any]:
    """Django's dictionary for a database, from what its URL says. pooled: behind a pgbouncer in transaction mode."""
    words = " ".join(f"-c {name}={value}" for name, value in WORDS.items())
    return {
        **url,
        # Django's own, with a place around each commit: that is where fences stand.
        "ENGINE": "bcraftd.postgresql",
        "CONN_MAX_AGE": None,
        # A restarted PostgreSQL costs a request one ping, not an error.
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {
            # What the URL asks for, sslmode above all.
            **url.get("OPTIONS", {}),
            "connect_timeout": REPLICA_CONNECT_TIMEOUT if replica else CONNECT_TIMEOUT,
            "tcp_user_timeout": REPLICA_TCP_TIMEOUT if replica else TCP_TIMEOUT,
            **({} if pooled else {"options": words}),
        },
        "DISABLE_SERVER_SIDE_CURSORS": pooled,
        # In tests the replicas are the same database.
        "TEST": {"MIRROR": "default"} if replica else {},
    }
