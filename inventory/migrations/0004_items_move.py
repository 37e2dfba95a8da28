"""Items are moved by one function of PostgreSQL, from services and from other functions alike."""

from django.db import migrations

from inventory import sql


class Migration(migrations.Migration):
    dependencies = [("inventory", "0003_no_truncate")]
    operations = [migrations.RunSQL(sql.ITEMS_MOVE, sql.DROP_ITEMS_MOVE)]
