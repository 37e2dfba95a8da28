"""The admin's first page: how the world stands, and what wants somebody. Fifteen queries at most for all of it."""

from typing import Any

from django.apps import apps
from django.contrib.admin.models import LogEntry
from django.db import connection
from django.db.models import Model
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
# How many rows PostgreSQL thinks there are, as of its last look at the table (-1 before the first): exact enough for
# many, and free. Few are counted.
_ESTIMATES = "SELECT relname, reltuples::bigint FROM pg_class WHERE relname = ANY(%s)"
FEW = 10_000
TILES = {"Players": "accounts.Player", "Listings": "market.Listing", "Trades": "market.Trade",
         "Movements of items": "inventory.ItemMovement"}  # fmt: skip
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
    models = {name: apps.get_model(label) for name, label in TILES.items()}
    with connection.cursor() as cursor:
        cursor.execute(_ESTIMATES, [[model._meta.db_table for model in models.values()]])
        estimates = dict(cursor.fetchall())
    tiles: list[dict[str, Any]] = []
    for name, model in models.items():
        value, note = _rows(model, estimates[model._meta.db_table])
        page = f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist"
        tiles.append({"name": name, "value": value, "note": note, "link": reverse(page)})
    for total, name in AUDITED.items():
        if newest and total in newest.totals:
            tiles.append({"name": name, "value": newest.totals[total], "note": "at the last audit"})
    return tiles


def _rows(model: type[Model], estimate: int) -> tuple[int, str]:
    """How many there are, and how sure that is. Never goes through more than FEW of them."""
    if estimate > FEW:
        return estimate, "estimated"
    counted = model._default_manager.order_by()[: FEW + 1].count()
    return (FEW, "at least") if counted > FEW else (counted, "")


def _trouble(name: str, finding: Finding) -> dict[str, str]:
    return {"name": name, "status": finding.status, "detail": finding.detail, "mend": finding.mend}
