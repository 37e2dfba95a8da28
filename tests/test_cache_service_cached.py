"""`cached`: a function's results, kept by its arguments."""

import re
from collections.abc import Callable
from typing import Any

import pytest

from bcraftd.cache import service, store
from bcraftd.cache.service import CacheService


def redis() -> Any:
    return store.client()


def double(n: int) -> int:
    """Twice as much."""
    return 2 * n


def test_a_cached_function_is_called_once_for_the_same_arguments(cache: CacheService) -> None:
    calls: list[Any] = []

    @cache.cached(ttl=60, key_prefix="prices")
    def price(resource: int, *, quantity: int = 1, tags: list[str] | None = None) -> dict[str, Any]:
        calls.append((resource, quantity))
        return {"total": resource * quantity}

    results = [price(7), price(resource=7), price(7, quantity=1), price(7, tags=None)]
    assert results == [{"total": 7}] * 4
    assert calls == [(7, 1)]
    assert price(7, quantity=2) == {"total": 14}
    assert price(8) == {"total": 8}
    assert calls == [(7, 1), (7, 2), (8, 1)]
    key = price.key(7)
    assert key == (
        "prices:tests.test_cache_service_cached.test_a_cached_function_is_called_once_for_the_same_arguments.<locals>.price:"
        '{"quantity":1,"resource":7,"tags":null}'
    )
    assert 0 < redis().pttl(key) <= 60_000


@pytest.mark.parametrize("result", [None, 0, False, "", [], {}])
def test_none_and_other_empty_results_are_kept_too(cache: CacheService, result: Any) -> None:
    calls: list[int] = []

    @cache.cached()
    def find(n: int) -> Any:
        calls.append(n)
        return result

    assert [find(1), find(1)] == [result, result]
    assert calls == [1]
    assert 295_000 < redis().pttl(find.key(1)) <= 300_000


def test_invalidate_drops_what_is_kept_for_these_arguments(cache: CacheService) -> None:
    calls: list[int] = []

    @cache.cached()
    def find(n: int, more: int = 0) -> int:
        calls.append(n)
        return n

    find(1), find(2)
    assert find.invalidate(n=1) is True
    assert find.invalidate(1) is False
    find(1), find(2)
    assert calls == [1, 2, 1]


def test_what_the_function_raises_passes_through_and_nothing_is_kept(cache: CacheService) -> None:
    calls: list[int] = []

    @cache.cached()
    def find(n: int) -> int:
        calls.append(n)
        if len(calls) == 1:
            raise KeyError(n)
        return n

    with pytest.raises(KeyError):
        find(1)
    assert redis().keys("cached:*") == []
    assert find(1) == 1


def test_a_result_is_the_same_whether_it_was_kept_or_not(cache: CacheService) -> None:
    pair: Callable[[], Any] = cache.cached()(lambda: (1, {2: 3}))
    assert [pair(), pair()] == [[1, {"2": 3}]] * 2


def test_what_json_cannot_hold_is_no_argument_and_no_result(cache: CacheService) -> None:
    find: Callable[..., Any] = cache.cached()(lambda what: what)
    with pytest.raises(TypeError):
        find({1, 2})
    with pytest.raises(TypeError):
        find()
    with pytest.raises(TypeError):
        cache.cached()(lambda: {1, 2})()
    assert redis().keys("cached:*") == []


def test_long_arguments_stand_in_the_key_as_their_hash(cache: CacheService) -> None:
    find = cache.cached()(lambda text: len(text))
    assert [find("a" * 1000), find("a" * 999), find("a" * 1000)] == [1000, 999, 1000]
    # What the process has counted comes to Redis by itself, at any moment.
    keys = redis().keys("cached:*")
    assert len(keys) == 2
    assert all(re.search(rb":[0-9a-f]{64}$", key) for key in keys)


def test_the_decorated_function_keeps_its_name_and_words(cache: CacheService) -> None:
    decorated = cache.cached()(double)
    assert (decorated.__name__, decorated.__doc__, decorated.__wrapped__) == (  # type: ignore[attr-defined]
        "double", "Twice as much.", double,
    )  # fmt: skip


@service.cached(ttl=60, key_prefix="module")
def tripled(n: int) -> Any:
    return 3 * n


def test_the_modules_own_decorator_uses_the_projects_redis(cache: CacheService) -> None:
    assert tripled(2) == 6
    assert cache.get(tripled.key(2)) == {"value": 6}
    cache.set(tripled.key(2), {"value": "kept"})
    assert tripled(2) == "kept"
    assert tripled.invalidate(2) is True
    # What somebody else put there is not taken for a result.
    cache.set(tripled.key(2), "foreign")
    assert tripled(2) == 6
