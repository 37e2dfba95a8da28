"""A Redis Cluster is not supported: what docs/scaling.md says of it, tried on one."""

import time
from collections.abc import Iterator
from contextlib import closing

import pytest
from redis import Redis
from redis.exceptions import ClusterCrossSlotError, MovedError, ResponseError

from bcraftd.cache import scripts, store
from bcraftd.cache.scripts import Script
from tests import live
from tests.doctoring import Report
from tests.drill.players import playing
from tests.shards import Shards

INVENTORY, OTHER, PAGES = "inventory:user:7", "inventory:user:8", "market:listings:active:3"


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shards]:
    shards = Shards(tmp_path_factory.mktemp("shards"))
    try:
        shards.start()
        yield shards
    finally:
        shards.stop()


@pytest.fixture(scope="module")
def client(shards: Shards) -> "Iterator[Redis]":
    with closing(shards.nodes[0].client()) as client:
        yield client


# --- A node of one as REDIS_URL ---------------------------------------------------------------------------


def test_the_api_answers_right_from_postgresql_and_says_why(world: None, shards: Shards) -> None:
    with live.server(REDIS_URL=shards.url, ALLOWED_HOSTS="localhost,127.0.0.1", RATE_LIMIT_DEFAULT="10000/m") as url:
        with playing([url]) as record:
            time.sleep(5)
        cache = live.get(f"{url}/readyz")["checks"]["cache"]
    assert (record.failed, record.stale, record.lost) == ([], [], [])
    assert {outcome for _, _, outcome in record.outcomes} == {"BYPASS"}
    assert cache["state"] == "down"
    assert "is a node of a Redis Cluster" in cache["detail"]
    for node in shards.nodes:
        with closing(node.client()) as alone:
            assert alone.dbsize() == 0, "nothing is left where nobody would drop it"


def test_the_doctor_names_it_and_blames_nothing_else(world: None, shards: Shards) -> None:
    report = Report(REDIS_URL=shards.url)
    assert report.faults() == {"redis"}
    assert "names a node of a Redis Cluster" in report.says("redis")
    assert "docs/scaling.md" in report.says("redis")


# --- What its scripts would need --------------------------------------------------------------------------


def keys_of(script: Script, *names: str, generation: str = "") -> list[str]:
    """What a script is given for these values, as bcraftd.cache.store gives it; places that are empty are left out."""
    first = names[0]
    places = {
        scripts.READ_VARIANT: [first, generation],
        scripts.LEASE: [first, store.lease_key(first), generation, store.fence_key(first)],
        scripts.RELEASE: [store.lease_key(first)],
        scripts.FILL: [first, store.lease_key(first), generation],
        scripts.FENCE: [each for name in names for each in (name, store.lease_key(name), store.fence_key(name))],
        scripts.DROP: [each for name in names for each in (name, store.lease_key(name), store.fence_key(name))],
        scripts.LIFT: [store.fence_key(name) for name in names],
        scripts.COUNT: [first],
        scripts.TAKE: [first],
        scripts.HOT: [first, generation, "session:9", "rl:default:7"],
    }
    return [key for key in places[script] if key]


def tagged(*names: str) -> list[str]:
    """A tag for each value: its lease and its fence stand beside it."""
    return [f"{{{name}}}" for name in names]


def is_taken(client: "Redis", keys: list[str]) -> bool:
    """Whether keys may be named in one call, at this node or at another. It is asked by a script that does nothing,
    since the keys alone decide."""
    try:
        return bool(client.eval("return #KEYS", len(keys), *keys) == len(keys))
    except ClusterCrossSlotError:
        return False
    except MovedError:
        return True


def test_what_each_node_says_to_our_keys(shards: Shards) -> None:
    said = []
    for node in shards.nodes:
        with closing(node.client()) as alone:
            try:
                alone.get(INVENTORY)
            except MovedError as error:
                said.append(str(error))
            assert not is_taken(alone, keys_of(scripts.FENCE, INVENTORY)), "a value and its lease"
            assert not is_taken(alone, [INVENTORY, ""]), "an empty place has a slot too"
            with pytest.raises(ResponseError, match="out of range"):
                alone.execute_command("SELECT", 1)
    assert len(said) == 2, "two of three do not have it"


ONE_KEY = [scripts.RELEASE, scripts.LIFT, scripts.COUNT, scripts.TAKE]
ONE_VALUE = [scripts.LEASE, scripts.FILL, scripts.FENCE, scripts.DROP]


@pytest.mark.parametrize("script", ONE_KEY)
def test_scripts_of_one_key_pass(client: "Redis", script: Script) -> None:
    assert is_taken(client, keys_of(script, INVENTORY))


@pytest.mark.parametrize("script", ONE_VALUE)
def test_scripts_of_one_value_need_a_tag(client: "Redis", script: Script) -> None:
    assert not is_taken(client, keys_of(script, INVENTORY))
    assert is_taken(client, keys_of(script, *tagged(INVENTORY)))


@pytest.mark.parametrize("script", [scripts.FENCE, scripts.DROP, scripts.LIFT])
def test_no_tag_makes_one_call_of_what_a_purchase_makes_stale(client: "Redis", script: Script) -> None:
    assert not is_taken(client, keys_of(script, *tagged(INVENTORY, OTHER, PAGES)))


@pytest.mark.parametrize("script", [scripts.READ_VARIANT, scripts.LEASE, scripts.FILL, scripts.HOT])
def test_nor_of_a_value_with_its_familys_generation(client: "Redis", script: Script) -> None:
    assert not is_taken(client, keys_of(script, *tagged(INVENTORY), generation="gen:inventory"))
    assert not is_taken(client, keys_of(scripts.HOT, *tagged(INVENTORY))), "nor with its visitor's session and counter"
