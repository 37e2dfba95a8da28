"""What the leaderboard's calls take and give."""

from rest_framework import serializers

from bcraftd.fields import QueryInteger, Source, StrictSerializer
from leaderboard.selectors import DEFAULT_LIMIT, SORTS

# Far more players than there will be; keeps the offset a number that PostgreSQL takes.
MAX_OFFSET = 10**9


class BoardQuery(StrictSerializer):
    limit = QueryInteger(min_value=1, max_value=1000, default=DEFAULT_LIMIT)
    offset = QueryInteger(min_value=0, max_value=MAX_OFFSET, default=0)
    sort = serializers.ChoiceField(list(SORTS), default="score")


class AroundQuery(StrictSerializer):
    around = QueryInteger(min_value=0, max_value=50, default=5)


class Row(serializers.Serializer):
    rank = serializers.IntegerField(help_text="By score, whatever the sort.")
    player_id = serializers.IntegerField()
    login = serializers.CharField()
    level = serializers.IntegerField()
    experience = serializers.IntegerField()
    coins = serializers.IntegerField()
    profession_count = serializers.IntegerField()
    total_profession_level = serializers.IntegerField()
    expert_professions = serializers.IntegerField()
    master_professions = serializers.IntegerField()
    total_items_crafted = serializers.IntegerField()
    total_sales_value = serializers.IntegerField()
    global_score = serializers.FloatField()
    as_of = serializers.DateTimeField()


class Board(serializers.Serializer):
    source = Source()
    as_of = serializers.DateTimeField(allow_null=True)
    total = serializers.IntegerField()
    leaderboard = Row(many=True)


class Around(serializers.Serializer):
    as_of = serializers.DateTimeField(allow_null=True)
    rank = serializers.IntegerField(allow_null=True)
    row = Row(allow_null=True)
    around = Row(many=True)
