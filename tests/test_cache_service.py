"""CacheService alone: any key, rate limits, the server, and the page that documents it, against the real Redis."""

import json
import re
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast

import pytest
from django.conf import settings
from django.utils import timezone
from redis.connection import parse_url

from bcraftd.cache import store
from bcraftd.cache.service import CacheService
from tests.programs import ROOT
from tests.support import redis_commands

PAGE = (ROOT / "docs" / "cache-service.md").read_text(encoding="utf-8")
SESSION = {"session_id": "s", "player_id": 1, "login": "ada"}


def other_database(number: int) -> CacheService:
    """A service built from its parts, on the same server."""
    parts = parse_url(settings.REDIS_URL)
    return CacheService(parts["host"], parts["port"], parts["password"], number, 5, timeout=1)


def redis() -> Any:
    return store.client()


VALUES: list[Any] = [
    {"nested": [{"a": 1}, None, True]}, [], {}, "", "späti 🪓", 0, -1.5, False, [1, "2", [3]],
    # Ends nearly like a stamp.
    {"a": 1, "cached": "0" * 39}, {"a": 1, "cached": f"{'0' * 8}-{'0' * 16}-{'x' * 13}"}, {"a": 1, "cached": "é" * 30},
]  # fmt: skip


@pytest.mark.parametrize("value", VALUES, ids=str)
def test_a_value_comes_back_as_it_was_set(cache: CacheService, value: Any) -> None:
    assert cache.set("key", value) is True
    assert cache.get("key") == value
    assert cache.exists("key") is True
    assert json.loads(redis().get("key")) == value


def test_a_missing_key_is_none_and_a_null_is_told_from_it_by_exists(cache: CacheService) -> None:
    assert (cache.get("key"), cache.exists("key")) == (None, False)
    cache.set("key", None)
    assert (cache.get("key"), cache.exists("key")) == (None, True)


def test_what_is_no_json_or_no_string_is_none(cache: CacheService) -> None:
    redis().set("torn", b'{"a":')
    redis().hset("hash", "field", "1")
    assert (cache.get("torn"), cache.get("hash")) == (None, None)


@pytest.mark.parametrize("value", [{1, 2}, b"bytes", object(), float("nan"), [float("inf")], "\ud800", timezone.now()])
def test_what_json_cannot_hold_is_refused_before_anything_is_sent(cache: CacheService, value: Any) -> None:
    cache.set("key", "before")
    with redis_commands() as commands, pytest.raises((TypeError, ValueError)):
        cache.set("key", value)
    assert commands == []
    assert cache.get("key") == "before"


def test_nx_sets_only_a_new_key_and_xx_only_one_that_is_there(cache: CacheService) -> None:
    assert cache.set("key", 1, xx=True) is False
    assert cache.exists("key") is False
    assert cache.set("key", 1, nx=True) is True
    assert cache.set("key", 2, nx=True) is False
    assert cache.get("key") == 1
    assert cache.set("key", 3, xx=True) is True
    assert cache.get("key") == 3
    with pytest.raises(ValueError, match="nx"):
        cache.set("key", 4, nx=True, xx=True)


def test_a_life_is_in_seconds_and_ends(cache: CacheService) -> None:
    cache.set("for ever", 1)
    assert redis().ttl("for ever") == -1
    cache.set("key", 1, ttl=60)
    assert 59_000 < redis().pttl("key") <= 60_000
    assert cache.expire("key", 120) is True
    assert 119_000 < redis().pttl("key") <= 120_000
    cache.expire("key", 1)
    time.sleep(1.1)
    assert (cache.get("key"), cache.exists("key"), cache.expire("key", 60)) == (None, False, False)


@pytest.mark.parametrize("ttl", [0, -1])
def test_a_life_that_is_over_is_refused_before_anything_is_sent(cache: CacheService, ttl: int) -> None:
    cache.set("key", 1)
    with redis_commands() as commands:
        for call in (
            lambda: cache.set("key", 2, ttl=ttl),
            lambda: cache.expire("key", ttl),
            lambda: cache.check_rate_limit("ada", 1, ttl),
            lambda: cache.set_session("s", SESSION, ttl=ttl),
            lambda: cache.refresh_session("s", ttl=ttl),
            lambda: cache.cached(ttl=ttl)(len),
        ):
            with pytest.raises(ValueError, match="over at once"):
                call()
    assert commands == []
    assert cache.get("key") == 1


def test_delete_says_whether_there_was_something(cache: CacheService) -> None:
    cache.set("key", 1)
    assert cache.delete("key") is True
    assert cache.delete("key") is False
    assert cache.exists("key") is False


def test_increments_give_the_new_number_and_keep_the_life(cache: CacheService) -> None:
    assert [cache.increment("n"), cache.increment("n", 5), cache.decrement("n"), cache.decrement("n", 7)] == [
        1, 6, 5, -2,
    ]  # fmt: skip
    cache.set("n", 10, ttl=60)
    assert (cache.increment("n"), cache.get("n")) == (11, 11)
    assert 0 < redis().pttl("n") <= 60_000


@pytest.mark.parametrize("value", ["ten", 1.5, [1], 2**63 - 1])
def test_only_a_whole_number_that_stays_one_is_incremented(cache: CacheService, value: Any) -> None:
    cache.set("n", value)
    with pytest.raises(ValueError, match="n: "):
        cache.increment("n")
    assert cache.get("n") == value


def test_no_increment_of_twenty_threads_is_lost(cache: CacheService) -> None:
    start = threading.Barrier(20)

    def add(_: int) -> list[int | None]:
        start.wait(30)
        return [cache.increment("n") for _ in range(50)]

    with ThreadPoolExecutor(20) as pool:
        seen = [number for numbers in pool.map(add, range(20)) for number in numbers]
    assert sorted(cast("list[int]", seen)) == list(range(1, 1001))
    assert cache.get("n") == 1000


# --- Rate limits ---------------------------------------------------------------------------------------------


def test_so_many_requests_are_allowed_in_a_window_and_then_none(cache: CacheService) -> None:
    assert cache.get_remaining_requests("ada", 3) == 3
    assert [cache.check_rate_limit("ada", 3, 1) for _ in range(5)] == [True, True, True, False, False]
    assert cache.get_remaining_requests("ada", 3) == 0
    assert cache.check_rate_limit("bob", 3, 60) is True
    assert (cache.get_remaining_requests("bob", 3), cache.get_remaining_requests("bob")) == (2, 59)
    time.sleep(1.1)
    assert cache.check_rate_limit("ada", 3, 1) is True


def test_asking_what_remains_counts_nothing(cache: CacheService) -> None:
    assert [cache.get_remaining_requests("ada", 3) for _ in range(5)] == [3] * 5
    assert redis().exists("rl:service:ada") == 0


def test_the_window_does_not_slide_on_with_each_request(cache: CacheService) -> None:
    cache.check_rate_limit("ada", 3, 60)
    redis().pexpire("rl:service:ada", 30_000)
    cache.check_rate_limit("ada", 3, 60)
    assert 0 < redis().pttl("rl:service:ada") <= 30_000


def test_twenty_threads_together_get_what_is_allowed(cache: CacheService) -> None:
    with ThreadPoolExecutor(20) as pool:
        allowed = list(pool.map(lambda _: cache.check_rate_limit("ada", 60, 60), range(200)))
    assert allowed.count(True) == 60


def test_a_counter_is_never_seen_without_an_expiry(cache: CacheService) -> None:
    done = threading.Event()

    def count() -> None:
        # A window of a second ends and begins again while the other thread looks.
        end = time.monotonic() + 2.5
        while time.monotonic() < end:
            cache.check_rate_limit("ada", 3, 1)
        done.set()

    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(count)
        lives = set()
        while not done.is_set():
            lives.add(redis().pttl("rl:service:ada"))
        running.result()
    assert len(lives) > 20
    assert -1 not in lives


def test_a_counter_that_somebody_left_without_an_expiry_gets_one(cache: CacheService) -> None:
    redis().set("rl:service:ada", 100)
    assert cache.check_rate_limit("ada", 60, 60) is False
    assert 0 < redis().pttl("rl:service:ada") <= 60_000


# --- The server ----------------------------------------------------------------------------------------------


def test_the_statistics_are_those_of_the_server(cache: CacheService) -> None:
    before = cache.get_stats()
    assert before is not None
    cache.set("key", 1)
    for _ in range(3):
        cache.get("key")
    cache.get("missing")
    after = cache.get_stats()
    assert after is not None
    assert set(after) == {
        "connected_clients", "used_memory_human", "used_memory_peak_human", "total_commands_processed", "hit_rate",
        "uptime_in_seconds", "redis_version", "keyspace_hits", "keyspace_misses",
    }  # fmt: skip
    assert after["keyspace_hits"] >= before["keyspace_hits"] + 3
    assert after["keyspace_misses"] >= before["keyspace_misses"] + 1
    assert after["total_commands_processed"] > before["total_commands_processed"]
    hits, misses = after["keyspace_hits"], after["keyspace_misses"]
    assert after["hit_rate"] == pytest.approx(hits / (hits + misses), abs=1e-4)
    assert after["connected_clients"] >= 1
    assert after["redis_version"][0].isdigit()


def test_flush_all_empties_its_own_database_and_no_other(cache: CacheService) -> None:
    with other_database(5) as other:
        cache.set("key", "ours")
        other.set("key", "theirs")
        other.set_current_weather({"id": 1})
        assert other.flush_all() is True
        assert (other.get("key"), other.get_current_weather()) == (None, None)
        assert cache.get("key") == "ours"
        other.set("key", "theirs")
        assert cache.flush_all() is True
        assert (cache.get("key"), other.get("key")) == (None, "theirs")
        other.flush_all()


def test_a_closed_service_opens_again(cache: CacheService) -> None:
    cache.set("key", 1)
    cache.close()
    assert cache._pool._connections
    assert not any(each._sock for each in cache._pool._connections)
    assert cache.get("key") == 1


def test_more_threads_than_connections_wait_for_one(cache: CacheService) -> None:
    with other_database(0) as few, ThreadPoolExecutor(20) as pool:
        assert all(pool.map(lambda n: few.set(f"key:{n}", n), range(200)))
        assert len(few._pool._connections) <= 5
    assert cache.get("key:199") == 199


# --- The page ------------------------------------------------------------------------------------------------


def test_the_pages_examples_run_as_they_stand(cache: CacheService) -> None:
    examples = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert len(examples) > 5
    exec(compile("\n".join(examples), "docs/cache-service.md", "exec"), {"__name__": "examples"})  # noqa: S102


def test_every_method_stands_in_the_pages_table_and_no_other() -> None:
    documented = {
        name
        for line in PAGE.splitlines()
        if line.startswith("| `")
        for name in re.findall(r"`(\w+)\(", line.split("|")[1])
    }
    methods = {name for name in dir(CacheService) if not name.startswith("_")}
    assert documented == methods
