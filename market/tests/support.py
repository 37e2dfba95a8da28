"""What the market's tests have in common: the whole economy at a glance, and steps taken over and over."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, TypeVar

from django.db import connection
from django.db.models import Model
from django.utils import timezone

from accounts.models import LedgerEntry, LedgerTransfer, Player, PlayerStatistics
from bcraftd import economy as economy_audit
from inventory.models import InventoryItem, ItemMovement
from market.models import Listing, Trade
from tests.support import Api

T = TypeVar("T")


def economy() -> dict[str, Any]:
    """Every row that a call of the market may touch, to compare before and after."""
    tables: dict[str, Any] = {
        model.__name__: list(model._default_manager.order_by("pk").values())
        for model in (InventoryItem, ItemMovement, LedgerEntry, LedgerTransfer, Listing, PlayerStatistics, Trade)
    }
    tables["Player"] = list(Player.objects.order_by("pk").values("pk", "coins", "experience", "level"))
    return tables


def assert_conserved() -> None:
    """Coins and items are where the ledgers say, and none was made or lost."""
    assert economy_audit.audit().problems == []


def runs_out(listing_id: int, **left: float) -> Listing:
    """Moves a listing's end: `seconds=5` from now, `seconds=-1` ago."""
    listing = Listing.objects.get(pk=listing_id)
    listing.expires_at = timezone.now() + timedelta(**left)
    listing.save(update_fields=["expires_at"])
    return listing


def ids(answer: Any) -> list[int]:
    """The listings' ids on a page, in order."""
    assert answer.status_code == 200, answer.content
    return [row["id"] for row in answer.json()["listings"]]


def traded(listing: Listing, buyer: Api, quantity: int, unit_price: int, at: datetime) -> Trade:
    """A sale as history has it, at another time and price than the market would give now."""
    return Trade.objects.create(
        listing=listing,
        buyer_id=buyer.id,
        seller_id=listing.seller_id,
        resource_id=listing.resource_id,
        quantity=quantity,
        unit_price=unit_price,
        total_price=quantity * unit_price,
        fee=0,
        created_at=at,
    )


def closing(call: Callable[[], T]) -> T:
    """For a thread: makes the call, and leaves no connection open."""
    try:
        return call()
    finally:
        connection.close()


@contextmanager
def row_locked(model: type[Model], pk: int) -> Iterator[Any]:
    """Keeps a row locked by another connection, whose cursor this gives."""
    other = connection.copy()
    try:
        other.set_autocommit(False)
        with other.cursor() as cursor:
            cursor.execute(f"SELECT 1 FROM {model._meta.db_table} WHERE id = %s FOR UPDATE", [pk])  # noqa: S608
            yield cursor
    finally:
        other.close()


def waiting_for_locks() -> int:
    """How many connections to this database wait for a lock."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        return int(cursor.fetchone()[0])
