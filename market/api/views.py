"""The market over HTTP."""

from typing import Any

from django.http import HttpResponse
from rest_framework.request import Request

from bcraftd.api import (
    ApiView,
    PublicView,
    cached_answer,
    idempotent,
    idempotent_within,
    json_answer,
    kept_answer,
)
from bcraftd.errors import Refusal
from bcraftd.fields import Page
from bcraftd.idempotency import Key
from bcraftd.schema import SIGNED_IN, documented
from market import selectors, services
from market.api import serializers


def _found(data: dict[str, Any] | None) -> HttpResponse:
    if data is None:
        raise Refusal("not_found")
    return json_answer(data)


class Listings(ApiView):
    """Reading is public, selling is not."""

    def get_authenticators(self) -> list[Any]:
        public = self.request is not None and self.request.method in ("GET", "HEAD")
        return [] if public else super().get_authenticators()

    def get_permissions(self) -> list[Any]:
        return [] if self.request.method in ("GET", "HEAD") else list(super().get_permissions())

    @documented(query=serializers.ListingsQuery, answer=serializers.Listings, cached=True)
    def get(self, request: Request) -> HttpResponse:
        """What is for sale."""
        query = self.query(serializers.ListingsQuery)
        return cached_answer(request, selectors.listings_page(**query), source=True)

    @documented(
        body=serializers.ListingBody,
        answer=serializers.Listing,
        status=201,
        errors=[*SIGNED_IN, "not_found", "not_tradeable", "insufficient_items"],
    )
    @idempotent
    def post(self, request: Request) -> HttpResponse:
        """Puts items up for sale; they leave the inventory at once."""
        listing = services.listing_create(seller_id=self.player.id, **self.body(serializers.ListingBody))
        return json_answer(selectors.listing_made(listing), 201)


class OneListing(PublicView):
    @documented(answer=serializers.Listing, errors=["not_found"])
    def get(self, request: Request, listing_id: int) -> HttpResponse:
        """One listing, in any status."""
        self.query()
        return _found(selectors.listing_viewed(listing_id))


class MyListings(ApiView):
    @documented(query=serializers.MineQuery, answer=serializers.OwnListings, errors=SIGNED_IN)
    def get(self, request: Request) -> HttpResponse:
        """The player's own listings, newest first."""
        return json_answer(selectors.listings_of(seller_id=self.player.id, **self.query(serializers.MineQuery)))


class Buy(ApiView):
    @documented(
        body=serializers.BuyBody,
        answer=serializers.Bought,
        errors=[
            *SIGNED_IN, "not_found", "own_listing", "listing_not_active", "insufficient_items", "insufficient_coins",
            "balance_limit",
        ],
    )  # fmt: skip
    @idempotent_within
    def post(self, request: Request, listing_id: int, once: Key | None) -> HttpResponse:
        """Buys a part of a listing, or all that remains."""
        quantity = self.body(serializers.BuyBody).get("quantity")
        return kept_answer(
            services.listing_buy(buyer_id=self.player.id, listing_id=listing_id, quantity=quantity, once=once)
        )


class Cancel(ApiView):
    @documented(
        answer=serializers.Listing,
        errors=[*SIGNED_IN, "not_found", "permission_denied", "listing_not_active", "balance_limit"],
    )
    @idempotent
    def post(self, request: Request, listing_id: int) -> HttpResponse:
        """Takes a listing off the market; what remains goes back to its seller."""
        self.body()
        listing = services.listing_cancel(player_id=self.player.id, listing_id=listing_id)
        return json_answer(selectors.listing_get(listing.pk))


class Trades(ApiView):
    @documented(query=Page, answer=serializers.Trades, errors=SIGNED_IN)
    def get(self, request: Request) -> HttpResponse:
        """The player's trades, bought and sold, newest first."""
        return json_answer(selectors.trades_page(player_id=self.player.id, **self.query(Page)))


class Summary(PublicView):
    @documented(answer=serializers.Summary, errors=["not_found"])
    def get(self, request: Request, resource_id: int) -> HttpResponse:
        """A resource's market at a glance."""
        self.query()
        return _found(selectors.resource_summary(resource_id))


class History(PublicView):
    @documented(query=serializers.HistoryQuery, answer=serializers.History, errors=["not_found"])
    def get(self, request: Request, resource_id: int) -> HttpResponse:
        """A resource's trades as candles, oldest first."""
        return _found(selectors.resource_history(resource_id=resource_id, **self.query(serializers.HistoryQuery)))
