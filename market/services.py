"""Writes of the market: listing, buying, cancelling, running out.

Every one locks in the same order (players by id, the listing, inventory rows) and is one transaction. Coins and items
move by the functions coins_transfer and items_move of PostgreSQL; listing and buying are functions there themselves
(market/sql.py) and call these two, everything else calls them by accounts.services and inventory.services.
"""

import json
import logging
import uuid

from django.conf import settings
from django.db import connection
from django.utils import timezone

from accounts import services as accounts
from accounts.models import MAX_AMOUNT, Player
from bcraftd.cache import changed
from bcraftd.errors import Refusal
from bcraftd.idempotency import KEPT, Kept, Key, lock_number
from bcraftd.transactions import atomic
from inventory import services as inventory
from inventory.models import InventoryItem, ItemMovement, Resource
from market.models import LISTING_LIFE, Listing, Trade

log = logging.getLogger(__name__)

# How many overdue listings one sweep's transaction closes.
SWEEP_BATCH = 500


_LIST = "SELECT outcome, detail, listing, resource_name, seller_login FROM market_list(%s, %s, %s, %s, %s, %s, %s)"


@atomic
def listing_create(*, seller_id: int, resource_id: int, quantity: int, unit_price: int) -> Listing:
    """Puts items out of the seller's inventory into escrow. What is returned has its seller's login and its resource's
    name, and nothing else of the two.

    One call to PostgreSQL (market/sql.py). Raises Refusal `not_found`, `not_tradeable` or `insufficient_items`.
    """
    now = timezone.now()
    until = now + LISTING_LIFE
    with connection.cursor() as cursor:
        cursor.execute(_LIST, [seller_id, resource_id, quantity, unit_price, now, until, MAX_AMOUNT])
        outcome, detail, listing_id, name, login = cursor.fetchone()
    if outcome != "listed":
        raise Refusal(outcome, detail)
    listing = Listing(
        pk=listing_id,
        seller=Player(pk=seller_id, login=login),
        resource=Resource(pk=resource_id, name=name),
        quantity=quantity,
        remaining=quantity,
        unit_price=unit_price,
        created_at=now,
        expires_at=until,
    )
    changed([listing, InventoryItem(player_id=seller_id)])
    return listing


def _seller_of(listing_id: int) -> int:
    """Who sells, read without a lock: it never changes. Raises Refusal `not_found`."""
    seller_id = Listing.objects.filter(pk=listing_id).values_list("seller_id", flat=True).first()
    if seller_id is None:
        raise Refusal("not_found", f"There is no listing {listing_id}.")
    return seller_id


def _locked(listing_id: int) -> Listing:
    return Listing.objects.select_for_update().get(pk=listing_id)


_BUY = "SELECT outcome, detail, body FROM market_buy(%s, %s, %s, %s, %s, %s, %s::uuid, %s, %s, %s, %s::interval)"


@atomic
def listing_buy(*, buyer_id: int, listing_id: int, quantity: int | None, once: Key | None = None) -> Kept:
    """Buys `quantity` of a listing, all that remains where it is None. Returns the answer: the trade, and the coins
    that the buyer has left.

    One call to PostgreSQL (market/sql.py). Under an idempotency key it has one effect and one answer, as by
    bcraftd.idempotency.once. Raises Refusal `not_found`, `own_listing`, `listing_not_active`, `insufficient_items`,
    `insufficient_coins`, `balance_limit`, `idempotency_in_progress` or `idempotency_key_reused`.
    """
    keyed = (None, None, None) if once is None else (once.key, lock_number(buyer_id, once.key), once.call)
    with connection.cursor() as cursor:
        cursor.execute(
            _BUY,
            [
                buyer_id, listing_id, quantity, settings.MARKET_FEE_PERCENT, MAX_AMOUNT, timezone.now(),
                str(uuid.uuid4()), *keyed, str(KEPT),
            ],
        )  # fmt: skip
        outcome, detail, body = cursor.fetchone()
    if outcome == "replayed":
        return Kept(200, bytes(body), replayed=True)
    if outcome != "bought":
        raise Refusal(outcome, detail or "")
    trade = json.loads(bytes(body))["trade"]
    changed(
        [
            Trade(resource_id=trade["resource_id"], buyer_id=buyer_id, seller_id=trade["seller_id"]),
            InventoryItem(player_id=buyer_id),
        ]
    )
    return Kept(200, bytes(body))


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
