"""The cache's part of /metrics: sums over all processes, and what this process finds just now."""

from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from django.db import close_old_connections, connection, transaction
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families
from redis.client import Pipeline

from bcraftd.cache import background, families, metrics, outbox, stats, store
from bcraftd.models import OutboxRow
from tests import servers
from tests.programs import python
from tests.support import Api, redis_is_back

pytestmark = pytest.mark.usefixtures("counted_from_nothing")

COUNTERS = {name for name, *_ in (*metrics.BY_FAMILY, *metrics.OF_REDIS, *metrics.REDIS_COUNTERS)}
# What only Redis itself can say.
SERVER = {name for name, *_ in metrics.REDIS_GAUGES}
GAUGES = {"bcraftd_cache_up", "bcraftd_breaker_open", "bcraftd_outbox_depth", "bcraftd_outbox_oldest_seconds"}
OURS = ("bcraftd_cache_", "bcraftd_breaker_", "bcraftd_outbox_", "bcraftd_redis_", "bcraftd_writes_")

COUNTS = """
import django
django.setup()
from bcraftd.cache import stats
stats.count("market", "waits", 4)
"""

SCRAPES = """
import django
django.setup()
from django.test import Client
client = Client(headers={"host": "localhost"})
client.get("/healthz")
print(client.get("/metrics").content.decode())
"""

Samples = dict[tuple[str, str], float]


def parsed(text: str) -> Samples:
    """The cache's samples by name and family. Fails where a name is declared twice."""
    found = list(text_string_to_metric_families(text))
    names = [metric.name for metric in found]
    assert len(names) == len(set(names))
    return {
        (sample.name, sample.labels.get("family", "")): sample.value
        for metric in found
        for sample in metric.samples
        if sample.name.startswith(OURS)
    }


def scrape(api: Api) -> Samples:
    """What Prometheus sees once this process has written what it counted."""
    background.flush()
    answer = api.get("/metrics")
    assert answer.status_code == 200
    assert answer["Content-Type"].startswith("text/plain")
    assert b"bcraftd_http_requests_total" in answer.content
    return parsed(answer.content.decode())


def names(samples: Samples) -> set[str]:
    return {name for name, _ in samples}


def market(samples: Samples) -> dict[str, float]:
    return {
        name.removeprefix("bcraftd_cache_"): value for (name, family), value in samples.items() if family == "market"
    }


def test_every_family_has_each_figure_from_the_first_scrape_on(api: Api) -> None:
    samples = scrape(api)

    by_family = {name for name, *_ in metrics.BY_FAMILY} | {"bcraftd_outbox_depth"}
    alone = (COUNTERS | GAUGES | SERVER) - by_family
    assert set(samples) == {(name, family) for name in by_family for family in families.names()} | {
        (name, "") for name in alone
    }
    of_server = SERVER | {name for name, *_ in metrics.REDIS_COUNTERS}
    counted = {key: value for key, value in samples.items() if value and key[0] not in of_server}
    assert counted == {("bcraftd_cache_up", ""): 1}
    assert samples["bcraftd_redis_memory_bytes", ""] > 0


def test_a_load_is_seen_to_the_read(api: Api) -> None:
    for _ in range(20):
        api.get("/api/market/listings")

    found = market(scrape(api))

    assert (found["hits_total"], found["misses_total"], found["bypasses_total"]) == (19, 1, 0)
    counted = stats.read("market")
    assert found["fill_seconds_total"] == counted["fill_us"] / 1_000_000 > 0


def test_another_process_counts_into_the_same_sums(api: Api) -> None:
    stats.count("market", "waits", 1)
    other = python("-c", COUNTS)

    assert other.returncode == 0, other.stderr
    assert market(scrape(api))["waits_total"] == 5


def test_what_happens_with_redis_is_counted(api: Api) -> None:
    for number, name in enumerate(stats.REDIS_NAMES, start=1):
        stats.count(stats.REDIS, name, number)

    samples = scrape(api)

    assert {name: samples[name, ""] for name, *_ in metrics.OF_REDIS} == {
        "bcraftd_redis_failures_total": 1,
        "bcraftd_redis_timeouts_total": 2,
        "bcraftd_breaker_opened_total": 3,
        "bcraftd_writes_not_fenced_total": 4,
        "bcraftd_outbox_replayed_total": 5,
    }


def test_drops_that_wait_are_a_gauge_by_family(api: Api) -> None:
    with transaction.atomic():
        outbox.write({"env:current": "environment", "env:weather:current": "environment"}, connection)

    samples = scrape(api)

    assert samples["bcraftd_outbox_depth", "environment"] == 2
    assert samples["bcraftd_outbox_depth", "market"] == 0
    outbox.replay()
    assert scrape(api)["bcraftd_outbox_depth", "environment"] == 0


def test_the_oldest_drop_says_how_long_it_has_waited(api: Api) -> None:
    assert scrape(api)["bcraftd_outbox_oldest_seconds", ""] == 0
    for hours in (0, 1):
        with transaction.atomic():
            outbox.write({"env:current": "environment"}, connection)
        if hours == 0:
            OutboxRow.objects.update(created_at=timezone.now() - timedelta(hours=1))

    assert 3600 <= scrape(api)["bcraftd_outbox_oldest_seconds", ""] < 3700


def test_of_a_deep_outbox_only_the_first_rows_are_read(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "COUNTED", 3)
    for _ in range(5):
        with transaction.atomic():
            outbox.write({"env:current": "environment"}, connection)
    OutboxRow.objects.create(table_name="market_listing", changed={"id": 1})

    samples = scrape(api)

    assert samples["bcraftd_outbox_depth", "environment"] == 3
    assert samples["bcraftd_outbox_depth", "market"] == 0


def test_a_scrape_is_one_round_trip_for_the_counts_that_looks_at_no_keys(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    api.get("/api/market/listings")
    background.flush()
    trips: list[int] = []
    execute = Pipeline.execute

    def counting(self: Any, *args: Any, **options: Any) -> Any:
        trips.append(len(self))
        return execute(self, *args, **options)

    monkeypatch.setattr(Pipeline, "execute", counting)
    redis = cast("Any", store.client())
    before = redis.info("commandstats")

    assert api.get("/metrics").status_code == 200

    after = redis.info("commandstats")
    calls = {name: after[name]["calls"] - before.get(name, {"calls": 0})["calls"] for name in after}
    assert trips == [len(families.names()) + 1]
    # Asking for these figures is itself a command.
    assert {name for name, made in calls.items() if made} <= {"cmdstat_hgetall", "cmdstat_info"}
    assert calls["cmdstat_hgetall"] == trips[0]


def test_without_redis_there_is_a_gap_in_the_counters_and_the_gauges_go_on(api: Api) -> None:
    api.get("/api/market/listings")
    before = scrape(api)
    servers.redis_stop()
    try:
        with transaction.atomic():
            outbox.write({"env:current": "environment"}, connection)
        without = [scrape(api) for _ in range(2)]
    finally:
        servers.redis_start()

    for samples in without:
        assert names(samples) == GAUGES, "what Redis says of itself is a gap too"
        assert samples["bcraftd_cache_up", ""] == 0
        assert samples["bcraftd_breaker_open", ""] == 1
        assert samples["bcraftd_outbox_depth", "environment"] == 1

    redis_is_back()
    after = scrape(api)
    assert names(after) == GAUGES | COUNTERS | SERVER
    assert (after["bcraftd_cache_up", ""], after["bcraftd_breaker_open", ""]) == (1, 0)
    ours = COUNTERS - {name for name, *_ in metrics.REDIS_COUNTERS}
    assert all(after[key] >= value for key, value in before.items() if key[0] in ours), "no counter went back"
    assert after["bcraftd_redis_failures_total", ""] > 0
    assert after["bcraftd_breaker_opened_total", ""] == 1


def test_without_postgresql_only_the_outbox_is_missing(api: Api) -> None:
    api.get("/api/market/listings")
    background.flush()
    servers.postgres_restart()
    try:
        samples = scrape(api)
    finally:
        # What each request begins with, outside of a test.
        close_old_connections()

    everything = GAUGES | COUNTERS | SERVER
    assert names(samples) == everything - {"bcraftd_outbox_depth", "bcraftd_outbox_oldest_seconds"}
    assert market(samples)["misses_total"] == 1
    assert names(scrape(api)) == everything


def test_where_processes_are_added_up_by_files_what_redis_keeps_is_still_there_once(folder: Path) -> None:
    stats.count("market", "hits", 3)
    background.flush()

    done = python("-c", SCRAPES, PROMETHEUS_MULTIPROC_DIR=str(folder))

    assert done.returncode == 0, done.stderr
    assert 'bcraftd_http_requests_total{endpoint="/healthz"' in done.stdout
    assert market(parsed(done.stdout))["hits_total"] == 3
