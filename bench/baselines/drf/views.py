"""A page of the market with and without `cache.get`, and a purchase with everything that ours does.

A purchase authenticates with the session, counts against a throttle, takes an Idempotency-Key, locks its rows in our
order, and leaves the same rows behind: the same audit goes over them.
"""

import base64
import hashlib
import json
from datetime import datetime
from typing import Any

from django.core.cache import cache
from django.db import IntegrityError, transaction
from django.db.models import F
from django.http import HttpResponse
from django.utils import timezone
from rest_framework.exceptions import APIException, NotFound, ValidationError
from rest_framework.permissions import IsAuthenticated
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import UserRateThrottle
from rest_framework.views import APIView

from bench.baselines.drf.authentication import SessionTokenAuthentication
from bench.baselines.drf.models import (
    IdempotencyKey,
    InventoryItem,
    ItemMovement,
    LedgerEntry,
    LedgerTransfer,
    Listing,
    Player,
    PlayerStatistics,
    Trade,
)
from bench.baselines.drf.serializers import BuySerializer, ListingSerializer, PageSerializer, TradeSerializer

LISTINGS_TTL = 60
PAGE = 50
FEE_PERCENT = 5


class Conflict(APIException):
    status_code = 409
    default_code = "conflict"


def read_page(resource_id: int, now: datetime) -> dict[str, Any]:
    rows = list(
        Listing.objects.filter(resource_id=resource_id, status="active", expires_at__gt=now)
        .select_related("resource", "seller")
        .order_by("unit_price", "id")[: PAGE + 1]
    )
    following = None
    if len(rows) > PAGE:
        last = rows[PAGE - 1]
        place = json.dumps(["unit_price,id", last.unit_price, last.pk], separators=(",", ":"))
        following = base64.urlsafe_b64encode(place.encode()).decode().rstrip("=")
    return {"listings": ListingSerializer(rows[:PAGE], many=True).data, "next": following}


class SerializedListings(APIView):
    """Always by the ORM."""

    def now(self) -> datetime:
        return timezone.now()

    def get(self, request: Request) -> Response:
        query = PageSerializer(data=request.query_params)
        query.is_valid(raise_exception=True)
        return Response({"source": "database", **read_page(query.validated_data["resource_id"], self.now())})


class CachedListings(APIView):
    """The serialized page by `cache.get`, which django-redis pickles."""

    def get(self, request: Request) -> Response:
        query = PageSerializer(data=request.query_params)
        query.is_valid(raise_exception=True)
        key = f"market:listings:{query.validated_data['resource_id']}"
        page = cache.get(key)
        if page is not None:
            return Response({"source": "cache", **page})
        page = read_page(query.validated_data["resource_id"], timezone.now())
        cache.set(key, page, LISTINGS_TTL)
        return Response({"source": "database", **page})


class Buy(APIView):
    authentication_classes = [SessionTokenAuthentication]
    permission_classes = [IsAuthenticated]
    throttle_classes = [UserRateThrottle]

    def post(self, request: Request, listing_id: int) -> HttpResponse:
        body = BuySerializer(data=request.data)
        body.is_valid(raise_exception=True)
        key = request.headers.get("Idempotency-Key", "")
        if not key:
            raise ValidationError({"Idempotency-Key": "This header is required."})
        call = json.dumps([request.method, request.path, request.data], sort_keys=True, separators=(",", ":"))
        fingerprint = hashlib.sha256(call.encode()).hexdigest()
        with transaction.atomic():
            kept = IdempotencyKey.objects.filter(player_id=request.user.pk, key=key).first()
            if kept is None:
                answer = JSONRenderer().render(buy(request.user.pk, listing_id, body.validated_data["quantity"]))
                try:
                    with transaction.atomic():
                        IdempotencyKey.objects.create(
                            player_id=request.user.pk, key=key, fingerprint=fingerprint, status=200, body=answer
                        )
                except IntegrityError:
                    raise Conflict("idempotency_in_progress") from None
            elif kept.fingerprint == fingerprint:
                answer = bytes(kept.body)
            else:
                raise Conflict("idempotency_key_reused")
        return HttpResponse(answer, content_type="application/json")


def buy(buyer_id: Any, listing_id: int, quantity: int) -> dict[str, Any]:
    listing = Listing.objects.filter(pk=listing_id).first()
    if listing is None:
        raise NotFound
    if listing.seller_id == buyer_id:
        raise Conflict("own_listing")
    locked = Player.objects.select_for_update(no_key=True).filter(pk__in=[buyer_id, listing.seller_id]).order_by("pk")
    players = {player.pk: player for player in locked}
    buyer, seller = players[buyer_id], players[listing.seller_id]
    listing = Listing.objects.select_for_update().get(pk=listing_id)
    if listing.status != "active" or listing.expires_at <= timezone.now():
        raise Conflict("listing_not_active")
    if listing.remaining < quantity:
        raise Conflict("insufficient_items")
    total = quantity * listing.unit_price
    fee = total * FEE_PERCENT // 100
    if buyer.coins < total:
        raise Conflict("insufficient_coins")
    trade = Trade.objects.create(
        listing=listing,
        buyer=buyer,
        seller=seller,
        resource_id=listing.resource_id,
        quantity=quantity,
        unit_price=listing.unit_price,
        total_price=total,
        fee=fee,
    )
    buyer.coins -= total
    buyer.save(update_fields=["coins"])
    seller.coins += total - fee
    seller.save(update_fields=["coins"])
    transfer = LedgerTransfer.objects.create(reason="trade", reference=f"trade:{trade.pk}")
    sides = [(buyer, "", -total), (seller, "", total - fee), (None, "market_fee", fee)]
    LedgerEntry.objects.bulk_create(
        LedgerEntry(transfer=transfer, player=player, system_account=account, amount=amount)
        for player, account, amount in sides
        if amount
    )
    listing.remaining -= quantity
    if listing.remaining == 0:
        listing.status, listing.closed_at = "sold", timezone.now()
    listing.save(update_fields=["remaining", "status", "closed_at"])
    item, _ = InventoryItem.objects.select_for_update().get_or_create(
        player=buyer, resource_id=listing.resource_id, defaults={"quantity": 0}
    )
    item.quantity += quantity
    item.save(update_fields=["quantity"])
    ItemMovement.objects.create(
        player=buyer,
        resource_id=listing.resource_id,
        quantity=quantity,
        reason="purchase",
        reference=f"trade:{trade.pk}",
    )
    PlayerStatistics.objects.filter(player=seller).update(
        sales_count=F("sales_count") + 1, sales_value=F("sales_value") + total
    )
    PlayerStatistics.objects.filter(player=buyer).update(
        purchases_count=F("purchases_count") + 1, purchases_value=F("purchases_value") + total
    )
    transaction.on_commit(lambda: cache.delete(f"market:listings:{listing.resource_id}"))
    return {"status": "success", "trade": TradeSerializer(trade).data, "coins": buyer.coins}
