"""The leaderboard among a million players: how long a refresh takes and what it locks, and what a page costs anywhere.

Run it with `.venv/bin/python -m bench.leaderboard [PLAYERS]`. It starts servers of its own, makes so many players, and
refreshes as the schedule does: with nothing changed, and after one player in a hundred has sold something, which moves
nearly everybody's rank. While that runs, another connection reads the board, and says how long it had to wait at most.
It prints one JSON line; times are in milliseconds, those of refreshes in seconds. Six minutes for a million.
"""

import json
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from statistics import median
from typing import Any

from tests import servers  # noqa: F401 - starts PostgreSQL and Redis, and must come before Django's settings

PLAYERS = 1_000_000
READS = 15

PLAYED = """
INSERT INTO inventory_playerprofession (player_id, profession_id, slot, level, experience, joined_at)
SELECT player.id, profession.id, 1, 1 + (player.id * 7919) % 50, 0, now()
FROM accounts_player AS player
JOIN (SELECT id, row_number() OVER (ORDER BY id) - 1 AS place, count(*) OVER () AS number FROM inventory_profession)
    AS profession ON profession.place = player.id % profession.number;
UPDATE accounts_player SET level = 1 + id % 99;
UPDATE accounts_playerstatistics
SET items_crafted = (player_id * 17) % 100000, sales_value = (player_id * 13) % 1000000;
"""
SOLD = "UPDATE accounts_playerstatistics SET sales_value = sales_value + 1000 WHERE player_id % 100 = 0"


def main(words: list[str]) -> int:
    """Makes the world, measures, prints."""
    import django

    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    call_command("seed", "--json", stdout=sys.stderr)
    players = int(words[0]) if words else PLAYERS
    _make(players)
    from leaderboard import selectors

    found: dict[str, Any] = {"players": players}
    found["refresh"] = [_refreshed() for _ in range(2)]
    with _unhurried() as cursor:
        cursor.execute(SOLD)
    found["refresh_after_a_hundredth_sold"] = _refreshed()
    _vacuum("mv_leaderboard")
    found["size_mb"] = round(_asked("SELECT pg_total_relation_size('mv_leaderboard') / 1e6"))
    offsets = [0, players // 2, players - 100]
    found["page_read_from_postgresql"] = {
        sort: [_took(_page(sort, offset)) for offset in offsets] for sort in selectors.SORTS
    }
    found["page_through_the_cache"] = [_took(_cached(offset)) for offset in offsets]
    found["around_me"] = [_took(_around(player)) for player in (1, players // 2, players)]
    print(json.dumps(found))  # noqa: T201
    return 0


def _make(players: int) -> None:
    from bench import world

    with _unhurried() as cursor:
        world.make(cursor, world.Size(players // 1000, players, coins=1000))
    with _unhurried() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(PLAYED)
    _vacuum()


@contextmanager
def _unhurried() -> Iterator[Any]:
    """A cursor in a transaction that may take its time."""
    from django.db import connection, transaction

    from bcraftd.transactions import unhurried

    with transaction.atomic(), connection.cursor() as cursor:
        unhurried()
        yield cursor


def _vacuum(table: str = "") -> None:
    """What autovacuum does within a minute of such a change."""
    from django.db import connection

    with connection.cursor() as cursor:
        for limit in ("statement_timeout", "transaction_timeout"):
            cursor.execute(f"SET {limit} = 0")
        cursor.execute(f"VACUUM ANALYZE {table}")


def _asked(statement: str) -> Any:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchone()[0]


def _refreshed() -> dict[str, float]:
    """Seconds of a refresh, and the longest that a reader of the board waited meanwhile."""
    from leaderboard import services

    over = threading.Event()
    waits: list[float] = []
    reader = threading.Thread(target=_read_until, args=(over, waits))
    reader.start()
    began = time.perf_counter()
    services.leaderboard_refresh(wait=True)
    seconds = time.perf_counter() - began
    over.set()
    reader.join()
    return {"seconds": round(seconds, 1), "longest_read_ms": round(max(waits), 1), "reads": len(waits)}


def _read_until(over: threading.Event, waits: list[float]) -> None:
    from django.db import connection

    while not over.wait(0.05):
        waits.append(_once(_page("score", 0)))
    connection.close()


def _page(sort: str, offset: int) -> Callable[[], object]:
    from leaderboard.cache import BOARD

    return lambda: BOARD.read_database({}, {"sort": sort, "limit": 100, "offset": offset})


def _cached(offset: int) -> Callable[[], object]:
    from leaderboard import selectors

    return lambda: selectors.board_get(offset=offset)


def _around(player_id: int) -> Callable[[], object]:
    from leaderboard import selectors

    return lambda: selectors.board_around(player_id=player_id, around=5)


def _once(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return (time.perf_counter() - began) * 1000


def _took(call: Callable[[], object]) -> float:
    """The median, after one call that does not count."""
    call()
    return round(median(_once(call) for _ in range(READS)), 2)


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "bcraftd.settings")
    sys.exit(main(sys.argv[1:]))
