"""CacheService: the cache as a plain Python object, for those who come from the prototype.

The getters and setters of the families use the keys and forms of the entries that the apps declare: what an API read
has stored is what a getter gives, what a setter stores is what the API then serves, and what changes in PostgreSQL
drops either. A getter knows Redis alone and gives None on a miss; `Entry.get`, which the API reads with, goes to
PostgreSQL then, and is what lets no late value in. A setter cannot: whoever sets what he has read a while ago sets
something old, and inside a transaction perhaps something that never comes true.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Any, ParamSpec, Self, TypeVar, cast

from django.conf import settings
from redis.connection import parse_url

from bcraftd.cache import invalidation, scripts, stamp, store
from bcraftd.cache.entry import Entry, Fresh, JSONEncoder, new_token, variant_name
from bcraftd.cache.memoize import Cached
from bcraftd.cache.plain import PlainCache, encoded, seconds
from bcraftd.cache.store import LEASE_MS, fence_key, lease_key

P = ParamSpec("P")
R = TypeVar("R")
Row = Mapping[str, Any]

# The keys as the apps declare them: the engine knows no app, so that it finds their entries by these.
_ENVIRONMENT = "env:current"
_WEATHER = "env:weather:current"
_SEASON = "env:season:current"
_LISTINGS = "market:listings:active:{resource_id}"
_BOARD = "leaderboard:board"
_INVENTORY = "inventory:user:{player_id}"
_RECIPES = "recipes:user:{player_id}"
_SESSION = "session:{session_id}"

# What the API's calls take where the query string says nothing; a test compares them with what these calls store.
_LISTINGS_PAGE: Row = {"ordering": "unit_price", "limit": 50}
_BOARD_PAGE: Row = {"sort": "score", "offset": 0}
_ALL = "all"


class CacheService(PlainCache):
    """Redis behind a few plain methods; thread-safe, and a context manager that closes its connections.

        with CacheService(host="127.0.0.1", port=6379, password="...", db=0) as cache:
            cache.set("motd", {"text": "hello"}, ttl=60)

    Values are JSON. Each call takes `timeout` seconds at most (0.1); where Redis does not answer, getters give None
    and setters False, while whatever deletes or invalidates raises StoreDown.
    """

    @classmethod
    def from_settings(cls) -> Self:
        """A service on the project's own Redis: settings.REDIS_URL, with settings.REDIS_TIMEOUT."""
        if settings.REDIS_SERVICE is None:
            return cls(**{"timeout": settings.REDIS_TIMEOUT, **parse_url(settings.REDIS_URL)})
        store.recovered()
        return cls(redis=store.client())

    # --- The environment ----------------------------------------------------------------------------------

    def get_current_environment(self) -> dict[str, Any] | None:
        """{"weather", "season", "timestamp"} as GET /api/environment/current shows it, None on a miss."""
        return self._read(_ENVIRONMENT)

    def set_current_environment(self, environment: Row) -> bool:
        """Stores it for the entry's life. The weather's end does not cut that short, as it does where the API reads."""
        return self._write(_ENVIRONMENT, environment)

    def get_current_weather(self) -> dict[str, Any] | None:
        """The weather as GET /api/environment/weather shows it, None on a miss."""
        return self._read(_WEATHER)

    def set_current_weather(self, weather: Row) -> bool:
        """Stores it; otherwise as `set_current_environment`."""
        return self._write(_WEATHER, weather)

    def get_current_season(self) -> dict[str, Any] | None:
        """The season, in the same form as the weather; None on a miss."""
        return self._read(_SEASON)

    def set_current_season(self, season: Row) -> bool:
        """Stores it; otherwise as `set_current_environment`."""
        return self._write(_SEASON, season)

    def invalidate_environment(self) -> bool:
        """Drops weather, season and both together. True; raises StoreDown."""
        return self._invalidate(_name(_ENVIRONMENT), _name(_WEATHER), _name(_SEASON))

    # --- The market ---------------------------------------------------------------------------------------

    def get_market_listings(self, resource_id: int | None = None) -> list[dict[str, Any]] | None:
        """The cheapest listings of a resource, or of all, as the first page of GET /api/market/listings shows them.

        None on a miss; [] where nothing is for sale.
        """
        found = self._read(_LISTINGS, {"resource_id": _resource(resource_id)}, _LISTINGS_PAGE)
        return None if found is None else cast("list[dict[str, Any]]", found["listings"])

    def set_market_listings(self, listings: Iterable[Row], resource_id: int | None = None) -> bool:
        """Stores them as that page, and as the only one: it names no next."""
        page = {"listings": list(listings), "next": None}
        return self._write(_LISTINGS, page, {"resource_id": _resource(resource_id)}, _LISTINGS_PAGE)

    def invalidate_market_cache(self, resource_id: int | None = None) -> bool:
        """Drops every page of a resource and every page over all; without a resource those of all resources.

        True; raises StoreDown. Without a resource it looks through the whole database (SCAN): not for a request.
        """
        if resource_id is None:
            return self._invalidate(*self._keys_of(_entry(_LISTINGS)))
        return self._invalidate(_name(_LISTINGS, resource_id=resource_id), _name(_LISTINGS, resource_id=_ALL))

    # --- The leaderboard ----------------------------------------------------------------------------------

    def get_leaderboard(self, limit: int = 100) -> list[dict[str, Any]] | None:
        """The first `limit` rows by score, as GET /api/leaderboard shows them; None on a miss."""
        found = self._read(_BOARD, {}, {**_BOARD_PAGE, "limit": limit})
        return None if found is None else cast("list[dict[str, Any]]", found["leaderboard"])

    def set_leaderboard(self, leaderboard: Iterable[Row], limit: int = 100) -> bool:
        """Stores them as the page of that `limit`. The total that the API then shows is the number of these rows."""
        rows = list(leaderboard)
        page = {"as_of": rows[0].get("as_of") if rows else None, "total": len(rows), "leaderboard": rows}
        return self._write(_BOARD, page, {}, {**_BOARD_PAGE, "limit": limit})

    def invalidate_leaderboard(self) -> bool:
        """Drops every board, whatever its sort and length. True; raises StoreDown."""
        return self._invalidate(_name(_BOARD))

    # --- What a player holds and can make -----------------------------------------------------------------

    def get_user_inventory(self, user_id: int) -> list[dict[str, Any]] | None:
        """What the player holds, as GET /api/inventory shows it; None on a miss."""
        found = self._read(_INVENTORY, {"player_id": user_id})
        return None if found is None else cast("list[dict[str, Any]]", found["inventory"])

    def set_user_inventory(self, user_id: int, inventory: Iterable[Row]) -> bool:
        """Stores it."""
        return self._write(_INVENTORY, {"inventory": list(inventory)}, {"player_id": user_id})

    def invalidate_user_inventory(self, user_id: int) -> bool:
        """Drops it. True; raises StoreDown."""
        return self._invalidate(_name(_INVENTORY, player_id=user_id))

    def get_craftable_recipes(self, user_id: int, profession_id: int) -> list[dict[str, Any]] | None:
        """The recipes of a profession that the player knows, and what is lacking for each; None on a miss."""
        found = self._read(_RECIPES, {"player_id": user_id}, {"profession_id": profession_id})
        return None if found is None else cast("list[dict[str, Any]]", found["recipes"])

    def set_craftable_recipes(self, user_id: int, profession_id: int, recipes: Iterable[Row]) -> bool:
        """Stores them."""
        return self._write(
            _RECIPES, {"recipes": list(recipes)}, {"player_id": user_id}, {"profession_id": profession_id}
        )

    def invalidate_user_recipes(self, user_id: int) -> bool:
        """Drops the player's recipes of all professions. True; raises StoreDown."""
        return self._invalidate(_name(_RECIPES, player_id=user_id))

    # --- Sessions -----------------------------------------------------------------------------------------

    def set_session(self, session_id: str, session: Row, ttl: int | None = None) -> bool:
        """Stores a session's value for `ttl` seconds, or CACHE_SESSION_TTL. Its row in PostgreSQL is the session.

        A session that has no row is one that nobody can end: not for logging in.
        """
        life = None if ttl is None else seconds(ttl)
        return self._write(_SESSION, session, {"session_id": session_id}, life=life)

    def get_session(self, session_id: str) -> dict[str, Any] | None:
        """A session's value, None on a miss. Looking does not lengthen its life."""
        return self._read(_SESSION, {"session_id": session_id})

    def refresh_session(self, session_id: str, ttl: int | None = None) -> bool:
        """Starts its life again: `ttl` seconds, or CACHE_SESSION_TTL. False where it is not in Redis."""
        life = _entry(_SESSION).life_ms(Fresh({})) // 1000 if ttl is None else ttl
        return self.expire(_name(_SESSION, session_id=session_id), life)

    def delete_session(self, session_id: str) -> bool:
        """Drops a session's value; whether it was there. Raises StoreDown.

        The session goes on with its next request, from its row: accounts.services.session_end is what ends it.
        """
        return self.delete(_name(_SESSION, session_id=session_id))

    # --- Functions ----------------------------------------------------------------------------------------

    def cached(self, ttl: int = 300, key_prefix: str = "cached") -> Callable[[Callable[P, R]], Cached[P, R]]:
        """A decorator that keeps what a function returned for `ttl` seconds, by its arguments.

        For functions and static methods whose arguments and results are JSON; a result of None is kept too. What the
        function raises is passed on, and nothing is kept. Without Redis the function is simply called. The decorated
        function has `.invalidate(*args, **kwargs)`, which drops what is kept for these arguments or raises StoreDown.
        """
        return lambda function: Cached(function, lambda: self, ttl=ttl, key_prefix=key_prefix)

    # --- How the families' values stand in Redis ----------------------------------------------------------

    def _read(self, key: str, params: Row | None = None, variant: Row | None = None) -> dict[str, Any] | None:
        """A valid value of an entry, None where there is none or Redis did not answer."""
        entry = _entry(key)
        body = self._tried(lambda: self._valid(entry, entry.name(params or {}), variant_name(variant or {})), None)
        return None if body is None else cast("dict[str, Any]", json.loads(body))

    def _valid(self, entry: Entry, key: str, field: str) -> bytes | None:
        with self._redis.pipeline() as pipe:
            # In one step with the value, so that it is the run of the very server that gave it.
            pipe.info("server")
            pipe.hget(key, field) if entry.variants else pipe.get(key)
            # "" where the family has none: a key that holds nothing.
            pipe.get(entry.generation_key)
            info, stored, generation = pipe.execute()
        if stored is None or (entry.generation and generation is None):
            return None
        return stamp.take(stored, _run(info), generation.decode() if entry.generation else "")

    def _write(
        self, key: str, data: Row, params: Row | None = None, variant: Row | None = None, life: int | None = None
    ) -> bool:
        """Replaces a value of an entry. False where a write or another fill came in between, or Redis did not answer.

        life: seconds, the entry's own where None. Raises TypeError or ValueError for what is no object of JSON with a
        member or more.
        """
        entry = _entry(key)
        if not isinstance(data, Mapping) or not data:
            raise ValueError(f"{key} holds an object with a member or more, not {data!r:.50}")
        body = encoded(data, JSONEncoder)
        name, field = entry.name(params or {}), variant_name(variant or {})
        life_ms = entry.life_ms(Fresh({})) if life is None else life * 1000
        return self._tried(lambda: self._replaced(entry, name, field, body, life_ms), False)

    def _replaced(self, entry: Entry, key: str, field: str, body: bytes, life_ms: int) -> bool:
        """The old value goes with the lease of whoever fills it, then comes ours, by a lease like any other fill."""
        token, lease, generation = new_token(), lease_key(key), entry.generation_key
        keys = [key, lease, generation, fence_key(key), fence_key(generation) if generation else ""]
        with self._redis.pipeline() as pipe:
            pipe.info("server")
            # The other variants of a hash are other pages, and as good as before.
            pipe.hdel(key, field) if entry.variants else pipe.unlink(key)
            pipe.hdel(lease, field)
            args: list[Any] = [field, token, LEASE_MS, new_token(), int(entry.variants), ""]
            pipe.eval(scripts.LEASE.text, len(keys), *keys, *args)
            info, _, _, (state, *granted) = pipe.execute()
        if state != 1:
            return False
        current, run = granted[0].decode() if generation else "", _run(info)
        if run == stamp.NO_RUN:
            return False
        stored = stamp.put(body, run, current)
        filling = [field, token, stored, life_ms, int(entry.variants), current, *scripts.caps(usual=False)]
        return bool(scripts.run(self._redis, scripts.FILL, [key, lease, generation], filling))

    def _invalidate(self, *keys: str) -> bool:
        self._dropped(keys)
        return True

    def _keys_of(self, entry: Entry) -> set[str]:
        """Every key of an entry that has a value or a fill that runs."""

        def scan(pattern: str) -> set[str]:
            return {key.decode() for key in self._redis.scan_iter(match=pattern, count=1000)}

        leases = self._insisted(lambda: scan(lease_key(entry.pattern)))
        return self._insisted(lambda: scan(entry.pattern)) | {key.removeprefix(lease_key("")) for key in leases}


def _entry(key: str) -> Entry:
    """The declared entry of a key. Raises LookupError where no app has declared it."""
    for entry in invalidation.entries():
        if entry.key == key:
            return entry
    raise LookupError(f"no installed app declares {key}: has django.setup() been called?")


def _name(key: str, **params: int | str) -> str:
    """An entry's key for given parameters, as it stands in Redis."""
    return _entry(key).name(params)


def _resource(resource_id: int | None) -> int | str:
    return _ALL if resource_id is None else resource_id


def _run(info: Row) -> str:
    """The run that a stamp names: from INFO server, or under Sentinel the term's, NO_RUN where none is held."""
    if store.server.by_term:
        return store.server.run
    return str(info["run_id"])[: len(stamp.NO_RUN)]


@cache
def _own() -> CacheService:
    return CacheService.from_settings()


def cached(ttl: int = 300, key_prefix: str = "cached") -> Callable[[Callable[P, R]], Cached[P, R]]:
    """`CacheService.cached` of a service on the project's own Redis, made with the first call."""
    return lambda function: Cached(function, _own, ttl=ttl, key_prefix=key_prefix)
