"""What PostgreSQL holds, asked for by the driver itself: the judge does not take the API's word for it."""

import time
from collections.abc import Iterable, Mapping
from contextlib import closing
from typing import Any

import psycopg2

from tests.consistency.views import ALIVE, ENDED

# Every register but the sessions, by its name; what the checker did not make is left out by the caller.
_VERSIONS = """
SELECT 'inventory:' || player_id, quantity FROM inventory_inventoryitem WHERE resource_id = %(item)s
UNION ALL SELECT 'recipe:' || recipe_id, quantity FROM inventory_recipeingredient
UNION ALL SELECT 'market:' || id, quantity - remaining FROM market_listing
UNION ALL SELECT 'catalogue:' || id, base_value FROM inventory_resource
UNION ALL SELECT 'name:' || id, substring(name from '[0-9]+$')::bigint
          FROM inventory_resource WHERE slug LIKE 'checker-%%'
UNION ALL SELECT 'environment:weather', (gathering_multiplier * 1000000 + crafting_multiplier * 100)::bigint
          FROM environment_weather WHERE is_active
UNION ALL SELECT 'environment:season', (gathering_multiplier * 1000000 + crafting_multiplier * 100)::bigint
          FROM environment_season
"""
_SESSIONS = "SELECT session_id FROM accounts_playersession WHERE session_id = ANY(%s)"
_OUTBOX = "SELECT pg_get_serial_sequence('bcraftd_outboxrow', 'id')"


class Truth:
    """A connection of its own, to be used by one thread at a time."""

    def __init__(self, url: str, registers: Iterable[str], item: int) -> None:
        self._connection = psycopg2.connect(url.replace("postgres://", "postgresql://"))
        self._connection.autocommit = True
        self._registers = frozenset(registers)
        self._item = item
        self._sequence = self._one("SELECT to_regclass('bcraftd_outboxrow')") and self._one(_OUTBOX)
        self._drawn = self._last_outbox_id()

    def close(self) -> None:
        self._connection.close()

    def versions(self, sessions: Mapping[str, str]) -> tuple[dict[str, int], int]:
        """The versions by now, and when now is. `sessions` maps registers to the ids of sessions that were opened."""
        rows = self._all(_VERSIONS, {"item": self._item})
        found = {name: int(version) for name, version in rows if name in self._registers}
        alive = {row[0] for row in self._all(_SESSIONS, [list(sessions.values())])}
        found |= {register: ALIVE if pk in alive else ENDED for register, pk in sessions.items()}
        return found, time.monotonic_ns()

    def wrote_unfenced(self) -> bool:
        """Whether the outbox has grown since the last time that this was asked: a write could not reach Redis."""
        drawn = self._last_outbox_id()
        grown, self._drawn = drawn != self._drawn, drawn
        return bool(grown)

    def _last_outbox_id(self) -> Any:
        """The sequence and not the rows: the relay deletes rows, and a row is not seen before its commit."""
        if not self._sequence:
            return None
        return self._all(f"SELECT last_value, is_called FROM {self._sequence}")

    def _all(self, text: str, values: Any = None) -> list[tuple[Any, ...]]:
        with closing(self._connection.cursor()) as cursor:
            cursor.execute(text, values)
            rows: list[tuple[Any, ...]] = cursor.fetchall()
            return rows

    def _one(self, text: str) -> Any:
        return self._all(text)[0][0]
