"""The project's tables, as plain models."""

import uuid

from django.db import models
from django.utils import timezone


class Player(models.Model):
    login = models.CharField(max_length=32)
    role = models.CharField(max_length=16)
    coins = models.BigIntegerField()
    is_active = models.BooleanField()
    is_authenticated = True

    class Meta:
        managed = False
        db_table = "accounts_player"


class PlayerSession(models.Model):
    session_id = models.CharField(max_length=64, unique=True)
    player = models.ForeignKey(Player, on_delete=models.CASCADE)

    class Meta:
        managed = False
        db_table = "accounts_playersession"


class PlayerStatistics(models.Model):
    player = models.OneToOneField(Player, on_delete=models.CASCADE, primary_key=True)
    sales_count = models.BigIntegerField()
    sales_value = models.BigIntegerField()
    purchases_count = models.BigIntegerField()
    purchases_value = models.BigIntegerField()

    class Meta:
        managed = False
        db_table = "accounts_playerstatistics"


class LedgerTransfer(models.Model):
    operation_id = models.UUIDField(default=uuid.uuid4)
    reason = models.CharField(max_length=32)
    reference = models.CharField(max_length=64)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        managed = False
        db_table = "accounts_ledgertransfer"


class LedgerEntry(models.Model):
    transfer = models.ForeignKey(LedgerTransfer, on_delete=models.PROTECT)
    player = models.ForeignKey(Player, on_delete=models.PROTECT, null=True)
    system_account = models.CharField(max_length=16)
    amount = models.BigIntegerField()

    class Meta:
        managed = False
        db_table = "accounts_ledgerentry"


class Resource(models.Model):
    name = models.CharField(max_length=64)

    class Meta:
        managed = False
        db_table = "inventory_resource"


class InventoryItem(models.Model):
    player = models.ForeignKey(Player, on_delete=models.PROTECT)
    resource = models.ForeignKey(Resource, on_delete=models.PROTECT)
    quantity = models.BigIntegerField()

    class Meta:
        managed = False
        db_table = "inventory_inventoryitem"


class ItemMovement(models.Model):
    player = models.ForeignKey(Player, on_delete=models.PROTECT)
    resource = models.ForeignKey(Resource, on_delete=models.PROTECT)
    quantity = models.BigIntegerField()
    reason = models.CharField(max_length=16)
    reference = models.CharField(max_length=64)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        managed = False
        db_table = "inventory_itemmovement"


class Listing(models.Model):
    seller = models.ForeignKey(Player, on_delete=models.PROTECT)
    resource = models.ForeignKey(Resource, on_delete=models.PROTECT)
    quantity = models.PositiveIntegerField()
    remaining = models.PositiveIntegerField()
    unit_price = models.PositiveBigIntegerField()
    status = models.CharField(max_length=16)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True)

    class Meta:
        managed = False
        db_table = "market_listing"


class Trade(models.Model):
    listing = models.ForeignKey(Listing, on_delete=models.PROTECT)
    buyer = models.ForeignKey(Player, on_delete=models.PROTECT, related_name="purchases")
    seller = models.ForeignKey(Player, on_delete=models.PROTECT, related_name="sales")
    resource = models.ForeignKey(Resource, on_delete=models.PROTECT)
    quantity = models.PositiveIntegerField()
    unit_price = models.PositiveBigIntegerField()
    total_price = models.BigIntegerField()
    fee = models.BigIntegerField()
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        managed = False
        db_table = "market_trade"


class IdempotencyKey(models.Model):
    player = models.ForeignKey(Player, on_delete=models.CASCADE)
    key = models.CharField(max_length=255)
    fingerprint = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField()
    body = models.BinaryField()
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        managed = False
        db_table = "bcraftd_idempotencykey"
