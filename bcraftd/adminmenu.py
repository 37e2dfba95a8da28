"""The admin's menu: what an operator looks for, in the order of how often, and not one app after the other."""

from typing import Any

from django.http import HttpRequest
from django.urls import reverse

# For those who may see it: what it is called, its page, its icon (a name in Material Symbols).
CACHE = [("What it does", "cache_overview", "monitoring"), ("Keys", "cache_keys", "key")]

# Title, then the pages: what it is called, its list, its icon.
MENU: list[tuple[str, list[tuple[str, str, str]]]] = [
    ("Players", [
        ("Players", "accounts_player", "group"),
        ("Sessions", "accounts_playersession", "devices"),
        ("Statistics", "accounts_playerstatistics", "bar_chart"),
        ("Professions learned", "inventory_playerprofession", "school"),
        ("Inventories", "inventory_inventoryitem", "backpack"),
        ("Leaderboard", "leaderboard_leaderboardrow", "trophy"),
    ]),
    ("Market", [
        ("Listings", "market_listing", "sell"),
        ("Trades", "market_trade", "handshake"),
    ]),
    ("World", [
        ("Weather", "environment_weather", "partly_cloudy_day"),
        ("Seasons", "environment_season", "calendar_month"),
        ("Resources", "inventory_resource", "forest"),
        ("Recipes", "inventory_recipe", "menu_book"),
        ("Professions", "inventory_profession", "handyman"),
        ("Rarities", "inventory_rarity", "diamond"),
    ]),
    ("Ledgers", [
        ("Transfers of coins", "accounts_ledgertransfer", "receipt_long"),
        ("Entries of coins", "accounts_ledgerentry", "toll"),
        ("Movements of items", "inventory_itemmovement", "swap_vert"),
        ("Audits", "bcraftd_economyaudit", "fact_check"),
    ]),
    ("Operations", [
        ("Audit trail", "admin_logentry", "history"),
        ("Moderators' groups", "auth_group", "shield_person"),
        ("Failed logins", "axes_accessattempt", "lock"),
        ("Backups", "bcraftd_backuprun", "backup"),
        ("Schedules", "django_q_schedule", "schedule"),
        ("Waiting tasks", "django_q_ormq", "pending"),
        ("Failed tasks", "django_q_failure", "error"),
        ("Successful tasks", "django_q_success", "task_alt"),
    ]),
]  # fmt: skip


def navigation(request: HttpRequest) -> list[dict[str, Any]]:
    """What unfold's sidebar shows. Everybody who gets in here may see every page but those of the cache."""
    # One of these addresses begins with the other: unfold would take both for the page that is shown.
    cache = [
        {"title": name, "icon": icon, "link": link, "active": request.path == link}
        for name, link, icon in ((name, reverse(f"admin:{page}"), icon) for name, page, icon in CACHE)
    ]
    shown = [{"title": "Cache", "separator": True, "items": cache}]
    home: dict[str, Any] = {"items": [{"title": "Overview", "icon": "dashboard", "link": reverse("admin:index")}]}
    return [home, *(shown if request.user.has_perm("bcraftd.observe_cache") else [])] + [
        {
            "title": title,
            "separator": True,
            "items": [
                {"title": name, "icon": icon, "link": reverse(f"admin:{page}_changelist")} for name, page, icon in pages
            ],
        }
        for title, pages in MENU
    ]
