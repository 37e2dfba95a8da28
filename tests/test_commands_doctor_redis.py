"""manage.py doctor, where something is wrong with Redis or with what the cache makes of it."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from django.utils import timezone

from bcraftd import doctor
from bcraftd.cache import background, stats, store
from bcraftd.embedded.valkey import ValkeyServer
from bcraftd.models import OutboxRow
from tests.doctoring import SECRET, Report, with_password
from tests.support import Api


@pytest.fixture
def redis_of_its_own(tmp_path: Path) -> Iterator[ValkeyServer]:
    server = ValkeyServer(tmp_path / "redis")
    server.start()
    yield server
    server.stop()


# --- Redis ------------------------------------------------------------------------------------------------


def test_redis_stopped(world: None, redis_of_its_own: ValkeyServer) -> None:
    redis_of_its_own.stop()

    report = Report(REDIS_URL=redis_of_its_own.url)

    assert report.faults() == {"redis"}
    assert "docker compose up -d redis" in report.says("redis")
    assert report.checks["worker"]["detail"].startswith(doctor.NOT_MADE)
    assert str(urlsplit(redis_of_its_own.url).password) not in report.text


@pytest.mark.parametrize("password", [SECRET, ""])
def test_redis_password_wrong_or_missing(world: None, redis_of_its_own: ValkeyServer, password: str) -> None:
    report = Report(REDIS_URL=with_password(redis_of_its_own.url, password))

    assert report.faults() == {"redis"}
    assert "password" in report.says("redis")
    assert SECRET not in report.text


def test_redis_hangs(world: None, redis_of_its_own: ValkeyServer) -> None:
    redis_of_its_own.pause()
    try:
        report = Report(REDIS_URL=redis_of_its_own.url, REDIS_TIMEOUT="0.1")
    finally:
        redis_of_its_own.resume()

    assert report.faults() == {"redis"}


def configured(server: ValkeyServer, **settings: str) -> str:
    import redis

    with redis.Redis.from_url(server.url) as client:
        for name, value in settings.items():
            client.config_set(name.replace("_", "-"), value)
        if "maxmemory" in settings:
            client.set("filler", "x")
    return server.url


def test_redis_maxmemory_reached(world: None, redis_of_its_own: ValkeyServer) -> None:
    import redis

    with redis.Redis.from_url(redis_of_its_own.url) as client:
        client.config_set("maxmemory-policy", "noeviction")
        client.config_set("maxmemory", "1mb")

    report = Report(REDIS_URL=redis_of_its_own.url)

    assert {"redis writes", "redis eviction"} <= report.faults()
    assert "has reached its maxmemory" in report.says("redis writes")
    assert "noeviction" in report.says("redis eviction")
    assert "redis memory" in report.warnings()


def test_redis_without_a_limit_or_a_log(world: None, redis_of_its_own: ValkeyServer) -> None:
    report = Report(REDIS_URL=configured(redis_of_its_own, appendonly="no", maxmemory="0"))

    assert {"redis memory", "redis persistence"} <= report.warnings()


def test_redis_is_a_replica(world: None, redis_of_its_own: ValkeyServer) -> None:
    import redis

    with redis.Redis.from_url(redis_of_its_own.url) as client:
        client.execute_command("REPLICAOF", "127.0.0.1", "1")

    report = Report(REDIS_URL=redis_of_its_own.url)

    assert "redis writes" in report.faults()
    assert "is a replica" in report.says("redis writes")


def test_hit_rate_low(ada: Api) -> None:
    seen = []
    for number in range(220):
        if number % 4:
            store.drop(["env:current"])
        seen.append(ada.get("/api/environment/current")["X-Cache"])
    background.flush()

    report = Report()

    # The very first one finds nothing either.
    assert seen.count("HIT") == 54
    assert "environment 25%" in report.says("hit rate")
    assert report.checks["hit rate"]["status"] == "warning"
    assert "hit rate" not in report.faults()


def test_few_reads_say_nothing_of_the_rate(ada: Api) -> None:
    for _ in range(50):
        stats.count("market", "misses")
    background.flush()

    assert Report().checks["hit rate"]["status"] == "ok"


def test_fills_that_come_too_late(ada: Api) -> None:
    stats.count("market", "misses", 300)
    stats.count("market", "refused_fills", 100)
    background.flush()

    assert "market" in Report().says("refused fills")


def test_breakers_that_opened(world: None) -> None:
    stats.count(stats.REDIS, "opened")
    stats.count(stats.REDIS, "timeouts", 3)
    background.flush()

    assert "opened 1 times in a quarter of an hour, 3 calls" in Report().says("breaker")


def test_drops_that_wait(world: None, redis_of_its_own: ValkeyServer) -> None:
    row = OutboxRow.objects.create(names={"env:current": "environment"})
    OutboxRow.objects.filter(pk=row.pk).update(created_at=timezone.now() - timedelta(minutes=5))

    # Nobody relays here, and the doctor that is asked must not do it on the way.
    report = Report()

    assert "outbox" in report.faults()
    assert "1 rows wait, the oldest for 30" in report.says("outbox")
