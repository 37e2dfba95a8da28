"""Which Redis a process talks to, as each new connection hears it before its first command.

What a value is stamped with, and whether it still counts, follows from that (bcraftd.cache.stamp).
"""

import hashlib
import logging
import threading
import time
from typing import Any

from django.conf import settings
from django_redis.pool import ConnectionFactory
from redis.connection import AbstractConnection
from redis.exceptions import ConnectionError

from bcraftd.cache import stamp
from bcraftd.cache.breaker import breaker

log = logging.getLogger(__name__)


class ClusterNode(ConnectionError):
    """REDIS_URL names a node of a Redis Cluster. It has a part of the keys, and no call may name those of two slots."""

    def __init__(self) -> None:
        super().__init__("this Redis is a node of a Redis Cluster, which is not supported")


class Server:
    """Which Redis process this one talks to, learned from each new connection before its first command.

    identity: that process. run: what a value has to be stamped with to count; without Sentinels that is the identity,
    with them it is the stamp of the term that this process holds a lease of (bcraftd.cache.term), NO_RUN where it
    holds none.
    """

    def __init__(self, *, by_term: bool = False) -> None:
        self.by_term = by_term
        self.identity = stamp.NO_RUN
        # The identity and the stamp of a term, and until when it is held, by time.monotonic.
        self._held = (stamp.NO_RUN, stamp.NO_RUN, 0.0)
        self._lock = threading.Lock()
        self._begun = 0
        self._known = 0

    @property
    def run(self) -> str:
        if not self.by_term:
            return self.identity
        identity, found, until = self._held
        return found if identity == self.identity and time.monotonic() < until else stamp.NO_RUN

    @property
    def is_lapsed(self) -> bool:
        """Whether nothing may be served from Redis, because PostgreSQL has not said lately that it counts."""
        return self.by_term and self.run == stamp.NO_RUN

    def hold(self, identity: str, found: str, until: float) -> None:
        """The lease of a term, until then."""
        self._held = (identity, found, until)

    def let_go(self) -> None:
        """Ends the lease."""
        self._held = (stamp.NO_RUN, stamp.NO_RUN, 0.0)

    def greet(self, connection: AbstractConnection) -> None:
        """redis-py's `redis_connect_func`."""
        connection.on_connect()
        with self._lock:
            self._begun += 1
            turn = self._begun
        connection.send_command("INFO", *(("server", "replication") if self.by_term else ("server",)))
        answer = connection.read_response()
        text = answer.decode() if isinstance(answer, bytes) else str(answer)
        self._learn(self._identity(dict(line.split(":", 1) for line in text.splitlines() if ":" in line)), turn)

    def _identity(self, info: dict[str, str]) -> str:
        """Raises ClusterNode, and ConnectionError for a replica where only the primary counts."""
        # Valkey calls it server_mode.
        if "cluster" in (info.get("redis_mode"), info.get("server_mode")):
            raise ClusterNode
        if not self.by_term:
            return info["run_id"][: len(stamp.NO_RUN)]
        if info["role"] != "master":
            raise ConnectionError("this Redis is no primary (any more)")
        # A primary that was demoted and promoted again is the same process with another history.
        both = info["run_id"] + info["master_replid"]
        return hashlib.sha256(both.encode()).hexdigest()[: len(stamp.NO_RUN)]

    def _learn(self, identity: str, turn: int) -> None:
        """A thread that asked the old process and is slow to say so must not bring it back."""
        with self._lock:
            if turn < self._known:
                return
            if self.identity not in (identity, stamp.NO_RUN):
                log.info("Redis is another process than before: its values count as unknown", extra={"run": identity})
            self.identity, self._known = identity, turn


server = Server(by_term=settings.REDIS_SERVICE is not None)
if server.by_term:
    breaker.wait_for_probe()


class GreetingFactory(ConnectionFactory):
    """django-redis's connection factory (DJANGO_REDIS_CONNECTION_FACTORY), with our greeting on each connection."""

    def make_connection_params(self, url: str) -> dict[str, Any]:
        return {**super().make_connection_params(url), "redis_connect_func": server.greet}
