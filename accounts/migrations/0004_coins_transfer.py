"""Coins are moved by one function of PostgreSQL, from services and from other functions alike."""

from django.db import migrations

from accounts import sql


class Migration(migrations.Migration):
    dependencies = [("accounts", "0003_no_truncate")]
    operations = [migrations.RunSQL(sql.COINS_TRANSFER, sql.DROP_COINS_TRANSFER)]
