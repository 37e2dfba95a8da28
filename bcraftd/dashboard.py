"""The admin's first page: how the world stands, and what wants somebody. A dozen queries, whatever there is in it."""

from typing import Any

from django.contrib.admin.models import LogEntry
from django.db import connection
from django.http import HttpRequest
from django.urls import reverse

from bcraftd import doctor
from bcraftd.doctor import Check, Finding, server, work
from bcraftd.models import EconomyAudit

# What an operator can do something about from here; the rest is the doctor's to say at a terminal.
CHECKS = [
    Check("redis", server.redis),
    Check("outbox", server.waiting),
    Check("worker", work.worker, ("redis",)),
    Check("schedules", work.schedule_table),
    Check("tasks", work.tasks),
    Check("economy", work.economy),
    Check("backups", work.backups),
]
RECENT = 8
# How many rows PostgreSQL thinks there are, as of its last look at the table: exact enough, and free.
_ESTIMATES = "SELECT relname, greatest(reltuples, 0)::bigint FROM pg_class WHERE relname = ANY(%s)"
TILES = (
    ("Players", "accounts_player", "accounts_player"),
    ("Listings", "market_listing", "market_listing"),
    ("Trades", "market_trade", "market_trade"),
    ("Movements of items", "inventory_itemmovement", "inventory_itemmovement"),
)
# Sums that cost a scan: those of the newest audit.
AUDITED = {"coins_held": "Coins of players", "items_held": "Items of players", "items_in_escrow": "Items on the market"}


def context(request: HttpRequest, given: dict[str, Any]) -> dict[str, Any]:
    """Unfold's DASHBOARD_CALLBACK: what the template shows, beside what every page has."""
    found = doctor.examine(CHECKS)
    newest = EconomyAudit.objects.defer("problems").order_by("-pk").first()
    return {
        **given,
        "title": "Overview",
        "tiles": _tiles(newest),
        "troubles": [_trouble(name, finding) for name, finding in found.items() if finding.status != "ok"],
        "audit": newest,
        "recent": LogEntry.objects.select_related("user", "content_type").order_by("-pk")[:RECENT],
    }


def _tiles(newest: EconomyAudit | None) -> list[dict[str, Any]]:
    with connection.cursor() as cursor:
        cursor.execute(_ESTIMATES, [[table for _, table, _ in TILES]])
        counted = dict(cursor.fetchall())
    tiles: list[dict[str, Any]] = [
        {"name": name, "value": counted.get(table, 0), "link": reverse(f"admin:{page}_changelist"), "note": "estimated"}
        for name, table, page in TILES
    ]
    for total, name in AUDITED.items():
        if newest and total in newest.totals:
            tiles.append({"name": name, "value": newest.totals[total], "note": "at the last audit"})
    return tiles


def _trouble(name: str, finding: Finding) -> dict[str, str]:
    return {"name": name, "status": finding.status, "detail": finding.detail, "mend": finding.mend}
