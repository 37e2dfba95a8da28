"""django-redis's way to Sentinel, with two things of ours: the greeting on each connection, and a primary is who most
of the sentinels call so. One sentinel alone may be on the losing side of a split, with the old primary.
"""

import logging
from collections import Counter
from typing import Any

from django_redis.pool import SentinelConnectionFactory
from redis.exceptions import RedisError
from redis.sentinel import MasterNotFoundError, Sentinel

from bcraftd.cache.server import server

log = logging.getLogger(__name__)

Address = tuple[str, int]


class Majority(Sentinel):
    """redis-py's Sentinel, which would believe the first that answers."""

    def discover_master(self, service_name: str) -> Address:
        """The address that more than half of all sentinels name. Raises MasterNotFoundError where none is."""
        votes: Counter[Address] = Counter()
        silent = []
        for sentinel in list(self.sentinels):
            try:
                named = sentinel.sentinel_get_master_addr_by_name(service_name)
            except (RedisError, OSError) as error:
                log.debug("a sentinel does not answer: %s", error)
                silent.append(sentinel)
                continue
            if not isinstance(named, tuple):
                # It does not know the service.
                continue
            address = (named[0].decode() if isinstance(named[0], bytes) else str(named[0]), int(named[1]))
            votes[address] += 1
            if votes[address] > len(self.sentinels) / 2:
                self._ask_last(silent)
                return address
        self._ask_last(silent)
        raise MasterNotFoundError(f"most of the sentinels do not agree on a primary of {service_name!r}")

    def _ask_last(self, silent: list[Any]) -> None:
        """Each of the silent ones costs a timeout, so that the others come first the next time."""
        if silent:
            self.sentinels = [each for each in self.sentinels if each not in silent] + silent


class Factory(SentinelConnectionFactory):
    """django-redis's connection factory (DJANGO_REDIS_CONNECTION_FACTORY) for REDIS_URL=redis+sentinel://."""

    def __init__(self, options: dict[str, Any]) -> None:
        super().__init__(options)
        self._sentinel = Majority(options["SENTINELS"], sentinel_kwargs=options["SENTINEL_KWARGS"])

    def make_connection_params(self, url: str) -> dict[str, Any]:
        return {**super().make_connection_params(url), "redis_connect_func": server.greet}
