"""manage.py cache_stats: the server's figures, and what the cache did, over all processes."""

import json
from types import SimpleNamespace
from typing import Any

import pytest
from django.core.management import CommandError

from bcraftd.cache import scripts
from bcraftd.management.commands import cache_stats
from tests.programs import command, manage, python
from tests.servers import redis_start, redis_stop
from tests.support import Api, setting

READS = """
import django
django.setup()
from market.selectors import listings_page
print(*[listings_page().outcome for _ in range(3)])
"""


def _stats() -> dict[str, Any]:
    found = json.loads(command("cache_stats", "--json"))
    assert isinstance(found, dict)
    return found


def _market() -> dict[str, Any]:
    return dict(_stats()["families"]["market"])


def test_the_report_has_the_servers_and_each_familys_figures(ada: Api) -> None:
    ada.get("/api/inventory")

    found = _stats()

    assert set(found) == {"server", "families"}
    server = found["server"]
    assert set(server) == {
        "connected_clients", "used_memory", "used_memory_human", "used_memory_peak_human",
        "total_commands_processed", "hit_rate", "uptime_in_seconds", "redis_version",
    }  # fmt: skip
    for name in ("connected_clients", "used_memory", "total_commands_processed"):
        assert isinstance(server[name], int)
        assert server[name] > 0, name
    assert isinstance(server["uptime_in_seconds"], int)
    assert 0 <= server["hit_rate"] <= 1
    assert server["redis_version"].startswith("7.")
    assert set(found["families"]) == {
        "sessions", "inventory", "recipes", "catalogue", "market", "environment", "leaderboard",
    }  # fmt: skip
    for row in found["families"].values():
        assert set(row) == {"keys", "hits", "misses", "hit_rate", "bypasses", "refused_fills", "fill_ms"}
    assert found["families"]["leaderboard"] == {
        "keys": 0, "hits": 0, "misses": 0, "hit_rate": None, "bypasses": 0, "refused_fills": 0, "fill_ms": None,
    }  # fmt: skip
    assert found["families"]["sessions"]["keys"] == 1
    assert found["families"]["sessions"]["hits"] == 1


def test_a_load_is_counted_to_the_read(api: Api) -> None:
    for _ in range(4):
        api.get("/api/market/listings")
    api.get("/api/market/listings?limit=1")
    for _ in range(3):
        api.get("/api/market/listings?limit=1")
    with setting(CACHE_ENABLED=False):
        api.get("/api/market/listings")

    row = _market()

    assert (row["keys"], row["hits"], row["misses"], row["bypasses"], row["refused_fills"]) == (1, 6, 2, 1, 0)
    assert row["hit_rate"] == 0.75
    assert row["fill_ms"] > 0


def test_a_fill_that_was_refused_is_counted(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scripts, "MAX_VARIANTS", 1)
    for limit in (1, 2, 2):
        api.get(f"/api/market/listings?limit={limit}")

    row = _market()

    assert (row["hits"], row["misses"], row["refused_fills"], row["hit_rate"]) == (0, 3, 2, 0)


def test_the_counts_of_all_processes_are_summed(api: Api) -> None:
    assert api.get("/api/market/listings")["X-Cache"] == "MISS"

    other = python("-c", READS)

    assert other.stdout.split() == ["HIT"] * 3, other.stderr
    row = _market()
    assert (row["hits"], row["misses"], row["hit_rate"]) == (3, 1, 0.75)
    third = manage("cache_stats", "--json")
    assert third.returncode == 0, third.stderr
    assert json.loads(third.stdout)["families"]["market"]["hits"] == 3


def test_looking_at_the_statistics_changes_none_of_them(api: Api) -> None:
    api.get("/api/market/listings")

    assert _market() == _market()


def test_for_people_it_is_a_table(api: Api) -> None:
    shown = command("cache_stats")

    for word in ("redis_version", "hit_rate", "environment", "leaderboard", "refused_fills"):
        assert word in shown


def test_watching_goes_on_until_it_is_ended_and_then_shows_the_last_state(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    rounds: list[float] = []

    def sleep(seconds: float) -> None:
        rounds.append(seconds)
        api.get("/api/market/listings")
        if len(rounds) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(cache_stats, "time", SimpleNamespace(sleep=sleep))

    shown = command("cache_stats", "--watch")

    assert len(rounds) == 3
    market = [line for line in shown.splitlines() if "market" in line][-1]
    assert market.split()[:4] == ["market", "1", "2", "1"], "keys, hits, misses"


def test_without_redis_it_says_so(world: None) -> None:
    redis_stop()
    try:
        for words in ([], ["--json"], ["--watch"]):
            with pytest.raises(CommandError, match="Redis does not answer"):
                command("cache_stats", *words)
    finally:
        redis_start()
