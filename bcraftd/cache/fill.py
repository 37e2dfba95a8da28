"""Reading through the cache: one filler per miss, late fills refused.

The lease is that of "Scaling Memcache at Facebook" (Nishtala et al., NSDI 2013, section 3.2.1): a miss hands
out a token, a write deletes value and token together, storing needs the token.
"""

import time
from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.db import connection

from bcraftd.cache import outbox, stats, store
from bcraftd.cache.entry import Answer, Entry, Fresh, encode, new_token, variant_name

# Seconds that a reader waits for somebody else's fill, in growing steps, before it reads for itself.
WAITS = (0.005, 0.01, 0.02, 0.04, 0.08, 0.1)


def get(entry: Entry, params: Mapping[str, Any], variant: Mapping[str, Any]) -> Answer | None:
    """The value of an entry; see Entry.get."""
    # Inside a transaction we may have written what nobody else sees yet: neither serve nor store.
    if not settings.CACHE_ENABLED or connection.in_atomic_block or not outbox.replayed():
        return _bypass(entry, params, variant)
    key, field = entry.name(params), variant_name(variant)
    try:
        body = _read(entry, key, field)
        if body is not None:
            stats.count(entry.family, "hits")
            return Answer(body, "HIT")
        token = new_token()
        lease = store.lease(
            key,
            field,
            token,
            hashed=entry.variants,
            generation_key=entry.generation_key,
            new_generation=new_token() if entry.generation else "",
        )
        if not lease.granted:
            body = _unstamp(lease.body, lease.generation) if lease.body else _wait(entry, key, field)
            if body is not None:
                stats.count(entry.family, "hits")
                return Answer(body, "HIT")
            return _bypass(entry, params, variant)
    except store.StoreDown:
        return _bypass(entry, params, variant)
    return _fill(entry, params, variant, key, field, token, lease.generation)


def _read(entry: Entry, key: str, field: str) -> bytes | None:
    """The stored bytes, by one command; None where nothing valid is stored."""
    if entry.generation:
        if entry.variants:
            body, generation = store.read_variant_with_generation(key, field, entry.generation_key)
        else:
            body, generation = store.read_with_generation(key, entry.generation_key)
        return None if body is None or generation is None else _unstamp(body, generation.decode())
    if entry.variants:
        return store.read_variant(key, field)
    if entry.slides:
        return store.read_sliding(key, entry.life_ms(Fresh({})))
    return store.read(key)


def _stamp(body: bytes, generation: str) -> bytes:
    """The object with its generation as the last member, so that it still reads as JSON in redis-cli."""
    return body[:-1] + b',"generation":"' + generation.encode() + b'"}'


def _unstamp(body: bytes, generation: str) -> bytes | None:
    """The object as it goes out, None where it is of another generation ("": its family has none)."""
    if not generation:
        return body
    tail = b',"generation":"' + generation.encode() + b'"}'
    return body[: -len(tail)] + b"}" if body.endswith(tail) else None


def _wait(entry: Entry, key: str, field: str) -> bytes | None:
    """Another reader fills this value: looks for it a few times."""
    stats.count(entry.family, "waits")
    for pause in WAITS:
        time.sleep(pause)
        body = _read(entry, key, field)
        if body is not None:
            return body
    return None


def _fill(
    entry: Entry,
    params: Mapping[str, Any],
    variant: Mapping[str, Any],
    key: str,
    field: str,
    token: str,
    generation: str,
) -> Answer | None:
    started = time.perf_counter()
    try:
        fresh = entry.read_database(params, variant)
    except BaseException:
        _release(key, field, token)
        raise
    stats.count(entry.family, "misses")
    stats.count(entry.family, "fill_us", int((time.perf_counter() - started) * 1_000_000))
    if fresh is None:
        _release(key, field, token)
        return None
    body = encode(fresh.data)
    _store(entry, key, field, token, generation, body, entry.life_ms(fresh))
    return Answer(body, "MISS")


def _store(entry: Entry, key: str, field: str, token: str, generation: str, body: bytes, life_ms: int) -> None:
    if life_ms <= 0:
        _release(key, field, token)
        return
    stored = _stamp(body, generation) if entry.generation else body
    try:
        taken = store.fill(
            key, field, token, stored, life_ms,
            hashed=entry.variants, generation_key=entry.generation_key, generation=generation,
        )  # fmt: skip
    except store.StoreDown:
        return
    if not taken:
        stats.count(entry.family, "refused_fills")


def _release(key: str, field: str, token: str) -> None:
    try:
        store.release(key, field, token)
    except store.StoreDown:
        # The lease ends by itself; until then readers of this key read for themselves.
        return


def _bypass(entry: Entry, params: Mapping[str, Any], variant: Mapping[str, Any]) -> Answer | None:
    fresh = entry.read_database(params, variant)
    stats.count(entry.family, "bypasses")
    return None if fresh is None else Answer(encode(fresh.data), "BYPASS")


class WriteThrough:
    """Storing a value together with its row: the lease is taken before the commit, the value stored after it.

    A write that makes the value stale in between takes the lease away, so that a session which was ended while
    its login was still being answered cannot come back to life.
    """

    def __init__(self, entry: Entry, params: Mapping[str, Any]) -> None:
        self.entry = entry
        self.key = entry.name(params)
        self.token = new_token()
        self.granted = False
        if settings.CACHE_ENABLED:
            try:
                self.granted = store.lease(self.key, variant_name({}), self.token).granted
            except store.StoreDown:
                # Nothing is lost: the first read fills the value from PostgreSQL.
                self.granted = False

    def commit(self, fresh: Fresh) -> None:
        """Stores the value. To be called by transaction.on_commit."""
        if self.granted:
            body = encode(fresh.data)
            _store(self.entry, self.key, variant_name({}), self.token, "", body, self.entry.life_ms(fresh))
