"""PostgreSQL's replicas: whether they can answer what may lag."""

import time

from django.conf import settings
from django.db import InterfaceError, OperationalError, connection, connections
from django.db.backends.base.base import BaseDatabaseWrapper

from bcraftd.doctor import Finding, fault, ok, warning
from bcraftd.doctor.database import place_of

# Seconds for which one may lag: who has just written reads at the primary for so long.
LAG_WARNING = 2.0

_PRIMARY = "SELECT system_identifier, pg_current_wal_lsn()::text FROM pg_control_system()"
_REPLICA = """
SELECT system_identifier, pg_is_in_recovery(), pg_wal_lsn_diff(%s, pg_last_wal_replay_lsn())::bigint
  FROM pg_control_system()
"""


def replicas() -> Finding:
    """Whether each of DATABASE_REPLICA_URLS follows the primary; where one does not, the primary answers for it."""
    servers: list[BaseDatabaseWrapper] = [connections[alias] for alias in settings.DATABASE_REPLICAS]
    if not servers:
        return ok("None is named: the primary answers every read.")
    found = [(place_of(server), _look(server)) for server in servers]
    told = [(place, finding) for place, finding in found if finding.status != "ok"]
    if not told:
        return ok(f"{', '.join(place for place, _ in found)}: each follows the primary.")
    say = fault if any(finding.status == "fault" for _, finding in told) else warning
    mends = dict.fromkeys(finding.mend for _, finding in told)
    return say(" ".join(f"{place} {finding.detail}" for place, finding in told), " ".join(mends))


def _look(server: BaseDatabaseWrapper) -> Finding:
    """What is to be said of one, after its place."""
    with connection.cursor() as cursor:
        cursor.execute(_PRIMARY)
        system, end = cursor.fetchone()
    patience = time.monotonic() + LAG_WARNING
    try:
        with server.cursor() as cursor:
            while True:
                cursor.execute(_REPLICA, [end])
                copied, follows, missing = cursor.fetchone()
                if copied != system:
                    return fault(
                        "is no copy of the primary.", "Correct DATABASE_REPLICA_URLS, or copy it anew (pg_basebackup)."
                    )
                if not follows:
                    return warning(
                        "has been promoted, and is no replica any more.",
                        "Let it follow again (pg_rewind, pg_basebackup), or correct DATABASE_REPLICA_URLS.",
                    )
                if missing <= 0:
                    return ok("follows.")
                if time.monotonic() > patience:
                    return warning(
                        f"has not replayed {missing:,} bytes of the primary's log in {LAG_WARNING:.0f} s.",
                        "See whether its replay was paused (pg_wal_replay_resume), its log, and the network between.",
                    )
                time.sleep(0.1)
    except (OperationalError, InterfaceError):
        return warning("cannot be asked.", "Start it, or take it out of DATABASE_REPLICA_URLS; see its log.")
