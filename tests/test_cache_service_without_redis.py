"""CacheService with Redis stopped, hung, started again and locked: nothing that must go away does so in silence."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.conf import settings
from redis.connection import parse_url

from bcraftd.cache import store
from bcraftd.cache.service import CacheService
from bcraftd.cache.store import StoreDown
from tests import servers

SESSION = {"session_id": "s", "player_id": 1, "login": "ada"}


@pytest.fixture
def stopped(cache: CacheService) -> Iterator[CacheService]:
    """A service that has been used, and whose Redis has then been stopped."""
    cache.set("key", 1)
    servers.redis_stop()
    try:
        yield cache
    finally:
        servers.redis_start()
        store.guarded(lambda: store.client().ping(), always=True)


READS: dict[str, Callable[[CacheService], Any]] = {
    "get": lambda cache: cache.get("key"),
    "increment": lambda cache: cache.increment("n"),
    "decrement": lambda cache: cache.decrement("n"),
    "get_stats": lambda cache: cache.get_stats(),
    "get_current_environment": lambda cache: cache.get_current_environment(),
    "get_current_weather": lambda cache: cache.get_current_weather(),
    "get_current_season": lambda cache: cache.get_current_season(),
    "get_market_listings": lambda cache: cache.get_market_listings(),
    "get_leaderboard": lambda cache: cache.get_leaderboard(),
    "get_user_inventory": lambda cache: cache.get_user_inventory(1),
    "get_craftable_recipes": lambda cache: cache.get_craftable_recipes(1, 1),
    "get_session": lambda cache: cache.get_session("s"),
}
SETTERS: dict[str, Callable[[CacheService], Any]] = {
    "set": lambda cache: cache.set("key", 1, ttl=60),
    "exists": lambda cache: cache.exists("key"),
    "expire": lambda cache: cache.expire("key", 60),
    "set_current_environment": lambda cache: cache.set_current_environment({"a": 1}),
    "set_current_weather": lambda cache: cache.set_current_weather({"a": 1}),
    "set_current_season": lambda cache: cache.set_current_season({"a": 1}),
    "set_market_listings": lambda cache: cache.set_market_listings([]),
    "set_leaderboard": lambda cache: cache.set_leaderboard([]),
    "set_user_inventory": lambda cache: cache.set_user_inventory(1, []),
    "set_craftable_recipes": lambda cache: cache.set_craftable_recipes(1, 1, []),
    "set_session": lambda cache: cache.set_session("s", SESSION),
    "refresh_session": lambda cache: cache.refresh_session("s"),
}
DROPS: dict[str, Callable[[CacheService], Any]] = {
    "delete": lambda cache: cache.delete("key"),
    "invalidate_environment": lambda cache: cache.invalidate_environment(),
    "invalidate_market_cache": lambda cache: cache.invalidate_market_cache(),
    "invalidate_market_cache(1)": lambda cache: cache.invalidate_market_cache(1),
    "invalidate_leaderboard": lambda cache: cache.invalidate_leaderboard(),
    "invalidate_user_inventory": lambda cache: cache.invalidate_user_inventory(1),
    "invalidate_user_recipes": lambda cache: cache.invalidate_user_recipes(1),
    "delete_session": lambda cache: cache.delete_session("s"),
    "flush_all": lambda cache: cache.flush_all(),
    "cached.invalidate": lambda cache: cache.cached()(abs).invalidate(1),
}


def test_with_redis_stopped_reads_give_none_setters_false_and_drops_complain(stopped: CacheService) -> None:
    assert {name: call(stopped) for name, call in READS.items()} == dict.fromkeys(READS)
    assert {name: call(stopped) for name, call in SETTERS.items()} == dict.fromkeys(SETTERS, False)
    for name, call in DROPS.items():
        with pytest.raises(StoreDown):
            pytest.fail(f"{name} gave {call(stopped)} in silence")
    assert stopped.check_rate_limit("ada", 1) is True
    assert stopped.check_rate_limit("ada", 1) is True
    assert stopped.get_remaining_requests("ada", 7) == 7


def test_with_redis_stopped_a_cached_function_is_called(stopped: CacheService) -> None:
    calls: list[int] = []

    @stopped.cached()
    def find(n: int) -> int:
        calls.append(n)
        return n

    assert (find(1), find(1), calls) == (1, 1, [1, 1])


def test_every_method_is_held_against_a_stopped_redis() -> None:
    methods = {name for name in dir(CacheService) if not name.startswith("_") and callable(getattr(CacheService, name))}
    tested = {name.split("(")[0].split(".")[0] for name in [*READS, *SETTERS, *DROPS]}
    assert methods - tested == {"from_settings", "close", "check_rate_limit", "get_remaining_requests"}


def test_what_stood_in_redis_before_it_was_started_again_is_never_served(cache: CacheService) -> None:
    cache.set("key", 1)
    cache.set_current_weather({"id": 1})
    servers.redis_stop()
    servers.redis_start()
    store.guarded(lambda: store.client().ping(), always=True)
    # The value is there, and of an earlier run.
    assert (cache.get("key"), cache.get("env:weather:current")) == (1, {"id": 1})
    assert cache.get_current_weather() is None
    assert cache.set_current_weather({"id": 2}) is True
    assert cache.get_current_weather() == {"id": 2}


def test_a_call_to_a_redis_that_hangs_takes_its_timeout_and_no_more(world: None) -> None:
    parts = parse_url(settings.REDIS_URL)
    assert CacheService()._pool.connection_kwargs["socket_timeout"] == 0.1
    with CacheService(parts["host"], parts["port"], parts["password"], timeout=0.4) as cache:
        cache.set("key", 1)
        servers.redis_pause()
        try:
            started = time.monotonic()
            assert cache.get("key") is None
            assert 0.3 < time.monotonic() - started < 4
            with pytest.raises(StoreDown):
                cache.delete("key")
        finally:
            servers.redis_resume()
        assert cache.set("key", 2) is True
        assert cache.get("key") == 2


def test_a_wrong_password_is_a_redis_that_does_not_answer(world: None) -> None:
    parts = parse_url(settings.REDIS_URL)
    with CacheService(parts["host"], parts["port"], "wrong") as cache:
        assert (cache.set("key", 1), cache.get("key")) == (False, None)
        with pytest.raises(StoreDown):
            cache.delete("key")
