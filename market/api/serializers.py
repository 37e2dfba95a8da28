"""What the calls of the market take and give."""

from rest_framework import serializers

from bcraftd.fields import (
    BodyId,
    BodyInteger,
    Page,
    QueryId,
    QueryInteger,
    ShownAmount,
    ShownId,
    Source,
    StrictSerializer,
)
from market.models import MAX_QUANTITY, MAX_UNIT_PRICE
from market.models import Listing as ListingModel
from market.selectors import ORDERINGS


class ListingsQuery(Page):
    resource_id = QueryId(required=False)
    seller_id = QueryId(required=False)
    min_price = QueryInteger(required=False, min_value=0, max_value=MAX_UNIT_PRICE)
    max_price = QueryInteger(required=False, min_value=0, max_value=MAX_UNIT_PRICE)
    ordering = serializers.ChoiceField(list(ORDERINGS), default="unit_price")


class MineQuery(Page):
    status = serializers.ChoiceField(ListingModel.Status.values, required=False)


class ListingBody(StrictSerializer):
    resource_id = BodyId()
    quantity = BodyInteger(min_value=1, max_value=MAX_QUANTITY)
    unit_price = BodyInteger(min_value=1, max_value=MAX_UNIT_PRICE)


class BuyBody(StrictSerializer):
    quantity = BodyInteger(required=False, min_value=1, max_value=MAX_QUANTITY)


class HistoryQuery(StrictSerializer):
    interval = serializers.ChoiceField(["hour", "day"], default="hour")
    limit = QueryInteger(min_value=1, max_value=100, default=50)


class Listing(serializers.Serializer):
    id = ShownId()
    resource_id = ShownId()
    resource_name = serializers.CharField()
    seller_id = ShownId()
    seller_login = serializers.CharField()
    quantity = serializers.IntegerField(min_value=1, max_value=MAX_QUANTITY)
    remaining = serializers.IntegerField(min_value=0, max_value=MAX_QUANTITY)
    unit_price = serializers.IntegerField(min_value=1, max_value=MAX_UNIT_PRICE)
    status = serializers.ChoiceField(ListingModel.Status.values)
    created_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField()


class Listings(serializers.Serializer):
    source = Source()
    listings = Listing(many=True)
    next = serializers.CharField(allow_null=True)


class OwnListings(serializers.Serializer):
    listings = Listing(many=True)
    next = serializers.CharField(allow_null=True)


class Trade(serializers.Serializer):
    id = ShownId()
    listing_id = ShownId()
    resource_id = ShownId()
    buyer_id = ShownId()
    seller_id = ShownId()
    quantity = serializers.IntegerField(min_value=1, max_value=MAX_QUANTITY)
    unit_price = serializers.IntegerField(min_value=1, max_value=MAX_UNIT_PRICE)
    total_price = ShownAmount()
    fee = ShownAmount()
    created_at = serializers.DateTimeField()


class Trades(serializers.Serializer):
    trades = Trade(many=True)
    next = serializers.CharField(allow_null=True)


class Bought(serializers.Serializer):
    status = serializers.ChoiceField(["success"])
    trade = Trade()
    coins = ShownAmount(help_text="What the buyer has left.")


class Summary(serializers.Serializer):
    resource_id = ShownId()
    lowest_price = serializers.IntegerField(min_value=1, max_value=MAX_UNIT_PRICE, allow_null=True)
    volume_listed = ShownAmount()
    last_price = serializers.IntegerField(min_value=1, max_value=MAX_UNIT_PRICE, allow_null=True)
    volume_24h = ShownAmount()
    low_24h = serializers.IntegerField(min_value=1, max_value=MAX_UNIT_PRICE, allow_null=True)
    high_24h = serializers.IntegerField(min_value=1, max_value=MAX_UNIT_PRICE, allow_null=True)
    average_24h = serializers.FloatField(min_value=1, max_value=MAX_UNIT_PRICE, allow_null=True)


class Candle(serializers.Serializer):
    time = serializers.DateTimeField()
    open = serializers.IntegerField(min_value=1, max_value=MAX_UNIT_PRICE)
    high = serializers.IntegerField(min_value=1, max_value=MAX_UNIT_PRICE)
    low = serializers.IntegerField(min_value=1, max_value=MAX_UNIT_PRICE)
    close = serializers.IntegerField(min_value=1, max_value=MAX_UNIT_PRICE)
    volume = ShownAmount()


class History(serializers.Serializer):
    resource_id = ShownId()
    interval = serializers.ChoiceField(["hour", "day"])
    candles = Candle(many=True)
