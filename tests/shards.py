"""A Redis Cluster as local processes: three primaries, each with a third of the slots, and nothing on disk."""

import secrets
from contextlib import closing
from pathlib import Path

from redis.cluster import RedisCluster

from bcraftd.embedded.process import Deadline, ServerError, free_port
from bcraftd.embedded.valkey import CONFIGURATION
from tests.drill.cluster import Node, Place

SLOTS = 16384
START_SECONDS = 60.0


class Shards:
    """The nodes live in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.password = secrets.token_urlsafe(24)
        self.nodes = [Node(folder / f"node-{number}", Place(), self.password) for number in (1, 2, 3)]

    @property
    def url(self) -> str:
        """A REDIS_URL that names the first node."""
        return f"redis://:{self.password}@127.0.0.1:{self.nodes[0].port}/0"

    def start(self) -> None:
        """Starts all; returns when each knows who has which slot. Raises ServerError."""
        buses = [free_port() for _ in self.nodes]
        for node, bus in zip(self.nodes, buses, strict=True):
            node.start(
                [f"include {CONFIGURATION}", "io-threads 1", f"requirepass {self.password}", f"port {node.port}",
                 "bind 127.0.0.1", 'logfile ""', 'save ""', "appendonly no", "cluster-enabled yes",
                 f"cluster-port {bus}"]
            )  # fmt: skip
        edges = [SLOTS * number // len(self.nodes) for number in range(len(self.nodes) + 1)]
        for number, node in enumerate(self.nodes):
            with closing(node.client()) as client:
                client.execute_command("CLUSTER ADDSLOTSRANGE", edges[number], edges[number + 1] - 1)
                if number:
                    client.execute_command("CLUSTER MEET", "127.0.0.1", self.nodes[0].port, buses[0])
        for _ in Deadline(START_SECONDS).ticks(0.1):
            if all(self._is_whole(node) for node in self.nodes):
                return
        raise ServerError("the nodes do not find each other:\n" + self.nodes[0].child.tail())

    def _is_whole(self, node: Node) -> bool:
        with closing(node.client()) as client:
            state = client.execute_command("CLUSTER INFO")
        return bool(state["cluster_state"] == "ok" and int(state["cluster_known_nodes"]) == len(self.nodes))

    def client(self) -> RedisCluster:
        """A client that follows the slots."""
        return RedisCluster(host="127.0.0.1", port=self.nodes[0].port, password=self.password, socket_timeout=5)

    def stop(self) -> None:
        for node in self.nodes:
            node.child.stop()
