"""Listings and trades in the admin."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from bcraftd.adminbase import ReadOnlyAdmin, action, display
from market import services
from market.models import Listing, Trade


@admin.register(Listing)
class ListingAdmin(ReadOnlyAdmin):
    list_display = [
        "id", "resource", "seller", "remaining", "quantity", "unit_price", "shown_status", "created_at", "expires_at",
    ]  # fmt: skip
    list_select_related = ["resource", "seller"]
    list_filter = ["status", "resource"]
    search_fields = ["seller__login__iexact"]
    search_help_text = "The seller's whole login"
    actions = ["cancel"]

    @display(
        description="status",
        label={"active": "success", "sold": "info", "cancelled": "warning", "expired": "danger"},
    )
    def shown_status(self, listing: Listing) -> str:
        return listing.status

    def has_cancel_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("market.change_listing")

    @action(description="Cancel: give back what remains", permissions=["cancel"])
    def cancel(self, request: HttpRequest, queryset: Any) -> None:
        operator = int(request.user.pk or 0)

        def act(listing: Listing) -> None:
            services.listing_cancel(player_id=operator, listing_id=listing.pk, as_operator=True)

        self.each_row(request, queryset, act, "Cancelled")


@admin.register(Trade)
class TradeAdmin(ReadOnlyAdmin):
    list_display = [
        "id", "resource", "seller", "buyer", "quantity", "unit_price", "total_price", "fee", "created_at",
    ]  # fmt: skip
    list_select_related = ["resource", "seller", "buyer"]
    list_filter = ["resource"]
    search_fields = ["seller__login__iexact", "buyer__login__iexact"]
    search_help_text = "The seller's or the buyer's whole login"
