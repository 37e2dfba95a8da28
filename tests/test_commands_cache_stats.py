"""manage.py cache_stats: what the cache did, over all processes, in all and in the last minutes."""

import json
import time
from typing import Any, cast

import pytest
from django.core.management import CommandError
from django.db import close_old_connections

from bcraftd.cache import background, outbox, scripts, stats, store
from tests.cache_counts import market, owe, report
from tests.programs import command, manage, python
from tests.servers import postgres_restart, redis_pause, redis_resume, redis_start, redis_stop
from tests.support import Api, redis_is_back, setting

pytestmark = pytest.mark.usefixtures("counted_from_nothing")

READS = """
import django
django.setup()
from market.selectors import listings_page
print(*[listings_page().outcome for _ in range(3)])
"""

FORKS = """
import os
import django
django.setup()
from bcraftd.cache import background, stats
stats.count("market", "hits", 3)
child = os.fork()
if not child:
    stats.count("market", "waits")
    background.flush()
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
stats.count("market", "misses", 2)
"""

COUNTED = {"hits", "misses", "hit_rate", "bypasses", "refused_fills", "waits", "invalidations", "fill_ms"}
NOTHING = {**dict.fromkeys(COUNTED, 0), "hit_rate": None, "fill_ms": None}


def test_the_report_has_the_servers_and_each_familys_figures(ada: Api) -> None:
    ada.get("/api/inventory")

    found = report()

    assert set(found) == {"server", "redis", "families"}
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
    assert found["redis"] == {"failures": 0, "timeouts": 0, "opened": 0, "not_fenced": 0, "replayed": 0}
    assert set(found["families"]) == {
        "sessions", "inventory", "recipes", "catalogue", "market", "environment", "leaderboard",
    }  # fmt: skip
    for row in found["families"].values():
        assert set(row) == COUNTED | {"keys", "outbox", "window"}
        assert set(row["window"]) == COUNTED | {"seconds"}
    assert found["families"]["leaderboard"] == {
        "keys": 0, **NOTHING, "outbox": 0, "window": {"seconds": 300, **NOTHING},
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

    row = market()

    assert row["keys"] == 1
    for counted in (row, row["window"]):
        assert (counted["hits"], counted["misses"], counted["bypasses"], counted["refused_fills"]) == (6, 2, 1, 0)
        assert counted["hit_rate"] == 0.75
        assert counted["fill_ms"] > 0


def test_twenty_reads_of_which_the_first_fills_are_a_hit_rate_of_95_percent(api: Api) -> None:
    for _ in range(20):
        api.get("/api/environment/current")

    row = report()["families"]["environment"]

    assert (row["hits"], row["misses"], row["hit_rate"]) == (19, 1, 0.95)
    assert (row["window"]["hits"], row["window"]["misses"], row["window"]["hit_rate"]) == (19, 1, 0.95)


def test_a_fill_that_was_refused_is_counted(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scripts, "MAX_VARIANTS", 1)
    for limit in (1, 2, 2):
        api.get(f"/api/market/listings?limit={limit}")

    row = market()

    assert (row["hits"], row["misses"], row["refused_fills"], row["hit_rate"]) == (0, 3, 2, 0)


def test_what_a_write_makes_stale_is_counted(ada: Api) -> None:
    ada.grant(mutterwood_log=5)
    before = market()["invalidations"]

    ada.sells("mutterwood-log", 2, 10)

    row = market()
    assert row["invalidations"] > before
    assert row["window"]["invalidations"] == row["invalidations"]


# --- Over all processes -----------------------------------------------------------------------------------


def test_the_counts_of_all_processes_are_summed(api: Api) -> None:
    assert api.get("/api/market/listings")["X-Cache"] == "MISS"

    other = python("-c", READS)

    assert other.stdout.split() == ["HIT"] * 3, other.stderr
    row = market()
    for counted in (row, row["window"]):
        assert (counted["hits"], counted["misses"], counted["hit_rate"]) == (3, 1, 0.75)
    third = manage("cache_stats", "--json")
    assert third.returncode == 0, third.stderr
    assert json.loads(third.stdout)["families"]["market"]["hits"] == 3


def test_looking_at_the_statistics_changes_none_of_them(api: Api) -> None:
    api.get("/api/market/listings")

    assert market() == market()


def test_a_forked_process_counts_what_is_its_own_and_its_parent_the_rest() -> None:
    done = python("-c", FORKS)

    assert done.returncode == 0, done.stderr
    row = market()
    assert (row["hits"], row["misses"], row["waits"]) == (3, 2, 1)


def test_a_redis_that_hung_counts_once_what_was_sent_to_it_more_than_once() -> None:
    stats.count("market", "hits", 7)
    redis_pause()
    try:
        # Sent and not answered. It lies in the socket, and Redis takes it when it goes on.
        background.flush()
    finally:
        redis_resume()
    redis_is_back()
    stats.count("market", "hits", 2)

    row = market()

    assert (row["hits"], row["window"]["hits"]) == (9, 9)


def test_what_was_counted_while_redis_was_away_is_written_later(api: Api) -> None:
    redis_stop()
    try:
        for _ in range(3):
            assert api.get("/api/market/listings")["X-Cache"] == "BYPASS"
            background.flush()
    finally:
        redis_start()
    redis_is_back()

    found = report()

    assert found["families"]["market"]["bypasses"] == 3
    assert found["redis"]["failures"] > 0
    assert found["redis"]["opened"] == 1


# --- The window -------------------------------------------------------------------------------------------


def _bucket_of(age: float, **counts: int) -> None:
    """A bucket as it was filled some seconds ago."""
    start = int(time.time() - age) // stats.BUCKET_SECONDS * stats.BUCKET_SECONDS
    fields = {f"market:{name}": number for name, number in counts.items()}
    cast("Any", store.client()).hset(f"stats:window:{start}", mapping=fields)


def test_the_window_forgets_what_the_totals_keep() -> None:
    _bucket_of(6 * 60, hits=100, misses=0, waits=7)
    _bucket_of(4 * 60, hits=1, misses=3, fill_us=6000)
    stats.count("market", "hits", 5)
    stats.count("market", "misses", 1)

    five, ten, one = market(), market("--window", "10"), market("--window", "1")

    assert five["window"] == {
        **NOTHING, "seconds": 300, "hits": 6, "misses": 4, "hit_rate": 0.6, "fill_ms": 1.5,
    }  # fmt: skip
    assert (ten["window"]["seconds"], ten["window"]["hits"], ten["window"]["waits"]) == (600, 106, 7)
    assert (one["window"]["hits"], one["window"]["misses"]) == (5, 1)
    assert (five["hits"], five["misses"]) == (5, 1), "the totals have only what was counted"


def test_the_longest_window_is_an_hour_and_reads_it_whole() -> None:
    _bucket_of(60 * 60 - 1, hits=3)
    _bucket_of(60 * 60 + 2 * stats.BUCKET_SECONDS, hits=100)

    assert market("--window", "60")["window"]["hits"] == 3


@pytest.mark.parametrize("minutes", ["0", "61", "-5", "1.5", "five", ""])
def test_another_window_is_refused(minutes: str) -> None:
    with pytest.raises(CommandError, match="1 to 60"):
        command("cache_stats", f"--window={minutes}")
    for seconds in (0, 3601):
        with pytest.raises(ValueError, match="3600"):
            stats.window("market", seconds)


def test_what_is_kept_for_the_window_ends_by_itself(api: Api) -> None:
    for _ in range(3):
        api.get("/api/market/listings")
        background.flush()
    assert python("-c", READS).returncode == 0

    redis = cast("Any", store.client())
    lives = {key: redis.ttl(key) for pattern in ("window", "writer") for key in redis.scan_iter(f"stats:{pattern}:*")}

    assert len(lives) >= 3, "a bucket at least, and a writer for each process"
    for key, life in lives.items():
        assert 3590 < life <= 3660, key


# --- The outbox -------------------------------------------------------------------------------------------


def test_drops_that_wait_and_drops_that_were_replayed_are_shown() -> None:
    owe(market_listings_active_all="market", market_listings_active_1="market", env_current="environment")

    waiting = report()

    depths = {name: row["outbox"] for name, row in waiting["families"].items()}
    assert depths == {**dict.fromkeys(depths, 0), "market": 2, "environment": 1}
    assert (waiting["redis"]["not_fenced"], waiting["redis"]["replayed"]) == (1, 0)

    outbox.replay()

    after = report()
    assert after["families"]["market"]["outbox"] == 0
    assert (after["redis"]["not_fenced"], after["redis"]["replayed"]) == (1, 1)


def test_without_postgresql_everything_but_the_outbox_is_shown(api: Api) -> None:
    api.get("/api/market/listings")
    postgres_restart()
    try:
        row = market()
        shown = command("cache_stats")
    finally:
        # What each request begins with, outside of a test.
        close_old_connections()

    assert (row["misses"], row["outbox"]) == (1, None)
    assert "market" in shown
    assert market()["outbox"] == 0
