"""What the environment's calls take and give."""

from rest_framework import serializers

from bcraftd.fields import QueryInteger, ShownId, StrictSerializer


class ForecastQuery(StrictSerializer):
    hours = QueryInteger(min_value=1, max_value=168, default=24)


class Multipliers(serializers.Serializer):
    """A weather or a season."""

    id = ShownId()
    name = serializers.CharField()
    gathering_multiplier = serializers.FloatField(min_value=0)
    crafting_multiplier = serializers.FloatField(min_value=0)


class Environment(serializers.Serializer):
    weather = Multipliers(allow_null=True)
    season = Multipliers(allow_null=True)
    timestamp = serializers.DateTimeField(help_text="When this was read from the database.")


class Spell(serializers.Serializer):
    starts_at = serializers.DateTimeField()
    ends_at = serializers.DateTimeField()
    weather = Multipliers()


class ForecastAnswer(serializers.Serializer):
    forecast = Spell(many=True)
