"""What the database itself refuses, whoever asks: every rule of the market that must hold even for raw SQL."""

from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from market.models import Listing, Trade
from tests.support import Api


@pytest.fixture
def listing(ada: Api, bob: Api) -> Listing:
    """Nine logs, two of them sold."""
    ada.grant(mutterwood_log=9)
    made = ada.sells("mutterwood-log", 9, 30)
    assert bob.post(f"/api/market/listings/{made['id']}/buy", quantity=2).status_code == 200
    return Listing.objects.get()


def _refused(sql: str, *values: Any) -> str:
    """Runs SQL that must fail; returns what the database said."""
    with pytest.raises(DatabaseError) as error, transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql, values)
    return str(error.value)


def _insert(listing: Listing, **columns: Any) -> str:
    values = {
        "seller_id": listing.seller_id,
        "resource_id": listing.resource_id,
        "quantity": 5,
        "remaining": 5,
        "unit_price": 5,
        "status": "active",
        "views": 0,
        "created_at": timezone.now(),
        "expires_at": timezone.now(),
        "closed_at": None,
        **columns,
    }
    places = ", ".join(["%s"] * len(values))
    return _refused(
        f"INSERT INTO market_listing ({', '.join(values)}) VALUES ({places})",  # noqa: S608 - names from above
        *values.values(),
    )


IMPOSSIBLE_LISTINGS: list[tuple[dict[str, Any], str]] = [
    ({"quantity": 0, "remaining": 0}, "listing_quantity_range"),
    ({"quantity": 10**6 + 1}, "listing_quantity_range"),
    ({"unit_price": 0}, "listing_unit_price_range"),
    ({"unit_price": 10**9 + 1}, "listing_unit_price_range"),
    ({"remaining": 6}, "listing_remaining_range"),
    ({"remaining": -1}, "check constraint"),
    ({"remaining": 0}, "listing_status_consistent"),
    ({"closed_at": "2026-01-01Z"}, "listing_status_consistent"),
    ({"status": "sold", "closed_at": "2026-01-01Z"}, "listing_status_consistent"),
    ({"status": "sold", "remaining": 0}, "listing_status_consistent"),
    ({"status": "cancelled"}, "listing_status_consistent"),
    ({"status": "expired", "remaining": 0, "closed_at": "2026-01-01Z"}, "listing_status_consistent"),
    ({"status": "paused"}, "listing_status_consistent"),
]


def test_a_listing_that_cannot_be_is_refused(listing: Listing) -> None:
    for columns, constraint in IMPOSSIBLE_LISTINGS:
        assert constraint in _insert(listing, **columns), columns


@pytest.mark.parametrize("status", ["sold", "cancelled", "expired"])
def test_a_closed_listing_stays_as_it_was_closed(listing: Listing, status: str) -> None:
    listing.status, listing.closed_at = status, timezone.now()
    listing.remaining = 0 if status == "sold" else listing.remaining
    listing.save()

    for other in {"active", "sold", "cancelled", "expired"} - {status}:
        said = _refused(
            "UPDATE market_listing SET status = %s, remaining = %s, closed_at = %s",
            other,
            0 if other == "sold" else 1,
            None if other == "active" else timezone.now(),
        )
        assert "Invalid transition" in said
    assert Listing.objects.get().status == status


CHANGES_OF_AN_OFFER = [
    "unit_price = 1",
    "quantity = 10",
    "created_at = now()",
    "seller_id = %(bob)s",
    "resource_id = 2",
]


def test_an_offer_once_made_is_not_changed(listing: Listing, bob: Api) -> None:
    for change in CHANGES_OF_AN_OFFER:
        said = _refused(f"UPDATE market_listing SET {change % {'bob': bob.id}}")  # noqa: S608 - from the list above
        assert "Cannot update rows" in said, change


def test_listings_are_kept(listing: Listing) -> None:
    assert "Cannot delete rows" in _refused("DELETE FROM market_listing WHERE id = %s", listing.pk)
    assert Listing.objects.count() == 1


CHANGES_OF_A_TRADE = ["quantity = 1", "fee = 0", "created_at = now()", "unit_price = unit_price + 1"]


def test_a_trade_is_history(listing: Listing) -> None:
    before = Trade.objects.values().get()

    for change in CHANGES_OF_A_TRADE:
        assert "Cannot update or delete" in _refused(f"UPDATE market_trade SET {change}")  # noqa: S608 - from above
    assert "Cannot update or delete" in _refused("DELETE FROM market_trade")

    assert Trade.objects.values().get() == before


IMPOSSIBLE_TRADES: list[tuple[dict[str, Any], str]] = [
    ({"quantity": 0, "total_price": 0, "fee": 0}, "trade_quantity_positive"),
    ({"total_price": 61}, "trade_total_exact"),
    ({"fee": -1}, "trade_fee_range"),
    ({"fee": 61}, "trade_fee_range"),
    ({"buyer_id": "seller"}, "trade_not_with_oneself"),
]


def test_a_trade_that_cannot_be_is_refused(listing: Listing) -> None:
    good: dict[str, Any] = {**Trade.objects.values().get()}
    del good["id"]

    for columns, constraint in IMPOSSIBLE_TRADES:
        values = {**good, **columns}
        if values["buyer_id"] == "seller":
            values["buyer_id"] = values["seller_id"]
        with pytest.raises(DatabaseError, match=constraint), transaction.atomic():
            Trade.objects.create(**values)
    assert Trade.objects.create(**good).pk


def test_rows_say_what_they_are(listing: Listing) -> None:
    assert str(listing) == f"listing {listing.pk}"
    assert str(Trade.objects.get()) == f"trade {Trade.objects.get().pk}"
