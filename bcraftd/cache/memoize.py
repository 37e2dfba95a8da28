"""`cached`: what a function returned, kept by its arguments."""

import functools
import hashlib
import inspect
import json
from collections.abc import Callable
from typing import Generic, ParamSpec, TypeVar, cast

from bcraftd.cache.plain import PlainCache, encoded, seconds

P = ParamSpec("P")
R = TypeVar("R")

# Arguments that are longer than this (in bytes of JSON) stand in the key as their hash.
_READABLE = 200


class Cached(Generic[P, R]):
    """A function whose results are kept. Called like the function itself; see CacheService.cached."""

    def __init__(self, function: Callable[P, R], cache: Callable[[], PlainCache], *, ttl: int, key_prefix: str) -> None:
        functools.update_wrapper(self, function)
        self._function = function
        self._signature = inspect.signature(function)
        self._cache = cache
        self._ttl = seconds(ttl)
        self._prefix = f"{key_prefix}:{function.__module__}.{function.__qualname__}"

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        cache, key = self._cache(), self.key(*args, **kwargs)
        kept = cache.get(key)
        # Wrapped, so that a result of None is one that is there.
        if isinstance(kept, dict) and "value" in kept:
            return cast("R", kept["value"])
        body = encoded({"value": self._function(*args, **kwargs)})
        # What JSON makes of it also the first time: a tuple must not become a list only with the second call.
        made = json.loads(body)
        cache.set(key, made, self._ttl)
        return cast("R", made["value"])

    def invalidate(self, *args: P.args, **kwargs: P.kwargs) -> bool:
        """Drops what is kept for these arguments. Whether there was something. Raises StoreDown.

        A call that runs meanwhile may still keep what it has read before: see Entry for what refuses that.
        """
        return self._cache().delete(self.key(*args, **kwargs))

    def key(self, *args: P.args, **kwargs: P.kwargs) -> str:
        """Where the result for these arguments stands. Raises TypeError or ValueError where JSON cannot hold them.

        However they are passed, by place, by name or by default, the same arguments have the same key.
        """
        bound = self._signature.bind(*args, **kwargs)
        bound.apply_defaults()
        named = encoded(dict(sorted(bound.arguments.items())))
        return f"{self._prefix}:{named.decode() if len(named) <= _READABLE else hashlib.sha256(named).hexdigest()}"
