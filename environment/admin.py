"""Season and weather in the admin."""

from datetime import UTC, datetime
from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from unfold.forms import BaseDialogForm

from bcraftd.adminbase import BaseAdmin, action
from bcraftd.errors import Refusal
from environment import rules, services
from environment.models import Season, Weather


@admin.register(Season)
class SeasonAdmin(BaseAdmin):
    list_display = ["name", "start_month", "end_month", "gathering_multiplier", "crafting_multiplier"]
    search_fields = ["name"]

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        self._warn(request)

    def delete_model(self, request: HttpRequest, obj: Season) -> None:
        super().delete_model(request, obj)
        self._warn(request)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Season]) -> None:
        super().delete_queryset(request, queryset)
        self._warn(request)

    def _warn(self, request: HttpRequest) -> None:
        """A gap is no error, since moving the border between two seasons takes two steps; but it must be seen."""
        seasons = list(Season.objects.all())
        bare = [str(n) for n in range(1, 13) if rules.season_at(seasons, datetime(2000, n, 1, tzinfo=UTC)) is None]
        if bare:
            self.message_user(request, f"No season holds in these months: {', '.join(bare)}.", messages.WARNING)


@admin.register(Weather)
class WeatherAdmin(BaseAdmin):
    list_display = [
        "name", "is_active", "active_since", "duration_minutes", "gathering_multiplier", "crafting_multiplier",
    ]  # fmt: skip
    search_fields = ["name"]
    readonly_fields = ["is_active", "active_since"]
    actions_row = ["set_now"]
    actions_detail = ["set_now"]

    @action(
        description="Set now",
        permissions=["change"],
        icon="wb_sunny",
        dialog={
            "title": "Set as the weather now",
            "description": "It holds from now on, for its duration; the forecast changes.",
            "form_class": BaseDialogForm,
            "form_submit_text": "Set",
        },
    )
    def set_now(self, request: HttpRequest, form: BaseDialogForm, object_id: str) -> HttpResponse:
        try:
            weather = services.weather_set(weather_id=int(object_id) if object_id.isdecimal() else 0)
        except Refusal as refusal:
            self.message_user(request, refusal.detail, messages.ERROR)
        else:
            self.log_change(request, weather, "Set as the weather now")
            self.message_user(request, f"The weather is {weather} now.", messages.SUCCESS)
        return self.back(request, reverse("admin:environment_weather_changelist"))

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """One at a time: deleting many would pass by delete_model."""
        return {name: row for name, row in super().get_actions(request).items() if name != "delete_selected"}

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """What has passed is written down first: the course from there on follows from every weather's duration."""
        services.weather_advance()
        super().save_model(request, obj, form, change)

    def delete_model(self, request: HttpRequest, obj: Weather) -> None:
        """Exactly one weather is active: it has to be another one before this one can go."""
        if Weather.objects.select_for_update().get(pk=obj.pk).is_active:
            raise Refusal("conflict", "This is the weather now. Set another one first.")
        super().delete_model(request, obj)
