"""The catalogue, and what players hold and know, in the admin."""

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from unfold.admin import TabularInline

from bcraftd.adminbase import BaseAdmin, ReadOnlyAdmin
from inventory.models import (
    InventoryItem,
    ItemMovement,
    PlayerProfession,
    Profession,
    Rarity,
    Recipe,
    RecipeIngredient,
    Resource,
)


class _CatalogueAdmin(BaseAdmin):
    """Rows with a slug, which clients and the seed know them by: it is given once."""

    search_fields = ["name", "slug"]

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        """The name first, then the slug that follows from it, also where it may only be read."""
        fields = [field for field in super().get_fields(request, obj) if field != "slug"]
        fields.insert(1 if "name" in fields else 0, "slug")
        return fields

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return ["slug"] if obj is not None else []

    def get_prepopulated_fields(self, request: HttpRequest, obj: Any = None) -> dict[str, Any]:
        return {"slug": ["name"]} if obj is None and self.has_add_permission(request) else {}


@admin.register(Rarity)
class RarityAdmin(_CatalogueAdmin):
    list_display = ["slug", "position", "value_multiplier", "drop_weight"]
    search_fields = ["slug"]

    def get_prepopulated_fields(self, request: HttpRequest, obj: Any = None) -> dict[str, Any]:
        return {}


@admin.register(Profession)
class ProfessionAdmin(_CatalogueAdmin):
    list_display = ["name", "kind", "slug"]
    list_filter = ["kind"]


class ResourceForm(forms.ModelForm):
    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean() or {}
        if cleaned.get("gatherable") and cleaned.get("profession") is None:
            self.add_error("profession", "What can be gathered needs the profession that gathers it.")
        if not cleaned.get("gatherable") and cleaned.get("profession") is not None:
            self.add_error("profession", "Only what can be gathered has one.")
        return cleaned


@admin.register(Resource)
class ResourceAdmin(_CatalogueAdmin):
    form = ResourceForm
    list_display = ["name", "kind", "rarity", "base_value", "tradeable", "gatherable", "profession"]
    list_filter = ["kind", "rarity", "tradeable", "gatherable"]
    list_select_related = ["rarity", "profession"]
    autocomplete_fields = ["profession"]


class IngredientInline(TabularInline):
    model = RecipeIngredient
    extra = 0
    hide_title = True
    autocomplete_fields = ["resource"]


@admin.register(Recipe)
class RecipeAdmin(_CatalogueAdmin):
    list_display = [
        "name", "output_resource", "output_quantity", "profession", "required_level", "base_experience", "success_rate",
    ]  # fmt: skip
    list_filter = ["profession"]
    list_select_related = ["output_resource", "profession"]
    autocomplete_fields = ["output_resource", "profession"]
    inlines = [IngredientInline]


@admin.register(PlayerProfession)
class PlayerProfessionAdmin(ReadOnlyAdmin):
    list_display = ["player", "profession", "level", "experience", "joined_at"]
    list_filter = ["profession"]
    list_select_related = ["player", "profession"]
    search_fields = ["player__login__iexact"]
    search_help_text = "The player's whole login"


@admin.register(InventoryItem)
class InventoryItemAdmin(ReadOnlyAdmin):
    list_display = ["player", "resource", "quantity"]
    list_filter = ["resource"]
    list_select_related = ["player", "resource"]
    search_fields = ["player__login__iexact"]
    search_help_text = "The player's whole login"


@admin.register(ItemMovement)
class ItemMovementAdmin(ReadOnlyAdmin):
    list_display = ["id", "player", "resource", "quantity", "reason", "reference", "created_at"]
    list_filter = ["reason", "resource"]
    list_select_related = ["player", "resource"]
    search_fields = ["player__login__iexact"]
    search_help_text = "The player's whole login"
