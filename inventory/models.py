"""Resources, professions, recipes, and who holds what."""

import pgtrigger
from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from bcraftd.tracked import Tracked, outside_triggers
from bcraftd.triggers import append_only

MAX_AMOUNT = 2**53 - 1
MAX_PROFESSIONS = 3
MAX_PROFESSION_LEVEL = 50


class Rarity(models.Model):
    """How much rarer makes dearer and seldomer."""

    slug = models.SlugField(primary_key=True, max_length=16)
    position = models.PositiveSmallIntegerField(unique=True)
    value_multiplier = models.DecimalField(max_digits=5, decimal_places=2)
    drop_weight = models.DecimalField(max_digits=6, decimal_places=2)

    class Meta:
        verbose_name_plural = "rarities"
        ordering = ["position"]
        constraints = [
            models.CheckConstraint(condition=Q(value_multiplier__gt=0, drop_weight__gt=0), name="rarity_positive")
        ]

    def __str__(self) -> str:
        return self.slug


class Profession(Tracked):
    """A trade that a player can learn."""

    class Kind(models.TextChoices):
        GATHERING = "gathering"
        CRAFTING = "crafting"
        PROCESSING = "processing"

    slug = models.SlugField(unique=True, max_length=64)
    name = models.CharField(unique=True, max_length=64)
    kind = models.CharField(max_length=16, choices=Kind.choices)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(kind__in=["gathering", "crafting", "processing"]), name="profession_kind_known"
            )
        ]
        triggers = outside_triggers()

    def __str__(self) -> str:
        return self.name


class Resource(Tracked):
    """A kind of thing. `stack_size` shapes how an amount is shown and never limits how much is held."""

    class Kind(models.TextChoices):
        WOOD = "wood"
        ORE = "ore"
        PLANT = "plant"
        HIDE = "hide"
        FIBRE = "fibre"
        FOOD = "food"
        GEM = "gem"
        MATERIAL = "material"
        COMPONENT = "component"
        TOOL = "tool"
        WEAPON = "weapon"
        ARMOUR = "armour"
        POTION = "potion"
        JEWELLERY = "jewellery"

    slug = models.SlugField(unique=True, max_length=64)
    name = models.CharField(unique=True, max_length=64)
    kind = models.CharField(max_length=32, choices=Kind.choices)
    rarity = models.ForeignKey(Rarity, on_delete=models.PROTECT)
    base_value = models.PositiveIntegerField()
    stack_size = models.PositiveIntegerField(default=99)
    tradeable = models.BooleanField(default=True)
    gatherable = models.BooleanField(default=False)
    profession = models.ForeignKey(
        Profession,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="gathers",
        help_text="The gathering profession that gets it; none where it is only crafted.",
    )

    class Meta:
        ordering = ["id"]
        constraints = [
            models.CheckConstraint(condition=Q(base_value__gte=1), name="resource_base_value_positive"),
            models.CheckConstraint(condition=Q(stack_size__gte=1), name="resource_stack_size_positive"),
            models.CheckConstraint(
                condition=Q(gatherable=True, profession__isnull=False) | Q(gatherable=False, profession__isnull=True),
                name="resource_gatherable_has_profession",
            ),
        ]
        triggers = outside_triggers()

    def __str__(self) -> str:
        return self.name


class PlayerProfession(Tracked):
    """A trade that a player has learned. The slot makes the database hold the limit of three."""

    player = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="professions")
    profession = models.ForeignKey(Profession, on_delete=models.PROTECT)
    slot = models.PositiveSmallIntegerField()
    level = models.PositiveSmallIntegerField(default=1)
    experience = models.BigIntegerField(default=0)
    joined_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["player", "profession"], name="playerprofession_unique"),
            models.UniqueConstraint(fields=["player", "slot"], name="playerprofession_slot_unique"),
            models.CheckConstraint(
                condition=Q(slot__gte=1, slot__lte=MAX_PROFESSIONS), name="playerprofession_slot_range"
            ),
            models.CheckConstraint(
                condition=Q(level__gte=1, level__lte=MAX_PROFESSION_LEVEL), name="playerprofession_level_range"
            ),
            models.CheckConstraint(
                condition=Q(experience__gte=0, experience__lte=MAX_AMOUNT), name="playerprofession_experience_range"
            ),
        ]
        triggers = [*outside_triggers(), pgtrigger.ReadOnly(name="learner_fixed", fields=["player"])]

    def __str__(self) -> str:
        return f"{self.profession_id} of {self.player_id}"


class Recipe(Tracked):
    """How one resource is made from others."""

    slug = models.SlugField(unique=True, max_length=64)
    name = models.CharField(unique=True, max_length=64)
    output_resource = models.ForeignKey(Resource, on_delete=models.PROTECT, related_name="made_by")
    output_quantity = models.PositiveIntegerField(default=1)
    profession = models.ForeignKey(Profession, on_delete=models.PROTECT, related_name="recipes")
    required_level = models.PositiveSmallIntegerField(default=1)
    base_experience = models.PositiveIntegerField(default=10)
    success_rate = models.DecimalField(max_digits=4, decimal_places=3, default=1)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.CheckConstraint(condition=Q(output_quantity__gte=1), name="recipe_output_positive"),
            models.CheckConstraint(
                condition=Q(required_level__gte=1, required_level__lte=MAX_PROFESSION_LEVEL), name="recipe_level_range"
            ),
            models.CheckConstraint(condition=Q(success_rate__gt=0, success_rate__lte=1), name="recipe_success_range"),
        ]
        triggers = outside_triggers()

    def __str__(self) -> str:
        return self.name


class RecipeIngredient(Tracked):
    """What one attempt at a recipe uses up."""

    recipe = models.ForeignKey(Recipe, on_delete=models.CASCADE, related_name="ingredients")
    resource = models.ForeignKey(Resource, on_delete=models.PROTECT, related_name="used_in")
    quantity = models.PositiveIntegerField()

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["recipe", "resource"], name="recipeingredient_unique"),
            models.CheckConstraint(condition=Q(quantity__gte=1), name="recipeingredient_positive"),
        ]
        triggers = outside_triggers()

    def __str__(self) -> str:
        return f"{self.quantity} x {self.resource_id}"


class InventoryItem(Tracked):
    """How much of a resource a player holds: always the sum of the player's movements of it."""

    player = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="items")
    resource = models.ForeignKey(Resource, on_delete=models.PROTECT)
    quantity = models.BigIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["player", "resource"], name="inventoryitem_unique"),
            models.CheckConstraint(condition=Q(quantity__gte=0, quantity__lte=MAX_AMOUNT), name="inventoryitem_range"),
        ]
        triggers = [*outside_triggers(), pgtrigger.ReadOnly(name="holder_fixed", fields=["player", "resource"])]

    def __str__(self) -> str:
        return f"{self.quantity} x {self.resource_id} of {self.player_id}"


class ItemMovement(models.Model):
    """The items' ledger: one change of what a player holds."""

    class Reason(models.TextChoices):
        GATHER = "gather"
        CRAFT_IN = "craft_in", "craft: used up"
        CRAFT_OUT = "craft_out", "craft: made"
        ESCROW = "escrow", "into a listing"
        ESCROW_RETURN = "escrow_return", "back from a listing"
        PURCHASE = "purchase"
        GRANT = "grant"

    player = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="movements")
    resource = models.ForeignKey(Resource, on_delete=models.PROTECT)
    quantity = models.BigIntegerField(help_text="Signed: positive into the inventory, negative out of it.")
    reason = models.CharField(max_length=16, choices=Reason.choices)
    reference = models.CharField(max_length=64, blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        indexes = [
            models.Index(fields=["player", "-id"], name="itemmovement_player_newest"),
            models.Index(fields=["player", "resource"], name="itemmovement_holding"),
        ]
        constraints = [
            models.CheckConstraint(condition=~Q(quantity=0), name="itemmovement_not_zero"),
            models.CheckConstraint(
                condition=Q(reason__in=["craft_in", "escrow"], quantity__lt=0)
                | Q(reason__in=["gather", "craft_out", "escrow_return", "purchase", "grant"], quantity__gt=0),
                name="itemmovement_reason_sign",
            ),
        ]
        triggers = append_only()

    def __str__(self) -> str:
        return f"{self.quantity:+d} x {self.resource_id} ({self.reason})"
