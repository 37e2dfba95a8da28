"""PostgreSQL, and what has to be in it."""

from typing import Any, cast

from django.apps import apps
from django.db import OperationalError, connection
from django.db.backends.base.base import BaseDatabaseWrapper
from django.utils import timezone

from bcraftd import operations
from bcraftd.doctor import Finding, fault, ok, warning

# Fences rest on transaction_timeout, which older ones have not: see bcraftd/postgresql/base.py.
WANTED_VERSION = 170000
CONNECTIONS_WARNING = 0.8
# Seconds. Tokens, the weather's course and the statistics' buckets go by the clocks.
SKEW_WARNING, SKEW_FAULT = 1.0, 5.0

# What psycopg2 says, and what it means.
REFUSALS = (
    ("password authentication failed", "PostgreSQL refuses the password in DATABASE_URL.",
     "Correct the password in DATABASE_URL, or set it: ALTER ROLE ... PASSWORD ..."),
    ("no password supplied", "PostgreSQL wants a password, and DATABASE_URL has none.",
     "Put the password into DATABASE_URL."),
    ("does not exist", "The database or the role that DATABASE_URL names does not exist.",
     "Create it (CREATE DATABASE, CREATE ROLE), or correct DATABASE_URL; then `manage.py migrate`."),
    ("too many clients", "PostgreSQL has no connection left.",
     "Raise max_connections, or run fewer workers and threads (WEB_WORKERS): each thread holds one."),
    ("remaining connection slots", "PostgreSQL has no connection left but for its superuser.",
     "Raise max_connections, or run fewer workers and threads (WEB_WORKERS): each thread holds one."),
    ("starting up", "PostgreSQL is starting.", "Wait: after a crash it replays its log first."),
    ("could not translate host name", "The host in DATABASE_URL has no address.",
     "Correct the host in DATABASE_URL, or the name service."),
    ("timeout", "PostgreSQL did not answer in time.", "Look at its load, and at the network between."),
    ("Connection refused", "Nothing listens where DATABASE_URL points.",
     "Start PostgreSQL (`docker compose up -d postgres`, or `make up`), or correct host and port."),
)  # fmt: skip


def postgresql() -> Finding:
    """Whether it lets us in, and if not, why."""
    connection.close()
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT current_setting('server_version')")
            version = cursor.fetchone()[0]
    except OperationalError as error:
        return _refused(str(error))
    return ok(f"PostgreSQL {version} at {place_of(connection)} answers.")


def place_of(server: BaseDatabaseWrapper) -> str:
    """A connection's host, port and database."""
    names: dict[str, Any] = server.settings_dict
    return f"{names['HOST'] or 'a local socket'}:{names['PORT'] or 5432}/{names['NAME']}"


def _refused(said: str) -> Finding:
    place = place_of(connection)
    for words, meaning, mend in REFUSALS:
        if words in said:
            return fault(f"{meaning} ({place})", mend)
    return fault(f"PostgreSQL at {place} cannot be reached.", "See its log.")


def version() -> Finding:
    """Whether it has what the fences rest on."""
    found = int(cast("Any", connection).pg_version)
    if found < WANTED_VERSION:
        return warning(
            f"PostgreSQL {found // 10000} has no transaction_timeout: a writer that hangs may outlive its fence.",
            "Upgrade to PostgreSQL 17 or later.",
        )
    return ok(f"Version {found // 10000} has all that is used.")


def connections() -> Finding:
    """How many of its connections are taken."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*), current_setting('max_connections')::int FROM pg_stat_activity"
                       " WHERE backend_type = 'client backend'")  # fmt: skip
        used, allowed = cursor.fetchone()
    said = f"{used} of {allowed} connections are taken."
    if used > CONNECTIONS_WARNING * allowed:
        return warning(said, "Raise max_connections, or run fewer workers and threads (WEB_WORKERS).")
    return ok(said)


def migrations() -> Finding:
    """Whether every one has been applied."""
    state = operations.migrations_state()
    if missing := state.get("missing"):
        return fault(f"Not applied: {', '.join(missing)}.", "manage.py migrate")
    return ok("Every migration has been applied.")


def catalogue() -> Finding:
    """Whether there is a world to play in."""
    for app, model in (("inventory", "Resource"), ("environment", "Weather")):
        if not apps.get_model(app, model).objects.exists():
            return fault(f"There is no {model.lower()}: nobody can play.", "manage.py seed")
    return ok("The catalogue is there.")


def clock() -> Finding:
    """How far PostgreSQL's clock is from ours."""
    with connection.cursor() as cursor:
        before = timezone.now()
        cursor.execute("SELECT clock_timestamp()")
        theirs = cursor.fetchone()[0]
        after = timezone.now()
    return judged("PostgreSQL", (theirs - before - (after - before) / 2).total_seconds())


def judged(whose: str, seconds: float) -> Finding:
    """A clock's distance from ours, in seconds."""
    said = f"{whose}'s clock is {abs(seconds):.1f} s {'ahead of' if seconds > 0 else 'behind'} this host's."
    mend = "Set the clocks by NTP on every host (`timedatectl set-ntp true`)."
    if abs(seconds) > SKEW_FAULT:
        return fault(said, mend)
    return warning(said, mend) if abs(seconds) > SKEW_WARNING else ok(f"{whose}'s clock and this host's agree.")
