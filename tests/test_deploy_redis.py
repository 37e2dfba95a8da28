"""Redis and the Sentinels of deploy/, run with real servers, each of which is killed once."""

import signal
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
import redis

from tests.deployed import ADDRESSES, ONCE, nobody_tells_a_password
from tests.processes import wait_until
from tests.watched import Watched


@pytest.fixture
def watched(folder: Path) -> Iterator[Watched]:
    with ExitStack() as running:
        yield Watched(folder, running)


def test_sentinels_promote_the_replica_and_the_former_primary_comes_back_as_one(watched: Watched) -> None:
    with nobody_tells_a_password():
        for name in ("redis-1", "redis-2", "sentinel-1", "sentinel-2", "sentinel-3"):
            watched.start(name)
        wait_until(lambda: watched.follows("redis-2"), "redis-2 follows redis-1")
        wait_until(watched.whole, "the Sentinels know each other")
        assert watched.primary() == "redis-1"
        with closing(watched.redis("redis-1")) as client:
            client.set("kept", "yes")
            client.wait(1, 5000)

        watched.children["redis-1"].send(signal.SIGKILL)
        wait_until(lambda: watched.role("redis-2") == "master", "redis-2 is promoted")
        wait_until(lambda: watched.primary() == "redis-2", "the Sentinels say so")
        with closing(watched.redis("redis-2")) as client:
            assert client.get("kept") == "yes"
            client.set("later", "yes")

        # Its own files know nothing of it; it asks, and is never a second primary.
        watched.start("redis-1")
        wait_until(lambda: watched.follows("redis-1"), "redis-1 follows redis-2")
        with closing(watched.redis("redis-1")) as client:
            assert client.get("later") == "yes"

        # All that the Sentinels had learnt was in memory.
        for number in (1, 2, 3):
            watched.children[f"sentinel-{number}"].stop()
        for number in (1, 2, 3):
            watched.start(f"sentinel-{number}")
        wait_until(watched.whole, "the Sentinels know each other again")
        assert watched.primary() == "redis-2"

        # Without any of them, the primary learns from its replica that it is one.
        for number in (1, 2, 3):
            watched.children[f"sentinel-{number}"].stop()
        watched.children["redis-2"].stop()
        watched.start("redis-2")
        wait_until(lambda: watched.role("redis-2") == "master", "redis-2 is the primary again")
        wait_until(lambda: watched.follows("redis-1"), "redis-1 follows it again")
    assert watched.untouched()


def test_neither_redis_nor_a_sentinel_answers_without_its_password(watched: Watched) -> None:
    watched.start("redis-1")
    watched.start("sentinel-1")
    wait_until(lambda: watched.role("redis-1") == "master", "redis-1 serves")
    wait_until(lambda: watched.primary() == "redis-1", "the Sentinel serves")
    for name, port in (("redis-1", watched.port), ("sentinel-1", watched.sentinel_port)):
        with (
            closing(redis.Redis(ADDRESSES[name], port, retry=ONCE)) as client,
            pytest.raises(redis.AuthenticationError),
        ):
            client.ping()
