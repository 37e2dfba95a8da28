"""What a fence costs as a call for each slot of a Redis Cluster, in place of one call for all of its keys.

Run it with `.venv/bin/python -m bench.redis_cluster`. It starts a cluster of three nodes, and prints for 1, 3 and 10
values the median of a fence in milliseconds: all values in one slot and one call; each in its own slot, as an
operator's cluster would have them, first one call after the other, then all of them sent before the first answer is
read.
"""

import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from statistics import median
from typing import Any

from redis.cluster import RedisCluster
from redis.connection import Connection

from tests import servers  # noqa: F401 - gives what the settings ask for, and must come before them
from tests.shards import Shards

REPETITIONS = 3000
NUMBERS = (1, 3, 10)


def main() -> int:
    """Returns the exit status."""
    import django

    django.setup()
    with tempfile.TemporaryDirectory() as folder:
        shards = Shards(Path(folder))
        try:
            shards.start()
            with closing(shards.client()) as client:
                for number in NUMBERS:
                    print(_line(number, _measured(client, number)))  # noqa: T201
        finally:
            shards.stop()
    return 0


def _measured(client: RedisCluster, number: int) -> list[float]:
    """The medians, measured in turn."""
    from bcraftd.cache import scripts

    # The scripts are known to all nodes, as they are after the first calls.
    for node in client.get_primaries():
        client.execute_command("SCRIPT LOAD", scripts.FENCE.text, target_nodes=node)
    connections: dict[str, Connection] = {}

    def at(name: str) -> Connection:
        node: Any = client.get_node_from_key(name)
        return connections.setdefault(node.name, node.redis_connection.connection_pool.get_connection())

    def call(names: list[str]) -> tuple[Connection, list[Any]]:
        keys = [*names, *(f"lease:{name}" for name in names), *(f"fence:{name}" for name in names)]
        return at(names[0]), ["EVALSHA", scripts.FENCE.sha, len(keys), *keys, len(names), "a-writers-mark-16", 10_000]

    together = [call([f"{{one}}:{each}" for each in range(number)])]
    apart = [call([f"{{inventory:user:{each}}}"]) for each in range(number)]

    def in_turn(calls: list[tuple[Connection, list[Any]]]) -> None:
        for connection, words in calls:
            connection.send_command(*words)
            connection.read_response()

    def at_once(calls: list[tuple[Connection, list[Any]]]) -> None:
        for connection, words in calls:
            connection.send_command(*words)
        for connection, _ in calls:
            connection.read_response()

    ways: list[Callable[[], None]] = [lambda: in_turn(together), lambda: in_turn(apart), lambda: at_once(apart)]
    taken: list[list[float]] = [[] for _ in ways]
    for _ in range(REPETITIONS):
        for way, times in zip(ways, taken, strict=True):
            began = time.perf_counter()
            way()
            times.append(time.perf_counter() - began)
    return [median(times) * 1000 for times in taken]


def _line(number: int, found: list[float]) -> str:
    one, turn, once = found
    return (
        f"{number} values: one call {one:.3f} ms, in turn {turn:.3f} ms ({turn / one:.1f} times),"
        f" at once {once:.3f} ms ({once / one:.1f} times)"
    )


if __name__ == "__main__":
    sys.exit(main())
