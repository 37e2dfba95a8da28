"""The materialized view mv_leaderboard, made by this app's migration and refreshed by its schedule."""

from django.db import models


class LeaderboardRow(models.Model):
    """One active player's place as of the last refresh. Read only."""

    player_id = models.BigIntegerField(primary_key=True)
    rank = models.BigIntegerField()
    login = models.CharField(max_length=32)
    level = models.PositiveSmallIntegerField()
    experience = models.BigIntegerField()
    coins = models.BigIntegerField()
    profession_count = models.BigIntegerField()
    total_profession_level = models.BigIntegerField()
    expert_professions = models.BigIntegerField()
    master_professions = models.BigIntegerField()
    total_items_crafted = models.BigIntegerField()
    total_sales_value = models.BigIntegerField()
    global_score = models.DecimalField(max_digits=30, decimal_places=2)
    as_of = models.DateTimeField()
    coins_place = models.BigIntegerField()
    level_place = models.BigIntegerField()
    crafted_place = models.BigIntegerField()
    sales_place = models.BigIntegerField()

    class Meta:
        managed = False
        db_table = "mv_leaderboard"
        ordering = ["rank"]

    def __str__(self) -> str:
        return f"{self.rank}. {self.login}"
