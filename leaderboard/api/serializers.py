"""What the leaderboard's calls take and give."""

from rest_framework import serializers

from bcraftd.fields import QueryInteger, ShownAmount, ShownId, Source, StrictSerializer
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
    rank = serializers.IntegerField(min_value=1, help_text="By score, whatever the sort.")
    player_id = ShownId()
    login = serializers.CharField()
    level = serializers.IntegerField(min_value=1)
    experience = ShownAmount()
    coins = ShownAmount()
    profession_count = serializers.IntegerField(min_value=0)
    total_profession_level = serializers.IntegerField(min_value=0)
    expert_professions = serializers.IntegerField(min_value=0)
    master_professions = serializers.IntegerField(min_value=0)
    total_items_crafted = ShownAmount()
    total_sales_value = ShownAmount()
    global_score = serializers.FloatField()
    as_of = serializers.DateTimeField()


class Board(serializers.Serializer):
    source = Source()
    as_of = serializers.DateTimeField(allow_null=True)
    total = serializers.IntegerField(min_value=0)
    leaderboard = Row(many=True)


class Around(serializers.Serializer):
    as_of = serializers.DateTimeField(allow_null=True)
    rank = serializers.IntegerField(min_value=1, allow_null=True)
    row = Row(allow_null=True)
    around = Row(many=True)
