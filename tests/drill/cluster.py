"""Redis under Sentinel as local processes: one primary, one replica, three sentinels."""

import secrets
import signal
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from bcraftd.embedded.files import private_folder, write_private
from bcraftd.embedded.process import Child, Deadline, ServerError, free_port
from bcraftd.embedded.valkey import CONFIGURATION, program

SERVICE = "bcraftd"
# Milliseconds without an answer after which a sentinel takes the primary for down. Redis' own default is 30 s.
DOWN_AFTER = 2000
START_SECONDS = 30.0


@dataclass
class Place:
    """Where a process runs: its address, and what its command begins with (`ip netns exec NAME`)."""

    address: str = "127.0.0.1"
    prefix: list[str] = field(default_factory=list)


class Node:
    """One Valkey, as server or as sentinel, whose configuration, data and log live in `folder`."""

    def __init__(self, folder: Path, place: Place, password: str) -> None:
        self.folder, self.place, self.password = folder, place, password
        self.port = free_port()
        self.child = Child("Valkey", [], log=folder / "log")

    def start(self, lines: list[str], *options: str) -> None:
        """Starts with these lines of configuration; returns when it answers. Raises ServerError."""
        private_folder(self.folder)
        file = self.folder / "valkey.conf"
        common = [f"port {self.port}", f"bind {self.place.address}", f"dir {self.folder}", 'logfile ""']
        # A sentinel writes what it learns into this file.
        write_private(file, "\n".join([*common, *lines]) + "\n")
        self.child = Child(
            "Valkey", [*self.place.prefix, program(), file, *options], log=self.folder / "log", cwd=self.folder
        )
        self.child.start()
        for _ in Deadline(START_SECONDS).ticks(0.05):
            if not self.child.running:
                raise ServerError(self.child.tail())
            if self.child.tail().count("Ready to accept connections") or "Sentinel ID is" in self.child.tail():
                return
        raise ServerError(f"not ready:\n{self.child.tail()}")

    def kill(self) -> None:
        """SIGKILL."""
        self.child.send(signal.SIGKILL)
        self.child.wait(10)
        self.child.stop()

    def client(self) -> "redis.Redis":
        """A connection of this process's own, which has to be in reach of the place."""
        return redis.Redis(
            host=self.place.address,
            port=self.port,
            password=self.password,
            socket_timeout=2,
            socket_connect_timeout=2,
            retry=Retry(NoBackoff(), 0),
        )


class Cluster:
    """`places` are those of the primary, the replica and the three sentinels."""

    def __init__(self, folder: Path, places: list[Place] | None = None) -> None:
        self.password = secrets.token_urlsafe(24)
        found = places or [Place()] * 5
        names = ("first", "second", "sentinel-1", "sentinel-2", "sentinel-3")
        nodes = [Node(folder / name, place, self.password) for name, place in zip(names, found, strict=True)]
        self.first, self.second, *self.sentinels = nodes

    @property
    def url(self) -> str:
        """The REDIS_URL that names the service."""
        hosts = ",".join(f"{node.place.address}:{node.port}" for node in self.sentinels)
        return f"redis+sentinel://:{self.password}@{hosts}/{SERVICE}/0"

    def start(self) -> None:
        """Starts all; returns when the sentinels know of each other and of the replica."""
        self._start_server(self.first)
        self._start_server(self.second, f"replicaof {self.first.place.address} {self.first.port}")
        for node in self.sentinels:
            node.start(
                [
                    f"sentinel monitor {SERVICE} {self.first.place.address} {self.first.port} 2",
                    f"sentinel auth-pass {SERVICE} {self.password}",
                    f"sentinel down-after-milliseconds {SERVICE} {DOWN_AFTER}",
                    f"sentinel failover-timeout {SERVICE} 10000",
                ],
                "--sentinel",
            )
        for _ in Deadline(START_SECONDS).ticks(0.2):
            # A log line for each of the others, and one for the replica.
            if all(
                node.child.tail(200).count("+sentinel ") >= 2 and "+slave " in node.child.tail(200)
                for node in self.sentinels
            ):
                return
        raise ServerError("the sentinels do not find each other:\n" + self.sentinels[0].child.tail())

    def _start_server(self, node: Node, *lines: str) -> None:
        node.start(
            [f"include {CONFIGURATION}", "io-threads 1", f"requirepass {self.password}",
             f"masterauth {self.password}", f"port {node.port}", f"bind {node.place.address}", 'logfile ""', *lines]
        )  # fmt: skip

    def restart(self, node: Node) -> None:
        """A server that was killed comes back as it was configured at first; a sentinel makes it a replica."""
        self._start_server(node)

    def wait_for_primary(self, node: Node, seconds: float = 30) -> float:
        """Returns how many seconds it took until this server was the primary."""
        began = time.monotonic()
        for _ in Deadline(seconds).ticks(0.05):
            # Whoever promotes a server ends all of its connections.
            with suppress(redis.ConnectionError), node.client() as client:
                if client.info("replication")["role"] == "master":
                    return time.monotonic() - began
        raise ServerError("no failover:\n" + self.sentinels[-1].child.tail())

    def stop(self) -> None:
        for node in (*self.sentinels, self.second, self.first):
            node.child.stop()
