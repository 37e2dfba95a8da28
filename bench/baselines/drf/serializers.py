"""ModelSerializers, as the documentation of Django REST framework shows them."""

from rest_framework import serializers

from bench.baselines.drf.models import Listing, Trade


class ListingSerializer(serializers.ModelSerializer):
    resource_name = serializers.CharField(source="resource.name")
    seller_login = serializers.CharField(source="seller.login")

    class Meta:
        model = Listing
        fields = [
            "id", "resource_id", "resource_name", "seller_id", "seller_login", "quantity", "remaining", "unit_price",
            "status", "created_at", "expires_at",
        ]  # fmt: skip


class TradeSerializer(serializers.ModelSerializer):
    class Meta:
        model = Trade
        fields = [
            "id", "listing_id", "resource_id", "buyer_id", "seller_id", "quantity", "unit_price", "total_price", "fee",
            "created_at",
        ]  # fmt: skip


class BuySerializer(serializers.Serializer):
    quantity = serializers.IntegerField(min_value=1, max_value=10**6)


class PageSerializer(serializers.Serializer):
    resource_id = serializers.IntegerField(min_value=1)
