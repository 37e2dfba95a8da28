"""The cache's part of /metrics: sums over all processes, and what this process finds just now."""

from pathlib import Path
from typing import Any, cast

import pytest
from django.db import close_old_connections, connection, transaction
from prometheus_client.parser import text_string_to_metric_families
from redis.client import Pipeline

from bcraftd.cache import background, families, metrics, outbox, stats, store
from tests import servers
from tests.programs import python
from tests.support import Api, redis_is_back

pytestmark = pytest.mark.usefixtures("counted_from_nothing")

COUNTERS = {name for name, *_ in (*metrics.BY_FAMILY, *metrics.OF_REDIS)}
GAUGES = {"bcraftd_cache_up", "bcraftd_breaker_open", "bcraftd_outbox_depth"}

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
    """The samples of ours by name and family. Fails where a name is declared twice."""
    found = list(text_string_to_metric_families(text))
    names = [metric.name for metric in found]
    assert len(names) == len(set(names))
    return {
        (sample.name, sample.labels.get("family", "")): sample.value
        for metric in found
        for sample in metric.samples
        # The express lane's own are of this process, and of whichever tests ran in it before.
        if sample.name.startswith("bcraftd_") and not sample.name.startswith("bcraftd_express_")
    }


def scrape(api: Api) -> Samples:
    """What Prometheus sees once this process has written what it counted."""
    background.flush()
    answer = api.get("/metrics")
    assert answer.status_code == 200
    assert answer["Content-Type"].startswith("text/plain")
    assert b"django_http_requests_total" in answer.content
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
    alone = {name for name, *_ in metrics.OF_REDIS} | {"bcraftd_cache_up", "bcraftd_breaker_open"}
    assert set(samples) == {(name, family) for name in by_family for family in families.names()} | {
        (name, "") for name in alone
    }
    assert {key: value for key, value in samples.items() if value} == {("bcraftd_cache_up", ""): 1}


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


def test_a_scrape_is_one_round_trip_that_looks_at_no_keys(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
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
        assert names(samples) == GAUGES
        assert samples["bcraftd_cache_up", ""] == 0
        assert samples["bcraftd_breaker_open", ""] == 1
        assert samples["bcraftd_outbox_depth", "environment"] == 1

    redis_is_back()
    after = scrape(api)
    assert names(after) == GAUGES | COUNTERS
    assert (after["bcraftd_cache_up", ""], after["bcraftd_breaker_open", ""]) == (1, 0)
    assert all(after[key] >= value for key, value in before.items() if key[0] in COUNTERS), "no counter went back"
    assert after["bcraftd_redis_failures_total", ""] > 0
    assert after["bcraftd_breaker_opened_total", ""] == 1


def test_without_postgresql_only_the_depth_of_the_outbox_is_missing(api: Api) -> None:
    api.get("/api/market/listings")
    background.flush()
    servers.postgres_restart()
    try:
        samples = scrape(api)
    finally:
        # What each request begins with, outside of a test.
        close_old_connections()

    assert names(samples) == (GAUGES | COUNTERS) - {"bcraftd_outbox_depth"}
    assert market(samples)["misses_total"] == 1
    assert names(scrape(api)) == GAUGES | COUNTERS


def test_where_django_prometheus_adds_up_processes_by_files_ours_is_still_there_once(folder: Path) -> None:
    stats.count("market", "hits", 3)
    background.flush()

    done = python("-c", SCRAPES, PROMETHEUS_MULTIPROC_DIR=str(folder))

    assert done.returncode == 0, done.stderr
    assert "django_http_requests_before_middlewares_total" in done.stdout
    assert market(parsed(done.stdout))["hits_total"] == 3
