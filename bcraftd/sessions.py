"""The admin's sessions: Django's cached_db, made to work with Redis away.

cached_db itself lets an unreachable cache fail loading, checking and deleting a session. Here the row in
PostgreSQL decides and the copy in Redis only saves the look-up, for at most COPY_SECONDS: a copy whose delete
Redis did not take cannot bring a closed session back for longer than that.
"""

from collections.abc import Callable
from typing import Any, TypeVar

from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends import cached_db
from django.contrib.sessions.models import Session
from django.core.cache import caches
from django.db import transaction
from django.utils import timezone

from bcraftd.cache import store

T = TypeVar("T")

COPY_SECONDS = 60


class _Degrading:
    """The few cache calls that cached_db makes, none of which fails."""

    def __init__(self) -> None:
        self._cache = caches["default"]

    def _call(self, call: Callable[[], T], otherwise: T, *, always: bool = False) -> T:
        try:
            return store.guarded(call, always=always)
        except store.StoreDown:
            return otherwise

    def get(self, key: str, default: Any = None) -> Any:
        return self._call(lambda: self._cache.get(key, default), default)

    def set(self, key: str, value: Any, timeout: int | None = None) -> None:
        life = COPY_SECONDS if timeout is None else min(timeout, COPY_SECONDS)
        self._call(lambda: self._cache.set(key, value, life), None)

    def delete(self, key: str) -> None:
        self._call(lambda: self._cache.delete(key), False, always=True)

    def __contains__(self, key: str) -> bool:
        return self._call(lambda: key in self._cache, False)


class SessionStore(cached_db.SessionStore):
    """What SESSION_ENGINE names."""

    cache_key_prefix = "admin:session:"

    def __init__(self, session_key: str | None = None) -> None:
        super().__init__(session_key)
        self._cache = _Degrading()


def sessions_end(*, user_id: int) -> None:
    """Ends everything that a user has open in the admin: the rows with this transaction, the copies right after it.

    Rows do not say whose they are, but only operators have some, so that all of them are few.
    """
    alive = Session.objects.filter(expire_date__gt=timezone.now())
    keys = [row.session_key for row in alive if row.get_decoded().get(SESSION_KEY) == str(user_id)]
    Session.objects.filter(session_key__in=keys).delete()
    for key in keys:
        transaction.on_commit(SessionStore(key).delete, robust=True)
