"""Writes of the market: listing, buying, cancelling, running out.

Every one locks in the same order (players by id, the listing, inventory rows), changes coins and items only
through accounts.services.coins_transfer and inventory.services.items_move, and is one transaction.
"""

import logging
from typing import Any

from django.conf import settings
from django.utils import timezone

from accounts import services as accounts
from accounts.models import SystemAccount
from bcraftd.errors import Refusal
from bcraftd.transactions import atomic
from inventory import services as inventory
from inventory.models import ItemMovement, Resource
from market import rules
from market.models import LISTING_LIFE, Listing, Trade

log = logging.getLogger(__name__)

# How many overdue listings one sweep's transaction closes.
SWEEP_BATCH = 500


@atomic
def listing_create(*, seller_id: int, resource_id: int, quantity: int, unit_price: int) -> Listing:
    """Puts items out of the seller's inventory into escrow.

    Raises Refusal `not_found`, `not_tradeable` or `insufficient_items`.
    """
    accounts.players_lock([seller_id])
    resource = Resource.objects.filter(pk=resource_id).first()
    if resource is None:
        raise Refusal("not_found", f"There is no resource {resource_id}.")
    if not resource.tradeable:
        raise Refusal("not_tradeable", f"{resource.name} cannot be traded.")
    now = timezone.now()
    listing = Listing.objects.create(
        seller_id=seller_id,
        resource=resource,
        quantity=quantity,
        remaining=quantity,
        unit_price=unit_price,
        created_at=now,
        expires_at=now + LISTING_LIFE,
    )
    inventory.items_move(
        player_id=seller_id,
        moves={resource_id: -quantity},
        reason=ItemMovement.Reason.ESCROW,
        reference=f"listing:{listing.pk}",
    )
    return listing


def _seller_of(listing_id: int) -> int:
    """Who sells, read without a lock: it never changes. Raises Refusal `not_found`."""
    seller_id = Listing.objects.filter(pk=listing_id).values_list("seller_id", flat=True).first()
    if seller_id is None:
        raise Refusal("not_found", f"There is no listing {listing_id}.")
    return seller_id


def _locked(listing_id: int) -> Listing:
    return Listing.objects.select_for_update().get(pk=listing_id)


@atomic
def listing_buy(*, buyer_id: int, listing_id: int, quantity: int | None) -> tuple[Trade, int]:
    """Buys `quantity` of a listing, all that remains where it is None. Returns the trade and the buyer's coins.

    Raises Refusal `not_found`, `own_listing`, `listing_not_active`, `insufficient_items`, `insufficient_coins`
    or `balance_limit`.
    """
    seller_id = _seller_of(listing_id)
    if seller_id == buyer_id:
        raise Refusal("own_listing", "This is your own listing. Cancel it to have the items back.")
    players = accounts.players_lock([buyer_id, seller_id])
    listing = _locked(listing_id)
    now = timezone.now()
    if listing.status != Listing.Status.ACTIVE or listing.expires_at <= now:
        raise Refusal("listing_not_active", "The listing is sold, cancelled or has run out.")
    amount = listing.remaining if quantity is None else quantity
    if amount > listing.remaining:
        raise Refusal("insufficient_items", f"{listing.remaining} remain of this listing.")
    total = rules.total_price(amount, listing.unit_price)
    fee = rules.fee(total, settings.MARKET_FEE_PERCENT)
    trade = Trade.objects.create(
        listing=listing,
        buyer_id=buyer_id,
        seller_id=seller_id,
        resource_id=listing.resource_id,
        quantity=amount,
        unit_price=listing.unit_price,
        total_price=total,
        fee=fee,
        created_at=now,
    )
    reference = f"trade:{trade.pk}"
    accounts.coins_transfer(
        moves={players[buyer_id]: -total, players[seller_id]: total - fee, SystemAccount.MARKET_FEE: fee},
        reason="trade",
        reference=reference,
    )
    _take(listing, amount, now)
    inventory.items_move(
        player_id=buyer_id,
        moves={listing.resource_id: amount},
        reason=ItemMovement.Reason.PURCHASE,
        reference=reference,
    )
    accounts.statistics_add(player_id=seller_id, sales_count=1, sales_value=total)
    accounts.statistics_add(player_id=buyer_id, purchases_count=1, purchases_value=total)
    return trade, players[buyer_id].coins


def _take(listing: Listing, amount: int, now: Any) -> None:
    """Takes items out of escrow; the last ones close the listing."""
    listing.remaining -= amount
    if listing.remaining == 0:
        listing.status, listing.closed_at = Listing.Status.SOLD, now
    listing.save(update_fields=["remaining", "status", "closed_at"])


def _give_back(listing: Listing, status: str) -> None:
    """Closes a locked listing and returns what remains to its locked seller; `remaining` keeps that number.

    Raises Refusal `balance_limit`, with nothing changed, where the seller cannot hold what comes back.
    """
    inventory.items_move(
        player_id=listing.seller_id,
        moves={listing.resource_id: listing.remaining},
        reason=ItemMovement.Reason.ESCROW_RETURN,
        reference=f"listing:{listing.pk}",
    )
    listing.status, listing.closed_at = status, timezone.now()
    listing.save(update_fields=["status", "closed_at"])


@atomic
def listing_cancel(*, player_id: int, listing_id: int, as_operator: bool = False) -> Listing:
    """Takes a listing off the market and gives what remains back to its seller.

    Raises Refusal `not_found`, `permission_denied` for another player's, `listing_not_active` or `balance_limit`.
    """
    seller_id = _seller_of(listing_id)
    if seller_id != player_id and not as_operator:
        raise Refusal("permission_denied", "Only its seller may cancel a listing.")
    accounts.players_lock([seller_id])
    listing = _locked(listing_id)
    if listing.status != Listing.Status.ACTIVE:
        raise Refusal("listing_not_active", "The listing is closed already.")
    _give_back(listing, Listing.Status.CANCELLED)
    return listing


def listings_expire() -> int:
    """Closes every overdue listing, batch by batch, each batch in a transaction of its own. Returns how many."""
    expired = 0
    while closed := _expire_batch():
        expired += closed
    return expired


@atomic
def _expire_batch() -> int:
    """Sellers are locked first, as everywhere; the listings are read again under the lock."""
    overdue = Listing.objects.filter(status=Listing.Status.ACTIVE, expires_at__lte=timezone.now())
    found = dict(overdue.order_by("expires_at", "id").values_list("pk", "seller_id")[:SWEEP_BATCH])
    accounts.players_lock(found.values())
    return sum(_expire(listing) for listing in overdue.select_for_update().filter(pk__in=found).order_by("pk"))


def _expire(listing: Listing) -> bool:
    """Whether it could be closed. One seller who can hold no more must not keep everybody else's items."""
    try:
        _give_back(listing, Listing.Status.EXPIRED)
    except Refusal as refusal:
        log.error("an overdue listing cannot be closed: %s", refusal.detail, extra={"listing": listing.pk})
        return False
    return True
