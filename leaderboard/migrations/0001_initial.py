"""mv_leaderboard and the unmanaged model over it."""

from django.db import migrations, models

from leaderboard import sql


class Migration(migrations.Migration):
    initial = True
    dependencies = [("accounts", "0001_initial"), ("inventory", "0001_initial")]
    operations = [
        migrations.RunSQL(sql.CREATE, sql.DROP),
        migrations.RunSQL(sql.INDEXES, migrations.RunSQL.noop),
        migrations.CreateModel(
            name="LeaderboardRow",
            fields=[
                ("player_id", models.BigIntegerField(primary_key=True, serialize=False)),
                ("rank", models.BigIntegerField()),
                ("login", models.CharField(max_length=32)),
                ("level", models.PositiveSmallIntegerField()),
                ("experience", models.BigIntegerField()),
                ("coins", models.BigIntegerField()),
                ("profession_count", models.BigIntegerField()),
                ("total_profession_level", models.BigIntegerField()),
                ("expert_professions", models.BigIntegerField()),
                ("master_professions", models.BigIntegerField()),
                ("total_items_crafted", models.BigIntegerField()),
                ("total_sales_value", models.BigIntegerField()),
                ("global_score", models.DecimalField(decimal_places=2, max_digits=30)),
                ("as_of", models.DateTimeField()),
            ],
            options={"db_table": "mv_leaderboard", "ordering": ["rank"], "managed": False},
        ),
    ]
