"""Reads of the market."""

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import reduce
from typing import Any

from django.db import connection
from django.db.models import Max, Min, Q, QuerySet, Sum
from django.utils import timezone

from bcraftd.cache import Answer, Fresh
from bcraftd.pagination import cursor_to, keyset_page, place_of
from bcraftd.postgresql import lagging
from bcraftd.replicas import PLAYER, RESOURCE, may_lag
from inventory.models import Resource
from market.cache import ALL, LISTINGS, VIEWS
from market.models import Listing, Trade

LISTING_COLUMNS = (
    "id", "resource_id", "resource__name", "seller_id", "seller__login", "quantity", "remaining", "unit_price",
    "status", "created_at", "expires_at",
)  # fmt: skip
TRADE_COLUMNS = (
    "id", "listing_id", "resource_id", "buyer_id", "seller_id", "quantity", "unit_price", "total_price", "fee",
    "created_at",
)  # fmt: skip

# What each ordering sorts by; the id breaks ties, and its direction follows.
ORDERINGS: dict[str, tuple[list[str], list[type]]] = {
    "unit_price": (["unit_price", "id"], [int, int]),
    "-unit_price": (["-unit_price", "-id"], [int, int]),
    "created_at": (["created_at", "id"], [datetime, int]),
    "-created_at": (["-created_at", "-id"], [datetime, int]),
}

# A page as PostgreSQL writes it: the most asked for page of all, and Python takes three times as long to make JSON of
# its rows (docs/performance.md). One listing more than the page holds tells that there is a next page. What a filter
# that is not there compares with is NULL, and falls away when the statement is planned. Names are written as the ORM
# writes them: tests read there what an entry shows.
_PAGE = """
SELECT coalesce(string_agg(row_to_json(shown)::text, ',' ORDER BY place) FILTER (WHERE place <= %(limit)s), ''),
       count(*),
       min(found.expires_at),
       (array_agg(found.<column>) FILTER (WHERE place = %(limit)s))[1],
       (array_agg(found.id) FILTER (WHERE place = %(limit)s))[1]
FROM (
    SELECT "market_listing"."id", "market_listing"."resource_id", "market_listing"."seller_id",
           "market_listing"."quantity", "market_listing"."remaining", "market_listing"."unit_price",
           "market_listing"."status", "market_listing"."created_at", "market_listing"."expires_at",
           row_number() OVER (ORDER BY <order>) AS place
    FROM "market_listing"
    WHERE "market_listing"."status" = 'active' AND "market_listing"."expires_at" > %(now)s
      AND (%(resource)s IS NULL OR "market_listing"."resource_id" = %(resource)s)
      AND (%(min_price)s IS NULL OR "market_listing"."unit_price" >= %(min_price)s)
      AND (%(max_price)s IS NULL OR "market_listing"."unit_price" <= %(max_price)s)
      AND (%(seller)s IS NULL OR "market_listing"."seller_id" = %(seller)s)
      AND (%(after_id)s IS NULL OR
           ("market_listing"."<column>", "market_listing"."id") <behind> (%(after)s, %(after_id)s))
    ORDER BY <order>
    LIMIT %(limit)s + 1
) AS found
JOIN "inventory_resource" ON "inventory_resource"."id" = found.resource_id
JOIN "accounts_player" ON "accounts_player"."id" = found.seller_id
CROSS JOIN LATERAL (
    SELECT found.id, found.resource_id, "inventory_resource"."name" AS resource_name, found.seller_id,
           "accounts_player"."login" AS seller_login, found.quantity, found.remaining, found.unit_price, found.status,
           to_char(found.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS created_at,
           to_char(found.expires_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS expires_at
) AS shown
"""


def _page_by(ordering: str) -> str:
    column = ordering.lstrip("-")
    way, behind = (" DESC", "<") if ordering.startswith("-") else ("", ">")
    order = f'"market_listing"."{column}"{way}, "market_listing"."id"{way}'
    return _PAGE.replace("<order>", order).replace("<column>", column).replace("<behind>", behind)


_PAGES = {ordering: _page_by(ordering) for ordering in ORDERINGS}


def listing_shown(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of LISTING_COLUMNS as the API shows it."""
    return {name.replace("__", "_"): row[name] for name in LISTING_COLUMNS}


def listings_page(
    *,
    resource_id: int | None = None,
    min_price: int | None = None,
    max_price: int | None = None,
    seller_id: int | None = None,
    ordering: str = "unit_price",
    limit: int = 50,
    cursor: str | None = None,
) -> Answer | None:
    """A page of what is for sale, through the cache. Raises Refusal `invalid` for a bad cursor."""
    return LISTINGS.get(
        {"resource_id": ALL if resource_id is None else resource_id},
        {
            "min_price": min_price,
            "max_price": max_price,
            "seller_id": seller_id,
            "ordering": ordering,
            "limit": limit,
            "cursor": cursor,
        },
    )


@LISTINGS.filler
def _listings(
    resource_id: int | str,
    ordering: str,
    limit: int,
    min_price: int | None = None,
    max_price: int | None = None,
    seller_id: int | None = None,
    cursor: str | None = None,
) -> Fresh:
    """One query, and one more where nothing is found. True until the first listing on the page runs out, or the one
    behind it that makes it have a next page."""
    now = timezone.now()
    order, kinds = ORDERINGS[ordering]
    after, after_id = (None, None) if cursor is None else place_of(cursor, order, kinds)
    given = {
        "now": now,
        "resource": None if resource_id == ALL else resource_id,
        "min_price": min_price,
        "max_price": max_price,
        "seller": seller_id,
        "after": after,
        "after_id": after_id,
        "limit": limit,
    }
    with connection.cursor() as asked:
        asked.execute(_PAGES[ordering], given)
        listings, count, until, *last = asked.fetchone()
    following = json.dumps(cursor_to(order, last)) if count > limit else "null"
    body = f'{{"listings":[{listings}],"next":{following}}}'.encode()
    if not count and resource_id != ALL and not _exists(int(resource_id)):
        # Nothing is kept for resources that do not exist: made-up ids would fill Redis with keys.
        until = now
    return Fresh(body, until)


def listing_made(listing: Listing) -> dict[str, Any]:
    """A new listing as the API shows it; `seller` and `resource` must be loaded."""
    return listing_shown({name: reduce(getattr, name.split("__"), listing) for name in LISTING_COLUMNS})


def listing_get(listing_id: int) -> dict[str, Any] | None:
    """One listing in any status, None where there is none. One query."""
    row = Listing.objects.filter(pk=listing_id).values(*LISTING_COLUMNS).first()
    return None if row is None else listing_shown(row)


def listing_viewed(listing_id: int) -> dict[str, Any] | None:
    """As listing_get, for somebody who looks at it: counts a view."""
    listing = listing_get(listing_id)
    if listing is not None:
        VIEWS.put(str(listing_id), 1)
    return listing


# The rows are locked in the order of their ids, as the sweep locks them, so that the two cannot deadlock.
_ADD_VIEWS = """
WITH locked AS (
    SELECT id FROM market_listing WHERE id = ANY(%(ids)s::bigint[]) ORDER BY id FOR NO KEY UPDATE
)
UPDATE market_listing
SET views = views + seen.number
FROM (SELECT unnest(%(ids)s::bigint[]) AS id, unnest(%(numbers)s::bigint[]) AS number) AS seen
JOIN locked USING (id)
WHERE market_listing.id = seen.id
"""


@VIEWS.writer
def _write_views(facts: Mapping[str, int]) -> int:
    """Bulk-adds views. No signal: no cached page shows them."""
    with connection.cursor() as cursor:
        cursor.execute(_ADD_VIEWS, {"ids": [int(name) for name in facts], "numbers": list(facts.values())})
        return int(cursor.rowcount)


def listings_of(*, seller_id: int, limit: int, status: str | None = None, cursor: str | None = None) -> dict[str, Any]:
    """A page of a player's own listings, newest first. One query."""
    rows = Listing.objects.filter(seller_id=seller_id)
    if status is not None:
        rows = rows.filter(status=status)
    found, following = keyset_page(
        rows.values(*LISTING_COLUMNS), order=["-id"], kinds=[int], cursor=cursor, limit=limit
    )
    return {"listings": [listing_shown(row) for row in found], "next": following}


@may_lag(PLAYER, "player_id", Trade)
def trades_page(*, player_id: int, limit: int, cursor: str | None = None) -> dict[str, Any]:
    """A page of the trades that a player bought or sold in, newest first. One query."""
    found, following = keyset_page(
        Trade.objects.filter(Q(buyer_id=player_id) | Q(seller_id=player_id)).values(*TRADE_COLUMNS),
        order=["-id"],
        kinds=[int],
        cursor=cursor,
        limit=limit,
    )
    return {"trades": found, "next": following}


def _exists(resource_id: int) -> bool:
    return Resource.objects.filter(pk=resource_id).exists()


def _open(resource_id: int, now: datetime) -> QuerySet[Listing]:
    return Listing.objects.filter(resource_id=resource_id, status=Listing.Status.ACTIVE, expires_at__gt=now)


# What _day_of finds where nothing was sold.
_NO_TRADES: dict[str, Any] = {"volume": None, "value": None, "low": None, "high": None}


def _day_of(trades: QuerySet[Trade], now: datetime) -> dict[str, Any]:
    return trades.filter(created_at__gt=now - timedelta(hours=24)).aggregate(
        volume=Sum("quantity"), value=Sum("total_price"), low=Min("unit_price"), high=Max("unit_price")
    )


def resource_summary(resource_id: int) -> dict[str, Any] | None:
    """A resource's market at a glance, None for an unknown one. Prices are coins for one. Three queries."""
    now = timezone.now()
    offered = _open(resource_id, now).aggregate(lowest=Min("unit_price"), volume=Sum("remaining"))
    trades = Trade.objects.filter(resource_id=resource_id)
    last = trades.order_by("-created_at", "-id").values_list("unit_price", flat=True).first()
    if last is None and offered["volume"] is None and not _exists(resource_id):
        return None
    day = _NO_TRADES if last is None else _day_of(trades, now)
    return {
        "resource_id": resource_id,
        "lowest_price": offered["lowest"],
        "volume_listed": offered["volume"] or 0,
        "last_price": last,
        "volume_24h": day["volume"] or 0,
        "low_24h": day["low"],
        "high_24h": day["high"],
        "average_24h": round(day["value"] / day["volume"], 2) if day["volume"] else None,
    }


# Opening and closing prices are those of the first and the last trade of each span, by time and then id.
_CANDLES = """
SELECT date_trunc(%s, created_at, 'UTC') AS "time",
       (array_agg(unit_price ORDER BY created_at, id))[1] AS open,
       max(unit_price) AS high,
       min(unit_price) AS low,
       (array_agg(unit_price ORDER BY created_at DESC, id DESC))[1] AS close,
       sum(quantity)::bigint AS volume
FROM market_trade
WHERE resource_id = %s
GROUP BY 1
ORDER BY 1 DESC
LIMIT %s
"""


@may_lag(RESOURCE, "resource_id", Resource, Trade)
def resource_history(*, resource_id: int, interval: str, limit: int) -> dict[str, Any] | None:
    """The newest candles of a resource's trades, oldest first; None for an unknown resource. Two queries.

    `interval` is `hour` or `day`; spans without a trade have no candle.
    """
    if not _exists(resource_id):
        return None
    with lagging.connection_for(Trade).cursor() as cursor:
        cursor.execute(_CANDLES, [interval, resource_id, limit])
        names = [column.name for column in cursor.description]
        candles = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    return {"resource_id": resource_id, "interval": interval, "candles": candles[::-1]}
