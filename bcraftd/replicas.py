"""Reads at PostgreSQL's replicas that never show less than what was answered.

A replica lags. A read that may lag (histories, candles, public profiles, the admin's lists) is of some player or some
resource, and WRITTEN keeps for each of them a place in the primary's log that lies behind all of its answered writes. A
replica which has replayed that place shows all of them; one that has not is not asked. WRITTEN is an entry of the cache
like any other, so that its promise carries over: a write makes the place stale before it is answered, whatever happens
to Redis meanwhile. See docs/scaling.md.
"""

import time
from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from django.conf import settings
from django.db import InterfaceError, OperationalError, connection, connections, transaction
from django.db.models import Model
from prometheus_client import Counter

from bcraftd.cache import Entry, Fresh, When, drop
from bcraftd.postgresql import lagging

P = ParamSpec("P")
T = TypeVar("T")

PLAYER, RESOURCE = "player", "resource"
# Seconds for which a replica that failed is not asked, longer than a lost connection takes to be noticed.
REST_SECONDS = 5.0

# The log's end moves on by itself: an older one is as true, as long as nothing was written.
WRITTEN = Entry(
    family="replicas", key="replica:{kind}:{id}", ttl=3600, volatile=frozenset({"system", "timeline", "lsn"})
)

READS = Counter(
    "bcraftd_replica_reads_total",
    "Reads that may lag. outcome: replica, or why the primary had to answer: behind, failed.",
    ["replica", "outcome"],
)

for _alias in settings.DATABASE_REPLICAS:
    for _outcome in ("replica", "behind", "failed"):
        # A rate needs the 0 from which it rises.
        READS.labels(_alias, _outcome)

# A commit's record is in the log before anybody can see its effects. Of which log the place is: the server's number
# tells it from that of a server which was not made as a copy of this one, and the timeline from that of a primary
# before it, which may have gone on beyond the place where they parted.
_PLACE = """
SELECT (SELECT system_identifier FROM pg_control_system()),
       ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::int,
       pg_current_wal_insert_lsn()::text
"""
# A promoted replica is none any more. The timeline is that of its last restartpoint, so that for some minutes after a
# failover nobody is asked but the primary.
_HAS_REPLAYED = """
SELECT pg_is_in_recovery() AND pg_last_wal_replay_lsn() >= %(lsn)s::pg_lsn
   AND (SELECT timeline_id FROM pg_control_checkpoint()) = %(timeline)s
   AND (SELECT system_identifier FROM pg_control_system()) = %(system)s
"""

# Alias to the time (monotonic) before which it is not asked.
_resting: dict[str, float] = {}


@WRITTEN.filler
def _place(kind: str, id: int) -> Fresh:
    """One query, at the primary."""
    with connection.cursor() as cursor:
        cursor.execute(_PLACE)
        system, timeline, lsn = cursor.fetchone()
    return Fresh({"system": system, "timeline": timeline, "lsn": lsn})


def entries() -> list[Entry]:
    """What this keeps in Redis: nothing where there are no replicas."""
    return [WRITTEN] if settings.DATABASE_REPLICAS else []


def shown(
    model: type[Model], subjects: Callable[[Any], Iterable[tuple[str, int | None]]], columns: Iterable[str] = ()
) -> When:
    """A row of an app's table: reads that may lag show `model`. `subjects` gives from a changed row (PLAYER, its id) or
    (RESOURCE, its id) of whoever they are about; None for an id is nobody."""

    def keys(row: Any) -> list[Mapping[str, Any]]:
        return [{"kind": kind, "id": id} for kind, id in subjects(row) if id is not None]

    return When(model, WRITTEN, keys, columns=frozenset(columns))


def where_used(rows: list[When]) -> list[When]:
    """The rows, or none where there are no replicas: then nobody pays for them."""
    return rows if settings.DATABASE_REPLICAS else []


def written(player_id: int) -> None:
    """Says that a player, or an operator, has written something by a way that the apps' tables do not know."""
    if settings.DATABASE_REPLICAS:
        with transaction.atomic():
            drop(WRITTEN, {"kind": PLAYER, "id": player_id})


def may_lag(kind: str, parameter: str, *models: type[Model]) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Decorator of a read of the models that is about one player or resource, whose id is the keyword `parameter`."""

    def decorate(read: Callable[P, T]) -> Callable[P, T]:
        @wraps(read)
        def run(*args: P.args, **given: P.kwargs) -> T:
            subject: Any = given[parameter]
            return at_replica(lambda: read(*args, **given), kind=kind, id=subject, models=models)

        return run

    return decorate


def at_replica(read: Callable[[], T], *, kind: str, id: int, models: Iterable[type[Model]]) -> T:
    """What `read` returns, asked of a replica that shows all that was answered about its subject, or of the primary.

    Raises what `read` raises. A replica that fails is asked no more for REST_SECONDS.
    """
    alias = _chosen(id)
    if alias is None or connection.in_atomic_block or lagging.is_asked():
        return read()
    answer = WRITTEN.get({"kind": kind, "id": id})
    assert answer is not None
    outcome = "behind"
    try:
        # One transaction, so that behind a pooler both statements are the same server's.
        with transaction.atomic(using=alias):
            if _has_replayed(alias, answer.data()):
                with lagging.asking(alias, frozenset(models)):
                    found = read()
                READS.labels(alias, "replica").inc()
                return found
    except (OperationalError, InterfaceError):
        # Gone, or it had to end our statement to go on replaying.
        _resting[alias] = time.monotonic() + REST_SECONDS
        outcome = "failed"
    READS.labels(alias, outcome).inc()
    return read()


def _chosen(id: int) -> str | None:
    """The replica for a subject, always the same one while it lives: another may lag further behind."""
    aliases: list[str] = settings.DATABASE_REPLICAS
    now = time.monotonic()
    for turn in range(len(aliases)):
        alias = aliases[(id + turn) % len(aliases)]
        rests = _resting.get(alias)
        if rests is None:
            return alias
        if rests <= now:
            # One asks whether it is back, and the others wait for what comes of it.
            _resting[alias] = now + REST_SECONDS
            return alias
    return None


def _has_replayed(alias: str, place: Mapping[str, Any]) -> bool:
    with connections[alias].cursor() as cursor:
        cursor.execute(_HAS_REPLAYED, place)
        (yes,) = cursor.fetchone()
    _resting.pop(alias, None)
    return bool(yes)
