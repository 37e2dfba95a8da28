"""Listing is one call too, and both move coins and items by the functions that everything else moves them by."""

from django.db import migrations

from market import sql


class Migration(migrations.Migration):
    dependencies = [
        ("market", "0004_buy"),
        ("accounts", "0004_coins_transfer"),
        ("inventory", "0004_items_move"),
    ]
    operations = [
        migrations.RunSQL(sql.BUY_BY_MOVES, [sql.DROP_BUY, sql.BUY]),
        migrations.RunSQL(sql.LIST, sql.DROP_LIST),
    ]
