"""A purchase as one call to PostgreSQL."""

from django.db import migrations

from market import sql


class Migration(migrations.Migration):
    dependencies = [
        ("market", "0003_no_truncate"),
        ("accounts", "0003_no_truncate"),
        ("inventory", "0003_no_truncate"),
        ("bcraftd", "0003_limit_windows"),
    ]
    operations = [
        migrations.RunSQL(sql.FEE, sql.DROP_FEE),
        migrations.RunSQL(sql.BUY, sql.DROP_BUY),
    ]
