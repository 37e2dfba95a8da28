"""What is for sale, and what was sold."""

from datetime import datetime, timedelta

import pgtrigger
from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from bcraftd.tracked import Tracked, outside_triggers
from bcraftd.triggers import append_only, no_truncate
from inventory.models import Resource

MAX_QUANTITY = 10**6
MAX_UNIT_PRICE = 10**9
LISTING_LIFE = timedelta(days=7)


def default_expiry() -> datetime:
    """When a listing made now runs out."""
    return timezone.now() + LISTING_LIFE


class Listing(Tracked):
    """Items in escrow, offered at a price each. Sold, cancelled and expired are final."""

    class Status(models.TextChoices):
        ACTIVE = "active"
        SOLD = "sold"
        CANCELLED = "cancelled"
        EXPIRED = "expired"

    seller = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="listings")
    resource = models.ForeignKey(Resource, on_delete=models.PROTECT, related_name="listings")
    quantity = models.PositiveIntegerField(help_text="As listed.")
    remaining = models.PositiveIntegerField(help_text="Still in escrow; kept as it was when the listing was closed.")
    unit_price = models.PositiveBigIntegerField(help_text="Coins for one.")
    status = models.CharField(max_length=16, choices=Status.choices, default=Status.ACTIVE)
    views = models.PositiveBigIntegerField(default=0, help_text="Written behind, every minute.")
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField(default=default_expiry)
    closed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [
            models.Index(fields=["unit_price", "id"], condition=Q(status="active"), name="listing_active_price"),
            models.Index(
                fields=["resource", "unit_price", "id"], condition=Q(status="active"), name="listing_active_resource"
            ),
            models.Index(fields=["created_at", "id"], condition=Q(status="active"), name="listing_active_newest"),
            models.Index(
                fields=["resource", "created_at", "id"], condition=Q(status="active"), name="listing_active_made"
            ),
            models.Index(fields=["expires_at", "id"], condition=Q(status="active"), name="listing_active_expiry"),
            models.Index(fields=["seller", "-id"], name="listing_seller_newest"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(quantity__gte=1, quantity__lte=MAX_QUANTITY), name="listing_quantity_range"
            ),
            models.CheckConstraint(
                condition=Q(unit_price__gte=1, unit_price__lte=MAX_UNIT_PRICE), name="listing_unit_price_range"
            ),
            models.CheckConstraint(condition=Q(remaining__lte=F("quantity")), name="listing_remaining_range"),
            models.CheckConstraint(
                condition=Q(status="active", remaining__gte=1, closed_at__isnull=True)
                | Q(status="sold", remaining=0, closed_at__isnull=False)
                | Q(status__in=["cancelled", "expired"], remaining__gte=1, closed_at__isnull=False),
                name="listing_status_consistent",
            ),
        ]
        triggers = [
            *outside_triggers(),
            pgtrigger.FSM(
                name="final_states",
                field="status",
                transitions=[("active", "sold"), ("active", "cancelled"), ("active", "expired")],
            ),
            pgtrigger.ReadOnly(
                name="offer_fixed", fields=["seller", "resource", "quantity", "unit_price", "created_at"]
            ),
            pgtrigger.Protect(name="kept", operation=pgtrigger.Delete),
            no_truncate(),
        ]

    def __str__(self) -> str:
        return f"listing {self.pk}"


class Trade(Tracked):
    """One sale out of a listing."""

    listing = models.ForeignKey(Listing, on_delete=models.PROTECT, related_name="trades")
    buyer = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="purchases")
    seller = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="sales")
    resource = models.ForeignKey(Resource, on_delete=models.PROTECT, related_name="trades")
    quantity = models.PositiveIntegerField()
    unit_price = models.PositiveBigIntegerField()
    total_price = models.BigIntegerField()
    fee = models.BigIntegerField()
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        indexes = [
            models.Index(fields=["buyer", "-id"], name="trade_buyer_newest"),
            models.Index(fields=["seller", "-id"], name="trade_seller_newest"),
            models.Index(fields=["resource", "-created_at"], name="trade_resource_newest"),
        ]
        constraints = [
            models.CheckConstraint(condition=Q(quantity__gte=1), name="trade_quantity_positive"),
            models.CheckConstraint(condition=Q(total_price=F("quantity") * F("unit_price")), name="trade_total_exact"),
            models.CheckConstraint(condition=Q(fee__gte=0, fee__lte=F("total_price")), name="trade_fee_range"),
            models.CheckConstraint(condition=~Q(buyer=F("seller")), name="trade_not_with_oneself"),
        ]
        triggers = [
            *outside_triggers(),
            *append_only(),
        ]

    def __str__(self) -> str:
        return f"trade {self.pk}"
