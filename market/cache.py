"""What the market keeps in Redis: the pages of open listings, by resource and over all."""

from collections.abc import Iterator, Mapping
from typing import Any

from accounts.models import Player
from bcraftd import replicas
from bcraftd.cache import Entry, Hot, When, WriteBehind, hot
from inventory.models import Resource
from market.models import Listing, Trade

ALL = "all"

LISTINGS = Entry(
    family="market",
    key="market:listings:active:{resource_id}",
    ttl="CACHE_MARKET_LISTINGS_TTL",
    variants=True,
    hot=(
        Hot(
            "/api/market/listings",
            {
                "resource_id": hot.digits(default=ALL),
                "min_price": hot.digits(),
                "max_price": hot.digits(),
                "seller_id": hot.digits(),
                "ordering": hot.word(default="unit_price"),
                "limit": hot.digits(default=50),
                "cursor": hot.text(),
            },
            source=True,
        ),
    ),
)

# Write-behind: listing id -> views since the last writing.
VIEWS = WriteBehind("activity:listing_views")


def _both(row: Listing | Trade) -> list[Mapping[str, Any]]:
    return [{"resource_id": row.resource_id}, {"resource_id": ALL}]


def _resource(row: Resource) -> list[Mapping[str, Any]]:
    return [{"resource_id": row.pk}, {"resource_id": ALL}]


def _where_selling(player: Player) -> Iterator[Mapping[str, Any]]:
    """Pages show the seller's login."""
    offers = Listing.objects.filter(seller=player, status=Listing.Status.ACTIVE)
    for resource_id in offers.values_list("resource_id", flat=True).distinct():
        yield {"resource_id": resource_id}
    yield {"resource_id": ALL}


def _sides(trade: Trade) -> list[tuple[str, int]]:
    return [
        (replicas.PLAYER, trade.buyer_id),
        (replicas.PLAYER, trade.seller_id),
        (replicas.RESOURCE, trade.resource_id),
    ]


ENTRIES = [LISTINGS]
TABLE = [
    # Every column but `views`, which no page shows.
    When(Listing, LISTINGS, _both, columns=frozenset({"status", "remaining", "unit_price", "quantity", "expires_at"})),
    When(Trade, LISTINGS, _both),
    When(Resource, LISTINGS, _resource, columns=frozenset({"name"})),
    When(Player, LISTINGS, _where_selling, columns=frozenset({"login"}), creation=False),
]
# Trades and candles; coins of a trade move with it.
LAGGING = [replicas.shown(Trade, _sides)]
