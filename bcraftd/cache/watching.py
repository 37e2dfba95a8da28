"""Values as they go: Redis' keyspace events, told apart by family.

Redis publishes only what its `notify-keyspace-events` names. Whoever watches adds what is missing for as long as he
watches, and gives back what was there: each event costs Redis a publish.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from django.utils import timezone

from bcraftd.cache import families, looking, store

_SETTING = "notify-keyspace-events"
# Keyevents of keys that ran out, were evicted, or were deleted.
_NEEDED = "Exeg"
# What Redis calls it, and what it is here. A write's drop, a flush and a generation's change all delete.
KINDS = {"expired": "expired", "evicted": "evicted", "del": "dropped"}
WHOLE_FAMILY = "(the whole family)"


@dataclass(frozen=True)
class Event:
    """A value that went: when, how (of KINDS), of which family, and its key, without its name where that is secret."""

    at: datetime
    kind: str
    family: str
    key: str


@contextmanager
def events() -> Iterator[Iterator[Event | None]]:
    """What goes from now on; None whenever nothing went for a quarter of a second, so that a caller can look up.

    Raises StoreDown where Redis does not answer or does not let its configuration be changed.
    """
    with _published():
        database = int(store.client().connection_pool.connection_kwargs.get("db") or 0)
        channel = f"__keyevent@{database}__:"
        pubsub = store.client().pubsub(ignore_subscribe_messages=True)
        try:
            store.guarded(lambda: pubsub.subscribe(*(channel + kind for kind in KINDS)), always=True)
            yield _heard(pubsub, channel)
        finally:
            pubsub.close()


@contextmanager
def _published() -> Iterator[None]:
    """Has Redis publish what is needed, and afterwards what it did before."""
    before = str(
        store.guarded(lambda: cast("dict[str, Any]", store.client().config_get(_SETTING)), always=True)[_SETTING]
    )
    # A is all classes, but names neither the channels nor what is evicted or new.
    missing = "".join(sign for sign in _NEEDED if sign not in before)
    store.guarded(lambda: store.client().config_set(_SETTING, before + missing), always=True)
    try:
        yield
    finally:
        store.guarded(lambda: store.client().config_set(_SETTING, before), always=True)


def _heard(pubsub: Any, channel: str) -> Iterator[Event | None]:
    while True:
        message = store.guarded(lambda: pubsub.get_message(timeout=0.25), always=True)
        if message is None:
            yield None
            continue
        event = _event(message["channel"].decode().removeprefix(channel), message["data"].decode("utf-8", "replace"))
        if event is not None:
            yield event


def _event(name: str, key: str) -> Event | None:
    """What a message means; None for what is not a family's value."""
    if key.startswith("gen:"):
        return Event(timezone.now(), KINDS[name], key.removeprefix("gen:"), WHOLE_FAMILY)
    family = families.of(key)
    return Event(timezone.now(), KINDS[name], family, looking.shown(key)) if family else None
