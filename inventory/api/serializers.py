"""What the calls of the inventory take and give."""

from rest_framework import serializers

from bcraftd.fields import BodyId, BodyInteger, QueryFlag, QueryId, Source, StrictSerializer
from inventory.models import Resource as ResourceModel

RARITIES = ["common", "rare", "epic", "legendary", "mythic"]


class ResourcesQuery(StrictSerializer):
    kind = serializers.ChoiceField(ResourceModel.Kind.values, required=False)
    rarity = serializers.ChoiceField(RARITIES, required=False)
    gatherable = QueryFlag(required=False)


class RecipesQuery(StrictSerializer):
    profession_id = QueryId(required=False)


class GatherBody(StrictSerializer):
    resource_id = BodyId()


class CraftBody(StrictSerializer):
    recipe_id = BodyId()
    quantity = BodyInteger(min_value=1, max_value=100, default=1)


class Resource(serializers.Serializer):
    id = serializers.IntegerField()
    slug = serializers.CharField()
    name = serializers.CharField()
    kind = serializers.CharField()
    rarity = serializers.CharField()
    base_value = serializers.IntegerField()
    stack_size = serializers.IntegerField()
    tradeable = serializers.BooleanField()
    gatherable = serializers.BooleanField()
    profession_id = serializers.IntegerField(allow_null=True)


class Resources(serializers.Serializer):
    source = Source()
    resources = Resource(many=True)


class Amount(serializers.Serializer):
    resource_id = serializers.IntegerField()
    quantity = serializers.IntegerField()


class Recipe(serializers.Serializer):
    id = serializers.IntegerField()
    slug = serializers.CharField()
    name = serializers.CharField()
    output_resource_id = serializers.IntegerField()
    output_quantity = serializers.IntegerField()
    profession_id = serializers.IntegerField()
    required_level = serializers.IntegerField()
    base_experience = serializers.IntegerField()
    success_rate = serializers.FloatField()
    ingredients = Amount(many=True)


class Recipes(serializers.Serializer):
    source = Source()
    recipes = Recipe(many=True)


class KnownRecipe(serializers.Serializer):
    id = serializers.IntegerField()
    slug = serializers.CharField()
    name = serializers.CharField()
    craftable = serializers.BooleanField()
    missing = Amount(many=True)


class KnownRecipes(serializers.Serializer):
    source = Source()
    recipes = KnownRecipe(many=True)


class Profession(serializers.Serializer):
    id = serializers.IntegerField()
    slug = serializers.CharField()
    name = serializers.CharField()
    kind = serializers.CharField()


class Professions(serializers.Serializer):
    source = Source()
    professions = Profession(many=True)


class JoinedProfession(serializers.Serializer):
    id = serializers.IntegerField()
    slug = serializers.CharField()
    name = serializers.CharField()
    level = serializers.IntegerField()
    experience = serializers.IntegerField()
    rank = serializers.CharField()


class Item(serializers.Serializer):
    resource_id = serializers.IntegerField()
    slug = serializers.CharField()
    name = serializers.CharField()
    rarity = serializers.CharField()
    quantity = serializers.IntegerField()
    stacks = serializers.IntegerField()


class Inventory(serializers.Serializer):
    source = Source()
    inventory = Item(many=True)


class Movement(serializers.Serializer):
    id = serializers.IntegerField()
    resource_id = serializers.IntegerField()
    quantity = serializers.IntegerField(help_text="Signed.")
    reason = serializers.CharField()
    reference = serializers.CharField()
    created_at = serializers.DateTimeField()


class Movements(serializers.Serializer):
    movements = Movement(many=True)
    next = serializers.CharField(allow_null=True)


class Gathered(serializers.Serializer):
    status = serializers.ChoiceField(["success"])
    resource_id = serializers.IntegerField()
    quantity = serializers.IntegerField()
    experience_gained = serializers.IntegerField()
    profession_level = serializers.IntegerField()
    level = serializers.IntegerField()


class Crafted(serializers.Serializer):
    status = serializers.ChoiceField(["success"])
    recipe_id = serializers.IntegerField()
    attempts = serializers.IntegerField()
    successes = serializers.IntegerField()
    produced = Amount(many=True)
    consumed = Amount(many=True)
    experience_gained = serializers.IntegerField()
    profession_level = serializers.IntegerField()
    level = serializers.IntegerField()
