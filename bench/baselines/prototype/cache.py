"""The prototype's cache: JSON in Redis, read and written by synchronous calls. Routes invalidate by hand."""

import json
import os
from typing import Any

import redis


class CacheService:
    """Keys, JSON and time-outs."""

    def __init__(self, url: str) -> None:
        self.client = redis.Redis.from_url(url, decode_responses=True)

    def get(self, key: str) -> Any:
        value = self.client.get(key)
        return None if value is None else json.loads(value)

    def set(self, key: str, value: Any, ttl: int) -> None:
        self.client.setex(key, ttl, json.dumps(value, default=str))

    def delete(self, key: str) -> None:
        self.client.delete(key)

    def touch(self, key: str, ttl: int) -> None:
        self.client.expire(key, ttl)

    def count(self, key: str, window: int) -> int:
        """Counts one in a window of seconds."""
        count = self.client.incr(key)
        if count == 1:
            self.client.expire(key, window)
        return int(count)


cache = CacheService(os.environ["REDIS_URL"])
