"""The cache observatory's overview: who may see it, that its figures are those of the load, that it is cheap."""

import json
import re
from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone
from django_q.models import Failure, Schedule

from accounts.models import Role
from bcraftd import economy
from bcraftd.cache import background, families, looking, stats, store
from bcraftd.models import OutboxRow
from tests.operators import Operator, admin
from tests.servers import redis_start, redis_stop
from tests.support import Api, queries, redis_commands, redis_is_back, resource_id, setting

PAGES = ["/admin/cache/", "/admin/cache/figures/", "/admin/cache/keys/", "/admin/cache/keys/one/?key=env:current"]
FLUSHES = ["/admin/cache/keys/drop/?key=env:current", "/admin/cache/flush/market/"]


def text_of(page: Any, part: str) -> str:
    """What stands in one of the parts that are brought up to date."""
    found = re.search(rf'data-live id="obs-{part}">(.*?)</t', page.content.decode())
    assert found, part
    return found[1].strip()


@pytest.fixture
def olga(world: None) -> Operator:
    return admin()


# --- Who may see it ---------------------------------------------------------------------------------------


def test_an_admin_sees_every_page(olga: Operator) -> None:
    for path in PAGES + FLUSHES:
        assert olga.client.get(path).status_code == 200, path


def test_a_moderator_sees_them_only_with_the_permission(world: None) -> None:
    mona = Operator.make("mona", Role.MODERATOR)

    for path in PAGES + FLUSHES:
        assert mona.client.get(path).status_code == 403, path
    assert reverse("admin:cache_overview") not in mona.get("index").content.decode()


def test_looking_is_one_permission_and_dropping_another(world: None) -> None:
    mona = Operator.make("mona", Role.MODERATOR, "bcraftd.observe_cache")

    for path in PAGES:
        assert mona.client.get(path).status_code == 200, path
    for path in FLUSHES:
        assert mona.client.get(path).status_code == 403, path
    assert "Flush" not in mona.get("cache_overview").content.decode()
    assert reverse("admin:cache_overview") in mona.get("index").content.decode()


def test_dropping_alone_lets_nobody_in(world: None) -> None:
    mona = Operator.make("mona", Role.MODERATOR, "bcraftd.flush_cache")

    for path in PAGES + FLUSHES:
        assert mona.client.get(path).status_code == 403, path


def test_players_are_sent_to_the_door(ada: Api) -> None:
    player = Operator("ada")

    for path in PAGES + FLUSHES:
        assert player.client.get(path).status_code == 302, path


# --- Its figures ------------------------------------------------------------------------------------------


def test_the_hit_rate_is_that_of_the_load(ada: Api, olga: Operator) -> None:
    path = f"/api/market/listings?resource_id={resource_id('mutterwood-log')}"
    families.flush("market")
    background.flush()
    before = stats.totals(["market"])["market"]

    seen = [ada.get(path)["X-Cache"] for _ in range(60)]
    for _ in range(3):
        families.flush("market")
        seen.append(ada.get(path)["X-Cache"])

    rate = seen.count("HIT") / len(seen)
    assert (seen.count("HIT"), seen.count("MISS")) == (59, 4)
    background.flush()
    page = olga.get("cache_overview")
    assert before["hits"] + before["misses"] == 0
    assert text_of(page, "market-rate") == text_of(page, "market-all") == f"{100 * rate:.1f} %"
    assert abs(page.context["figures"].families[4]["recent"]["hit_rate"] - rate) < 0.0001
    assert (text_of(page, "market-hits"), text_of(page, "market-misses")) == ("59", "4")
    assert text_of(page, "market-reads") == "63"


def test_the_charts_have_what_the_last_minutes_had(ada: Api, olga: Operator) -> None:
    for _ in range(10):
        ada.get("/api/inventory")
    background.flush()

    charts = olga.get("cache_figures").context["figures"].charts

    assert len(charts["times"]) == 60
    assert charts["times"] == sorted(charts["times"])
    # The load may have run over the end of a minute.
    assert sum(charts["reads"]["inventory"][-2:]) == 10
    assert sum(charts["reads"]["inventory"][:-2]) == 0
    assert [rate for rate in charts["hit_rate"]["inventory"] if rate is not None]
    assert charts["hit_rate"]["leaderboard"] == [None] * 60


def test_a_series_and_a_window_count_the_same(ada: Api) -> None:
    for _ in range(7):
        ada.get("/api/environment/current")
    background.flush()

    _, found = stats.series(["environment"], 3600, 60)

    window = stats.window("environment", 3600)
    assert {name: sum(step[name] for step in found["environment"]) for name in stats.NAMES} == window
    assert window["hits"] + window["misses"] == 7


@pytest.mark.parametrize(("seconds", "step"), [(0, 60), (3601, 60), (60, 0), (60, 15), (-60, 60)])
def test_a_series_of_no_sense_is_refused(seconds: int, step: int) -> None:
    with pytest.raises(ValueError, match="series"):
        stats.series(["market"], seconds, step)


def test_keys_are_counted_by_family(busy: Api, olga: Operator) -> None:
    census = looking.census()

    assert census.exact
    assert dict(census.families) == {name: families.count(name) for name in families.all_names()}
    assert text_of(olga.get("cache_overview"), "market-keys") == str(families.count("market"))


def test_many_keys_are_told_from_a_sample(world: None) -> None:
    with store.client().pipeline(transaction=False) as pipe:
        for number in range(30_000):
            pipe.set(f"inventory:user:{number}" if number % 2 else f"cached:{number}", b"{}")
        pipe.execute()

    with redis_commands() as sent:
        census = looking.census()

    assert not census.exact
    assert census.keys >= 30_000
    assert abs(census.families["inventory"] - 15_000) < 1_000
    assert len(sent) <= 11


def test_the_overview_is_cheap_however_much_there_is(busy: Api, olga: Operator) -> None:
    with store.client().pipeline(transaction=False) as pipe:
        for number in range(20_000):
            pipe.set(f"cached:{number}", b"{}")
        pipe.execute()
    olga.get("cache_overview")

    with queries() as seen, redis_commands() as sent:
        assert olga.get("cache_figures").status_code == 200

    assert len(seen) <= 15, seen
    # The buckets of an hour are asked for in one round trip; the census is the rest.
    assert sum(command[0] == "SCAN" for command in sent) <= looking.SAMPLE // 1000


def test_what_waits_and_what_failed_is_shown(ada: Api, olga: Operator) -> None:
    OutboxRow.objects.create(names={"market:listings:active:all": "market"})
    Failure.objects.create(
        id="f" * 32, name="a run", func="bcraftd.tasks.activity_write", success=False, result="no",
        started="2026-01-01T00:00:00Z", stopped=timezone.now(),
    )  # fmt: skip
    Schedule.objects.filter(name="economy: audit").update(next_run="2026-01-01T00:00:00Z", task="f" * 32)
    economy.record(economy.audit())

    page = olga.get("cache_overview").content.decode()

    assert "Outbox: 1 drops wait" in page
    assert "overdue since" in page
    assert "failed</span>" in page
    assert "1 failed in the last day" in page
    assert "whole<small>" in page


def test_slow_commands_are_shown_without_what_they_carry(ada: Api, olga: Operator) -> None:
    redis: Any = store.client()
    before = redis.config_get("slowlog-log-slower-than")
    redis.config_set("slowlog-log-slower-than", 0)
    try:
        ada.get("/api/inventory")
        of_a_read = [row["command"] for row in looking.server()["slow"]]
        redis.set("session:secret-id", b"secret-value")
        redis.hgetall("stats:market")
        by_hand = [row["command"] for row in looking.server()["slow"]]
    finally:
        redis.config_set("slowlog-log-slower-than", before["slowlog-log-slower-than"])
        redis.slowlog_reset()

    assert f"EVALSHA inventory:user:{ada.id}" in of_a_read
    assert {"HGETALL stats:market", f"SET session:{looking.HIDDEN}"} <= set(by_hand)
    assert "secret" not in json.dumps(by_hand)


def test_the_pages_stand_while_redis_is_away(world: None, olga: Operator) -> None:
    redis_stop()
    try:
        for path in PAGES:
            page = olga.client.get(path)
            assert page.status_code == 200, path
            assert "Redis does not answer" in page.content.decode(), path
        assert "Breaker of this process: open" in olga.get("cache_overview").content.decode()
        answer = olga.client.post("/admin/cache/flush/market/", {"confirmed": "yes"}, follow=True)
        assert "nothing more was dropped" in answer.content.decode()
    finally:
        redis_start()
        redis_is_back()


def test_a_cache_that_is_off_is_said_to_be(olga: Operator) -> None:
    with setting(CACHE_ENABLED=False):
        assert "CACHE_ENABLED is false" in olga.get("cache_overview").content.decode()


def test_only_get_is_taken(olga: Operator) -> None:
    for path in PAGES:
        assert olga.client.post(path).status_code == 405, path
