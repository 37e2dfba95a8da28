"""What the tests of hits and of cache_audit share: what there is to read, and the audit as a program sees it."""

import json
from io import StringIO
from typing import Any, cast

from django.core.management import CommandError, call_command
from django.db import connection

from bcraftd.cache import families, store

# Path, key, its life in seconds, and the command that reads it: a plain one, but for a hash with a generation.
HOT: list[tuple[str, str, int, str]] = [
    ("/api/environment/current", "env:current", 3600, "GET"),
    ("/api/environment/weather", "env:weather:current", 3600, "GET"),
    ("/api/market/listings", "market:listings:active:all", 60, "HGET"),
    ("/api/market/listings?resource_id={log}", "market:listings:active:{log}", 60, "HGET"),
    ("/api/leaderboard", "leaderboard:board", 300, "HGET"),
    ("/api/inventory", "inventory:user:{player}", 30, "MGET"),
    ("/api/recipes/known", "recipes:user:{player}", 300, "EVALSHA"),
    ("/api/resources", "catalogue:resources", 3600, "HGET"),
    ("/api/resources/{log}", "catalogue:resources", 3600, "HGET"),
    ("/api/recipes", "catalogue:recipes", 3600, "HGET"),
    ("/api/professions", "catalogue:professions", 3600, "HGET"),
]


def audited(*words: str) -> tuple[dict[str, Any], str]:
    """The report, and the sentence with which the command failed, "" where it did not."""
    out, failure = StringIO(), ""
    try:
        call_command("cache_audit", "--json", *words, stdout=out)
    except CommandError as error:
        failure = str(error)
    return json.loads(out.getvalue()), failure


def raw(statement: str) -> None:
    """SQL on the project's own connection: no signal hears of it, and no trigger counts it as from outside."""
    with connection.cursor() as cursor:
        cursor.execute(statement)


def values() -> int:
    """How many values stand in Redis."""
    redis = cast("Any", store.client())
    keys = [key for family in families.names() for key in families.keys(family)]
    return sum(redis.hlen(key) if redis.type(key) == b"hash" else 1 for key in keys)
