"""mv_leaderboard knows each row's place by every sort."""

from django.db import migrations, models

from leaderboard import sql


class Migration(migrations.Migration):
    dependencies = [("leaderboard", "0001_initial")]
    operations = [
        migrations.RunSQL(
            [sql.DROP, sql.CREATE_WITH_PLACES, sql.INDEXES_OF_PLACES], [sql.DROP, sql.CREATE, sql.INDEXES]
        ),
        *(
            migrations.AddField("LeaderboardRow", name, models.BigIntegerField(default=0), preserve_default=False)
            for name in ("coins_place", "level_place", "crafted_place", "sales_place")
        ),
    ]
