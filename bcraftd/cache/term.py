"""Which Redis counts, where Sentinels may make another one the primary. PostgreSQL decides: it has every write.

Redis replicates asynchronously and a failover tells nobody, so that two processes may hold two servers for the primary:
one writes and drops its keys here while the other still serves them there. So there is one row, RedisTerm: the server
that counts, a random stamp that all values of its term carry, and whether it is trusted.

- **Who serves holds a lease** (LEASE seconds, by its own clock, from before it asked): "this server, by this stamp, is
  trusted". A keeper renews it every LOOK seconds. Without it nothing is served from Redis and nothing stored there.
- **Who writes** shares a lock of PostgreSQL's until its commit, and sees in the row that the Redis which it fenced is
  the trusted one. Else it leaves an outbox row, and its answer waits until somebody has carried that out at the Redis
  which counts, or until nobody trusts any (it withdraws the trust after GRACE) for as long as a lease lasts.
- **Trust passes on** only over such a pause, alone (the lock exclusively), and to another server only with a new stamp:
  whatever was filled before the failover is unknown, whichever invalidations the replication lost. The same server
  gets its trust back, and its values with it, only once no outbox row is left. Either is given only by who has just
  been told by most of the sentinels that it is the primary: in a split the old one's side would else take the trust
  back again and again.

The lease is Gray and Cheriton's (SOSP 1989); the growing terms are those of any election, here with a random name in
place of a number, because a value is compared with the one that counts and with no other.
"""

import logging
import os
import secrets
import threading
import time
from dataclasses import dataclass
from typing import Any

from django.db import DatabaseError, InterfaceError, OperationalError, connection, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import DateTimeField, Func

from bcraftd.cache import stamp, store
from bcraftd.models import OutboxRow, RedisTerm

log = logging.getLogger(__name__)

# Seconds. A lease must outlive a few looks on a busy machine; a failover stands still for one lease.
LEASE = 1.5
LOOK = 0.25
# How long a write waits for a relay elsewhere to drop what this process could not, before nobody trusts Redis.
GRACE = 0.75
# How long an answer waits for a PostgreSQL that has taken its commit and cannot be asked any more.
SETTLE_SECONDS = 10.0

LOCK = 6_117_044_021_530_017
# One round trip; each statement has a snapshot of its own, so that the row is read after the lock was had.
_ENTER = "SELECT pg_advisory_xact_lock_shared(%s); "
_READ = """
    SELECT run, stamp, trusted, extract(epoch FROM clock_timestamp() - changed_at)::float8
    FROM bcraftd_redisterm WHERE id = 1
"""


@dataclass(frozen=True, slots=True)
class Term:
    """The row. age: seconds since the trust was given or withdrawn."""

    run: str
    stamp: str
    trusted: bool
    age: float


def read() -> Term:
    """The term as it is now. One query."""
    with connection.cursor() as cursor:
        cursor.execute(_READ)
        return _term(cursor.fetchone())


def _term(row: tuple[Any, ...] | None) -> Term:
    """Before the first one there is no row, and nobody serves from anything."""
    return Term(*row) if row else Term(stamp.NO_RUN, stamp.NO_RUN, trusted=False, age=LEASE)


# --- Who writes -------------------------------------------------------------------------------------------


def enter(using: BaseDatabaseWrapper, fenced: str) -> None:
    """Inside the transaction: nobody else gets the trust before it has ended.

    fenced: the identity of the Redis at which its keys have been fenced, as it was known before. Raises StoreDown where
    that is not the trusted one, or the fence may stand at another one.
    """
    term = _entered(using)
    if not term.trusted or not term.run == fenced == store.server.identity:
        raise store.StoreDown("this Redis is not the one that counts")


def _entered(using: BaseDatabaseWrapper) -> Term:
    with using.cursor() as cursor:
        cursor.execute(_ENTER + _READ, [LOCK])
        return _term(cursor.fetchone())


def settle(row_id: int) -> None:
    """After a commit that left an outbox row: returns once no process can serve what it made stale."""
    began = time.monotonic()
    first = ""
    while time.monotonic() < began + SETTLE_SECONDS:
        try:
            term = read()
            first = first or term.stamp
            # The leases of the term before are over, and what it left in Redis is unknown in the next one.
            if term.stamp != first or _is_settled(row_id, term, time.monotonic() - began):
                return
            time.sleep(LOOK / 5)
        except (DatabaseError, InterfaceError) as error:
            log.warning("a write waits to be sure that nobody serves what it changed: %s", error)
            connection.close()
            time.sleep(LOOK)
    log.error("a write was answered without being sure that nobody serves what it changed")


def _is_settled(row_id: int, term: Term, waited: float) -> bool:
    if not OutboxRow.objects.filter(pk=row_id).exists():
        return True
    if term.trusted:
        if waited >= GRACE:
            withdraw(term)
        return False
    return term.age >= LEASE


# --- Who gives and takes the trust ------------------------------------------------------------------------


def withdraw(term: Term) -> None:
    """From now on nobody renews a lease of this term. Never wrong, only slow."""
    found = RedisTerm.objects.filter(pk=1, trusted=True, run=term.run, stamp=term.stamp)
    if found.update(trusted=False, changed_at=_now()):
        log.warning("nobody serves from Redis until it is known which one counts", extra={"run": term.run})


def _now() -> Func:
    """Of PostgreSQL's clock, and not the start of the transaction."""
    return Func(function="clock_timestamp", output_field=DateTimeField())


def obtain() -> None:
    """What a probe does before the breaker closes: gets a lease, after passing the trust on where that is due.

    The outbox has been replayed before. Raises StoreDown where it is not to be had yet, or not by this process.
    """
    keeper_start()
    asked, term, mine = time.monotonic(), read(), store.server.identity
    if not term.trusted and term.age < LEASE:
        raise store.StoreDown("somebody may still serve from the Redis that counted until now")
    if not term.trusted or term.run != mine:
        # This process may be the one that is behind: the trust is for whom most of the sentinels name now.
        store.client().connection_pool.disconnect()
        store.ping()
        asked, term, mine = time.monotonic(), read(), store.server.identity
        if term.trusted and term.run != mine:
            withdraw(term)
            raise store.StoreDown("another Redis counted until now")
        if not term.trusted:
            _trust(mine)
            asked, term = time.monotonic(), read()
    if not _hold(term, asked):
        raise store.StoreDown("another Redis counts by now")


@transaction.atomic
def _trust(mine: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
    term = read()
    if term.trusted or term.age < LEASE:
        return
    same = term.run == mine
    if same and OutboxRow.objects.exists():
        raise store.StoreDown("the outbox has something that this Redis has not dropped")
    found = {"run": mine, "stamp": term.stamp if same else secrets.token_hex(4), "trusted": True, "changed_at": _now()}
    RedisTerm.objects.update_or_create(pk=1, defaults=found)
    log.warning("a Redis counts from now on", extra={"run": mine, "stamp": found["stamp"]})


def _hold(term: Term, asked: float) -> bool:
    """Takes the lease that an answer gives which was asked for at that time. Returns whether there is one."""
    if not term.trusted or term.run != store.server.identity:
        store.server.let_go()
        return False
    store.server.hold(term.run, term.stamp, asked + LEASE)
    return True


def counts(identity: str) -> bool:
    """Inside a transaction: whether what has been dropped at that server may leave the outbox: it is the last one that
    was trusted, and will be until the transaction ends."""
    return _entered(connection).run == identity == store.server.identity


# --- The keeper -------------------------------------------------------------------------------------------

_keeper_in = 0


def keeper_start() -> None:
    """Starts this process's keeper, once."""
    global _keeper_in
    if _keeper_in != os.getpid():
        _keeper_in = os.getpid()
        threading.Thread(target=_keep, name="bcraftd-redis-term", daemon=True).start()


def _keep() -> None:
    while True:
        time.sleep(LOOK)
        look()


def look() -> None:
    """Renews the lease, or ends it. A PostgreSQL that does not answer lets it run out."""
    asked = time.monotonic()
    try:
        connection.close_if_unusable_or_obsolete()
        if store.breaker.is_open:
            store.recovered()
        elif not _hold(read(), asked):
            store.breaker.trip("another Redis counts, or none")
    except (DatabaseError, InterfaceError, OperationalError) as error:
        log.warning("whether this Redis counts cannot be asked: %s", error)
        connection.close()
    except Exception:
        log.exception("the term could not be renewed")
