"""Idempotency keys: the first good answer under a key is written in the transaction of its effect, and repeated.

What is kept is the answer and a fingerprint of the call. A worker that dies after the commit and before the answer
has left both the effect and the answer behind; one that dies before the commit has left neither. That the first call
still runs is known by an advisory lock of its transaction, which PostgreSQL lifts when that ends, however it ends. The
form of the header and of the answers follows the IETF's draft-ietf-httpapi-idempotency-key-header.
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db import connection
from django.utils import timezone

from bcraftd.errors import Refusal
from bcraftd.models import IdempotencyKey
from bcraftd.transactions import atomic

# For how long an answer is repeated.
KEPT = timedelta(hours=24)
# How many rows one transaction of the sweep deletes.
SWEEP_BATCH = 5000


@dataclass(frozen=True, slots=True)
class Key:
    """An Idempotency-Key and the fingerprint of the call that it came with."""

    key: str
    call: str


@dataclass(frozen=True, slots=True)
class Kept:
    """A good answer: its status and its body as bytes, and whether it is a repetition."""

    status: int
    body: bytes
    replayed: bool = False


def fingerprint(method: str, path: str, body: Any) -> str:
    """What makes two calls the same: method, path and the parsed body, in whatever order and with whatever spaces it
    was sent. Returns 64 hexadecimal digits (SHA-256)."""
    call = json.dumps([method, path, body], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(call.encode()).hexdigest()


@atomic
def once(*, player_id: int, once: Key, perform: Callable[[], Kept]) -> Kept:
    """Performs a call, or gives the answer that it had the first time.

    `perform` runs in this transaction; what it raises is a refusal, which undoes its effect and keeps nothing.
    Raises Refusal `idempotency_in_progress` while the first call runs, `idempotency_key_reused` for another call.
    """
    ours = _lock(player_id, once.key)
    # In a statement of its own: it has to see what the holder of the lock before us has committed.
    row = IdempotencyKey.objects.filter(player_id=player_id, key=once.key, created_at__gt=timezone.now() - KEPT).first()
    if row is not None:
        return _again(row, once.call)
    if not ours:
        raise Refusal("idempotency_in_progress")
    answer = perform()
    _keep(
        IdempotencyKey(player_id=player_id, key=once.key, fingerprint=once.call, status=answer.status, body=answer.body)
    )
    return answer


def lock_number(player_id: int, key: str) -> int:
    """The number of the advisory lock that stands for a key."""
    name = hashlib.blake2b(f"idempotency:{player_id}:{key}".encode(), digest_size=8).digest()
    return int.from_bytes(name, "big", signed=True)


def _lock(player_id: int, key: str) -> bool:
    """Takes the key for this transaction. False where another transaction has it: nobody waits here."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [lock_number(player_id, key)])
        return bool(cursor.fetchone()[0])


def _again(row: IdempotencyKey, call: str) -> Kept:
    if row.fingerprint != call:
        raise Refusal("idempotency_key_reused")
    return Kept(row.status, bytes(row.body), replayed=True)


def _keep(row: IdempotencyKey) -> None:
    """Writes the answer, over one whose time is over and that the sweep has not reached yet."""
    row.created_at = timezone.now()
    IdempotencyKey.objects.bulk_create(
        [row],
        update_conflicts=True,
        unique_fields=["player", "key"],
        update_fields=["fingerprint", "status", "body", "created_at"],
    )


def sweep() -> int:
    """Deletes answers whose time is over, batch by batch. Returns how many."""
    swept = 0
    while deleted := _sweep_batch():
        swept += deleted
    return swept


@atomic
def _sweep_batch() -> int:
    over = IdempotencyKey.objects.filter(created_at__lte=timezone.now() - KEPT).order_by("created_at")
    batch = list(over.values_list("pk", flat=True)[:SWEEP_BATCH])
    return IdempotencyKey.objects.filter(pk__in=batch, created_at__lte=timezone.now() - KEPT).delete()[0]
