"""Reading through the cache: one filler per miss, late fills refused.

The lease is that of "Scaling Memcache at Facebook" (Nishtala et al., NSDI 2013, section 3.2.1): a miss hands
out a token, a write deletes value and token together, storing needs the token.
"""

import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from django.conf import settings
from django.db import connection

from bcraftd.cache import stamp, stats, steps, store
from bcraftd.cache.entry import Answer, Entry, Fresh, new_token, variant_name
from bcraftd.postgresql import lagging

# Seconds that a reader waits for somebody else's fill, in growing steps, before it reads for itself.
WAITS = (0.005, 0.01, 0.02, 0.04, 0.08, 0.1)


def get(entry: Entry, params: Mapping[str, Any], variant: Mapping[str, Any]) -> Answer | None:
    """The value of an entry; see Entry.get."""
    # Inside a transaction we may have written what nobody else sees yet, and a replica lags: neither serve nor store.
    if not settings.CACHE_ENABLED or connection.in_atomic_block or lagging.is_asked():
        return _bypass(entry, params, variant)
    key, field = entry.name(params), variant_name(variant)
    try:
        steps.at("read")
        body = _read(entry, key, field)
        if body is not None:
            stats.count(entry.family, "hits")
            return Answer(body, "HIT")
        token = new_token()
        steps.at("lease")
        lease = store.lease(
            key,
            field,
            token,
            hashed=entry.variants,
            generation_key=entry.generation_key,
            new_generation=new_token() if entry.generation else "",
        )
        if not lease.granted:
            body = _found(entry, key, field, lease)
            if body is not None:
                stats.count(entry.family, "hits")
                return Answer(body, "HIT")
            return _bypass(entry, params, variant)
    except store.StoreDown:
        return _bypass(entry, params, variant)
    steps.at("leased")
    return _fill(entry, params, variant, key, field, token, lease)


def _found(entry: Entry, key: str, field: str, lease: store.Lease) -> bytes | None:
    """What there is for a reader without a lease: stored meanwhile, or filled by another one in a moment.

    Behind a fence nobody fills, and waiting for it would only wait for the writer.
    """
    if lease.body is not None:
        return stamp.take(lease.body, store.server.run, lease.generation)
    return None if lease.fenced else _wait(entry, key, field)


def _read(entry: Entry, key: str, field: str) -> bytes | None:
    """The stored bytes, by one command; None where nothing valid is stored."""
    stored, generation = _fetch(entry, key, field)
    if stored is None or generation is None:
        return None
    # Which Redis answered is known only now: the command may have opened a connection to another one than before.
    return stamp.take(stored, store.server.run, generation)


def _fetch(entry: Entry, key: str, field: str) -> tuple[bytes | None, str | None]:
    """What is stored, and the generation that it must have: "" where the family has none, None where it is lost."""
    if entry.generation:
        if entry.variants:
            stored, generation = store.read_variant_with_generation(key, field, entry.generation_key)
        else:
            stored, generation = store.read_with_generation(key, entry.generation_key)
        return stored, None if generation is None else generation.decode()
    if entry.variants:
        return store.read_variant(key, field), ""
    if entry.slides:
        return store.read_sliding(key, entry.life_ms(Fresh({}))), ""
    return store.read(key), ""


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
    lease: store.Lease,
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
    body = fresh.body
    steps.at("selected")
    _store(entry, key, field, token, lease, body, entry.life_ms(fresh), entry.is_usual(variant))
    steps.at("stored")
    return Answer(body, "MISS")


def _store(
    entry: Entry, key: str, field: str, token: str, lease: store.Lease, body: bytes, life_ms: int, usual: bool = True
) -> None:
    if life_ms <= 0:
        _release(key, field, token)
        return
    try:
        taken = store.fill(
            key, field, token, body, life_ms, hashed=entry.variants, generation_key=entry.generation_key, lease=lease,
            usual=usual,
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
    return None if fresh is None else Answer(fresh.body, "BYPASS")


class WriteThrough:
    """Storing a value together with its row: the lease is taken before the commit, the value stored after it.

    A write that makes the value stale in between takes the lease away, so that a session which was ended while
    its login was still being answered cannot come back to life.
    """

    def __init__(self, entry: Entry, params: Mapping[str, Any]) -> None:
        self.entry = entry
        self.key = entry.name(params)
        self.token = new_token()
        self.lease = store.Lease()
        if settings.CACHE_ENABLED:
            # Nothing is lost without Redis: the first read fills the value from PostgreSQL.
            with suppress(store.StoreDown):
                self.lease = store.lease(self.key, variant_name({}), self.token)

    def commit(self, fresh: Fresh) -> None:
        """Stores the value. To be called by transaction.on_commit."""
        if self.lease.granted:
            life_ms = self.entry.life_ms(fresh)
            _store(self.entry, self.key, variant_name({}), self.token, self.lease, fresh.body, life_ms)
