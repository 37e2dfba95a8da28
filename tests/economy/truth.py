"""What PostgreSQL holds at the end of a run."""

from collections import Counter
from contextlib import closing
from typing import Any

import psycopg2

from tests.economy.books import Movement, Offer, Sale, transfer
from tests.economy.judge import World

_SIDES = (
    "SELECT transfer.id, reason, reference, coalesce('player:' || player_id, system_account), sum(amount)"
    " FROM accounts_ledgertransfer transfer LEFT JOIN accounts_ledgerentry entry ON entry.transfer_id = transfer.id"
    " GROUP BY transfer.id, 4"
)
_TRADES = (
    "SELECT id, listing_id, buyer_id, seller_id, resource_id, quantity, unit_price, total_price, fee FROM market_trade"
)
_LISTINGS = "SELECT id, seller_id, resource_id, quantity, unit_price, status, remaining FROM market_listing"
_MOVEMENTS = "SELECT player_id, resource_id, quantity, reason, reference FROM inventory_itemmovement"


def world(url: str) -> World:
    """Every table that the books are about, in one snapshot."""
    with closing(psycopg2.connect(url)) as connection:
        connection.set_session(isolation_level="REPEATABLE READ", readonly=True)
        with connection.cursor() as cursor:
            return _read(cursor)


def _read(cursor: Any) -> World:
    def rows(statement: str) -> list[tuple[Any, ...]]:
        cursor.execute(statement)
        return list(cursor.fetchall())

    found = World()
    for pk, coins, experience in rows("SELECT id, coins, experience FROM accounts_player"):
        found.coins[pk], found.experience[pk] = coins, experience
    for player, resource, quantity in rows("SELECT player_id, resource_id, quantity FROM inventory_inventoryitem"):
        found.holdings[player, resource] = quantity
    found.joined = set(rows("SELECT player_id, profession_id FROM inventory_playerprofession"))
    found.movements = Counter(Movement(*row) for row in rows(_MOVEMENTS))
    found.sales = {pk: Sale(*row) for pk, *row in rows(_TRADES)}
    for pk, seller, resource, quantity, price, status, remaining in rows(_LISTINGS):
        found.offers[pk] = Offer(seller, resource, quantity, price)
        found.states[pk] = (status, remaining)
    for player, key, status in rows("SELECT player_id, key, status FROM bcraftd_idempotencykey"):
        found.keys[player, key] = status
    _add_transfers(found, rows(_SIDES))
    return found


def _add_transfers(found: World, sides: list[tuple[Any, ...]]) -> None:
    by_transfer: dict[int, tuple[str, str, dict[str, int]]] = {}
    for pk, reason, reference, account, amount in sides:
        by_transfer.setdefault(pk, (reason, reference, {}))[2][account] = int(amount or 0)
    found.transfers = Counter(transfer(*row) for row in by_transfer.values())
