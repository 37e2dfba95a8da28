"""What the calls of the inventory take and give."""

from rest_framework import serializers

from bcraftd.fields import (
    BodyId,
    BodyInteger,
    QueryFlag,
    QueryId,
    ShownAmount,
    ShownChange,
    ShownId,
    Source,
    StrictSerializer,
)
from inventory.models import MAX_PROFESSION_LEVEL, ItemMovement
from inventory.models import Profession as ProfessionModel
from inventory.models import Resource as ResourceModel
from inventory.rules import RANKS

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
    id = ShownId()
    slug = serializers.CharField()
    name = serializers.CharField()
    kind = serializers.ChoiceField(ResourceModel.Kind.values)
    rarity = serializers.CharField()
    base_value = serializers.IntegerField(min_value=1)
    stack_size = serializers.IntegerField(min_value=1)
    tradeable = serializers.BooleanField()
    gatherable = serializers.BooleanField()
    profession_id = ShownId(allow_null=True)


class Resources(serializers.Serializer):
    source = Source()
    resources = Resource(many=True)


class Amount(serializers.Serializer):
    resource_id = ShownId()
    quantity = ShownAmount()


class Recipe(serializers.Serializer):
    id = ShownId()
    slug = serializers.CharField()
    name = serializers.CharField()
    output_resource_id = ShownId()
    output_quantity = serializers.IntegerField(min_value=1)
    profession_id = ShownId()
    required_level = serializers.IntegerField(min_value=1, max_value=MAX_PROFESSION_LEVEL)
    base_experience = serializers.IntegerField(min_value=0)
    success_rate = serializers.FloatField(min_value=0, max_value=1)
    ingredients = Amount(many=True)


class Recipes(serializers.Serializer):
    source = Source()
    recipes = Recipe(many=True)


class KnownRecipe(serializers.Serializer):
    id = ShownId()
    slug = serializers.CharField()
    name = serializers.CharField()
    craftable = serializers.BooleanField()
    missing = Amount(many=True)


class KnownRecipes(serializers.Serializer):
    source = Source()
    recipes = KnownRecipe(many=True)


class Profession(serializers.Serializer):
    id = ShownId()
    slug = serializers.CharField()
    name = serializers.CharField()
    kind = serializers.ChoiceField(ProfessionModel.Kind.values)


class Professions(serializers.Serializer):
    source = Source()
    professions = Profession(many=True)


class JoinedProfession(serializers.Serializer):
    id = ShownId()
    slug = serializers.CharField()
    name = serializers.CharField()
    level = serializers.IntegerField(min_value=1, max_value=MAX_PROFESSION_LEVEL)
    experience = ShownAmount()
    rank = serializers.ChoiceField([name for _, name, _ in RANKS])


class Item(serializers.Serializer):
    resource_id = ShownId()
    slug = serializers.CharField()
    name = serializers.CharField()
    rarity = serializers.CharField()
    quantity = ShownAmount()
    stacks = ShownAmount()


class Inventory(serializers.Serializer):
    source = Source()
    inventory = Item(many=True)


class Movement(serializers.Serializer):
    id = ShownId()
    resource_id = ShownId()
    quantity = ShownChange(help_text="Signed.")
    reason = serializers.ChoiceField(ItemMovement.Reason.values)
    reference = serializers.CharField()
    created_at = serializers.DateTimeField()


class Movements(serializers.Serializer):
    movements = Movement(many=True)
    next = serializers.CharField(allow_null=True)


class Gathered(serializers.Serializer):
    status = serializers.ChoiceField(["success"])
    resource_id = ShownId()
    quantity = ShownAmount()
    experience_gained = ShownAmount()
    profession_level = serializers.IntegerField(min_value=1, max_value=MAX_PROFESSION_LEVEL)
    level = serializers.IntegerField(min_value=1)


class Crafted(serializers.Serializer):
    status = serializers.ChoiceField(["success"])
    recipe_id = ShownId()
    attempts = serializers.IntegerField(min_value=1)
    successes = serializers.IntegerField(min_value=0)
    produced = Amount(many=True)
    consumed = Amount(many=True)
    experience_gained = ShownAmount()
    profession_level = serializers.IntegerField(min_value=1, max_value=MAX_PROFESSION_LEVEL)
    level = serializers.IntegerField(min_value=1)
