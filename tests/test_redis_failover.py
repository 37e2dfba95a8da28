"""Redis under Sentinel: the primary dies while players play, and nobody reads anything old or gets an error."""

import json
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest
from redis.sentinel import MasterNotFoundError

from bcraftd.cache.sentinel import Majority
from bcraftd.cache.term import LEASE
from bcraftd.embedded.process import Deadline
from tests.drill.cluster import SERVICE
from tests.drill.namespaces import Network
from tests.drill.players import Player, Record, playing
from tests.drill.stage import Stage

# The failover itself (down-after, election), the pause of a lease and a probe: the ten seconds.
NORMAL_WITHIN = 10.0


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    folder: Path = tmp_path_factory.mktemp("failover")
    stage = Stage(folder)
    try:
        stage.start()
        yield stage
    finally:
        stage.stop()


@pytest.fixture
def sockets() -> Iterator[Path]:
    """A folder with a short name that PostgreSQL's own account may write to."""
    with tempfile.TemporaryDirectory(prefix="bc") as folder:
        Path(folder).chmod(0o777)
        yield Path(folder)


def test_the_primary_dies_under_load_and_nobody_is_told_anything_old(stage: Stage) -> None:
    with playing(stage.instances) as record:
        time.sleep(5)
        calm = record.now
        assert not [at for at in record.bypassed if at > 3], "the cache has been used before"
        stage.cluster.first.kill()
        took = stage.cluster.wait_for_primary(stage.cluster.second)
        time.sleep(NORMAL_WITHIN)
    assert record.failed == []
    assert record.stale == []
    assert record.lost == []
    assert took < record.normal_after(calm) < NORMAL_WITHIN, "normal again, and not before there was a primary"


def test_a_primary_is_whom_most_of_the_sentinels_name(stage: Stage) -> None:
    asked = {"sentinel_kwargs": {"socket_timeout": 2, "socket_connect_timeout": 2}}
    alive = [(node.place.address, node.port) for node in stage.cluster.sentinels]
    second = stage.cluster.second
    assert Majority(alive, **asked).discover_master(SERVICE) == (second.place.address, second.port)
    silent = ("127.0.0.1", 1)
    one_is_silent = Majority([silent, *alive[:2]], **asked)
    assert one_is_silent.discover_master(SERVICE) == (second.place.address, second.port)
    with pytest.raises(MasterNotFoundError):
        Majority([silent, silent, alive[0]], **asked).discover_master(SERVICE)
    with pytest.raises(MasterNotFoundError):
        Majority(alive, **asked).discover_master("another")


def test_trust_that_was_withdrawn_is_given_by_nobody_whom_most_of_the_sentinels_do_not_answer(stage: Stage) -> None:
    with closing(psycopg2.connect(stage.postgres.url)) as connection, connection.cursor() as cursor:
        connection.autocommit = True

        def term() -> tuple[str, str, bool]:
            cursor.execute("SELECT run, stamp, trusted FROM bcraftd_redisterm")
            return cursor.fetchone() or ("", "", False)

        before = term()
        assert before[2]
        silent = stage.cluster.sentinels[:2]
        for sentinel in silent:
            sentinel.child.send(signal.SIGSTOP)
        try:
            cursor.execute("UPDATE bcraftd_redisterm SET trusted = false, changed_at = clock_timestamp()")
            # Every process tries it four times a second, over connections to the primary that still stand.
            for _ in Deadline(LEASE + 3).ticks(0.1):
                assert not term()[2]
        finally:
            for sentinel in silent:
                sentinel.child.send(signal.SIGCONT)
        for _ in Deadline(NORMAL_WITHIN).ticks(0.1):
            if term()[2]:
                break
        assert term() == before, "the same Redis, with what it holds"


# What the prototype's users have, beside the API's own entries.
PLAIN = """
import json
from bcraftd.cache.service import CacheService
with CacheService.from_settings() as cache:
    print(json.dumps([
        cache.set("motd", {"text": "hello"}, ttl=60), cache.get("motd"),
        cache.set_current_weather({"id": 1, "name": "Drizzle"}), cache.get_current_weather(),
        cache.invalidate_environment(), cache.get_current_weather(),
    ]))
"""


def test_commands_and_the_plain_service_find_the_primary(stage: Stage) -> None:
    done = stage.manage("shell", "--verbosity", "0", "-c", PLAIN)
    assert done.returncode == 0, done.stderr
    weather = {"id": 1, "name": "Drizzle"}
    assert json.loads(done.stdout) == [True, {"text": "hello"}, True, weather, True, None]
    player = Player(stage.instances, Record())
    player.sign_up()
    player.look(0)
    audit = stage.manage("cache_audit", "--json")
    assert audit.returncode == 0, audit.stderr + audit.stdout
    assert json.loads(audit.stdout)["checked"] > 0, "the values of the API's own term are what is compared"
    doctor = stage.manage("doctor", "--json")
    found = {row["name"]: row["status"] for row in json.loads(doctor.stdout)["checks"]}
    assert found["redis"] == found["redis writes"] == "ok", doctor.stdout


def test_a_split_of_the_old_primary_serves_nothing_old(tmp_path: Path, sockets: Path) -> None:
    """The primary, an instance of the API and a sentinel on one side, everything else on the other. Both instances
    reach PostgreSQL, and the players reach both."""
    with Network() as network:
        left, right = network.places()
        # Sockets in the file system pass between network namespaces.
        places = [left, right, left, right, right]
        stage = Stage(tmp_path, places=places, hosts=[left, right], sockets=sockets)
        try:
            stage.start()
            with playing(stage.instances) as record:
                time.sleep(5)
                network.split()
                stage.cluster.wait_for_primary(stage.cluster.second)
                promoted = record.now
                time.sleep(NORMAL_WITHIN)
                with stage.cluster.first.client() as old:
                    assert old.info("replication")["role"] == "master", "it does not know"
                healing = record.now
                network.heal()
                healed = record.now
                time.sleep(NORMAL_WITHIN)
        finally:
            stage.stop()
    assert (record.failed, record.stale, record.lost) == ([], [], [])
    # Until the new one counts, the old one does: what the others could not drop there, the instance beside it drops.
    split = [(instance, cache) for at, instance, cache in record.outcomes if promoted + 6 < at < healing]
    assert {cache for instance, cache in split if instance == 0} == {"BYPASS"}, "what is beside the old primary is past"
    used = [cache for instance, cache in split if instance == 1]
    assert {"HIT", "MISS"} <= set(used), "the new one is used"
    # A busy machine may let a lease lapse for a moment.
    assert used.count("BYPASS") < len(used) / 2
    assert record.normal_after(healed) < NORMAL_WITHIN
