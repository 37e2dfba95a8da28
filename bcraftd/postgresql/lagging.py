"""Which database the reads of this moment go to: the primary, unless somebody has said that they may lag.

Django's router asks here. Nothing that is cached is filled while a replica is asked (bcraftd/cache/fill.py).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.models import Model

_replica: ContextVar[tuple[str, frozenset[type[Model]]] | None] = ContextVar("bcraftd.replica", default=None)


@contextmanager
def asking(alias: str, models: frozenset[type[Model]]) -> Iterator[None]:
    """Within it reads of these models, and of no others, go to the replica of this alias."""
    token = _replica.set((alias, models))
    try:
        yield
    finally:
        _replica.reset(token)


def is_asked() -> bool:
    """Whether reads go to a replica just now."""
    return _replica.get() is not None


def alias_for(model: type[Model]) -> str:
    """The alias of the database from which a model is read just now."""
    found = _replica.get()
    return found[0] if found is not None and model in found[1] else DEFAULT_DB_ALIAS


def connection_for(model: type[Model]) -> Any:
    """The connection by which a model is read just now, for statements that are no querysets."""
    return connections[alias_for(model)]


class Router:
    """settings.DATABASE_ROUTERS: only what says that it may lag is read at a replica, and nothing is written there."""

    def db_for_read(self, model: type[Model], **hints: Any) -> str:
        """Never None: Django would then go on where a related row came from."""
        return alias_for(model)

    def db_for_write(self, model: type[Model], **hints: Any) -> str:
        return DEFAULT_DB_ALIAS

    def allow_relation(self, one: Model, other: Model, **hints: Any) -> bool:
        """All of them are the same database."""
        return True

    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool:
        return db == DEFAULT_DB_ALIAS
