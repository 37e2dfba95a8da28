"""The leaderboard in the admin: to be looked at and refreshed."""

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from unfold.forms import BaseDialogForm

from bcraftd.adminbase import ReadOnlyAdmin, action, record
from leaderboard import services
from leaderboard.models import LeaderboardRow


@admin.register(LeaderboardRow)
class LeaderboardRowAdmin(ReadOnlyAdmin):
    list_display = ["rank", "login", "global_score", "by_level", "by_coins", "by_crafted", "by_sales", "as_of"]
    list_display_links = ["rank", "login"]
    # What an index of the view orders by.
    sortable_by = ["rank", "by_coins", "by_level", "by_crafted", "by_sales"]
    ordering = ["rank"]
    search_fields = ["=login"]
    search_help_text = "The whole login"
    actions_list = ["refresh_now"]

    @admin.display(description="level", ordering="-level_place")
    def by_level(self, row: LeaderboardRow) -> int:
        return row.level

    @admin.display(description="coins", ordering="-coins_place")
    def by_coins(self, row: LeaderboardRow) -> int:
        return row.coins

    @admin.display(description="items crafted", ordering="-crafted_place")
    def by_crafted(self, row: LeaderboardRow) -> int:
        return row.total_items_crafted

    @admin.display(description="sales value", ordering="-sales_place")
    def by_sales(self, row: LeaderboardRow) -> int:
        return row.total_sales_value

    def has_refresh_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("leaderboard.change_leaderboardrow")

    @action(
        description="Refresh now",
        permissions=["refresh"],
        icon="refresh",
        url_path="refresh",
        dialog={
            "title": "Refresh now",
            "description": "The schedule does it every five minutes by itself.",
            "form_class": BaseDialogForm,
            "form_submit_text": "Refresh",
        },
    )
    def refresh_now(self, request: HttpRequest, form: BaseDialogForm) -> HttpResponse:
        refreshed = services.leaderboard_refresh(wait=False)
        if refreshed is None:
            self.message_user(request, "A refresh is running already.", messages.WARNING)
        else:
            record(request, LeaderboardRow, "Leaderboard", f"Refreshed: {refreshed.rows} players.")
            self.message_user(request, f"Refreshed: {refreshed.rows} players.", messages.SUCCESS)
        return self.back(request, reverse("admin:leaderboard_leaderboardrow_changelist"))
