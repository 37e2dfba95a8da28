"""The database and the model in one form, to be compared (tests/test_economy_machine.py)."""

from fractions import Fraction
from functools import cache
from typing import Any

from accounts.models import LedgerEntry, Player, PlayerStatistics
from inventory.models import InventoryItem, ItemMovement, PlayerProfession, Profession, Recipe, Resource
from market.models import Listing, Trade
from tests.economy.model import Formula, Good, Lot, Model, level_at


@cache
def catalogue() -> tuple[dict[int, Good], dict[int, Formula], set[int]]:
    """It stays as it is during a test, and every game asks for it."""
    return goods(), formulas(), set(Profession.objects.values_list("pk", flat=True))


def goods() -> dict[int, Good]:
    rows = Resource.objects.select_related("rarity")
    return {
        row.pk: Good(
            row.pk, row.slug, row.tradeable, row.profession_id,
            Fraction(row.rarity.drop_weight), Fraction(row.rarity.value_multiplier),
        )
        for row in rows
    }  # fmt: skip


def formulas() -> dict[int, Formula]:
    return {
        row.pk: Formula(
            row.pk, row.profession_id, row.required_level, row.output_resource_id, row.output_quantity,
            Fraction(row.success_rate), row.base_experience,
            dict(row.ingredients.values_list("resource_id", "quantity")),
        )
        for row in Recipe.objects.all()
    }  # fmt: skip


def told(model: Model) -> dict[str, Any]:
    """The model, in the form of `stored`."""
    people = model.people.values()
    return {
        "players": {row.id: (row.coins, row.experience, level_at(row.experience, 100)) for row in people},
        "learnt": {(row.id, pk): (xp, level_at(xp, 50)) for row in people for pk, xp in row.learnt.items()},
        "held": {(row.id, pk): number for row in people for pk, number in row.held.items() if number},
        "paid": {row.id: row.paid for row in people if row.paid},
        "moved": {row.id: row.moved for row in people if row.moved},
        "statistics": {row.id: {name: n for name, n in row.statistics.items() if n} for row in people},
        "lots": {row.id: row for row in model.lots.values()},
        "trades": model.trades,
    }


def stored(ids: list[int]) -> dict[str, Any]:
    """All that the database holds of these players."""
    players = Player.objects.filter(pk__in=ids)
    learnt = PlayerProfession.objects.filter(player__in=ids)
    held = InventoryItem.objects.filter(player__in=ids, quantity__gt=0)
    paid = LedgerEntry.objects.filter(player__in=ids).order_by("pk")
    moved = ItemMovement.objects.filter(player__in=ids).order_by("pk")
    lots = Listing.objects.filter(seller__in=ids).order_by("pk")
    trades = Trade.objects.filter(buyer__in=ids)
    statistics = PlayerStatistics.objects.filter(player__in=ids).values()
    return {
        "players": {row[0]: row[1:] for row in players.values_list("pk", "coins", "experience", "level")},
        "learnt": {row[:2]: row[2:] for row in learnt.values_list("player_id", "profession_id", "experience", "level")},
        "held": {row[:2]: row[2] for row in held.values_list("player_id", "resource_id", "quantity")},
        "paid": grouped(paid.values_list("player_id", "amount", "transfer__reason", "transfer__reference")),
        "moved": grouped(moved.values_list("player_id", "resource_id", "quantity", "reason", "reference")),
        "statistics": {
            row["player_id"]: {name: n for name, n in row.items() if n and name != "player_id"} for row in statistics
        },
        "lots": {
            row[0]: Lot(*row)
            for row in lots.values_list(
                "pk", "seller_id", "resource_id", "quantity", "remaining", "unit_price", "expires_at", "status"
            )
        },
        "trades": {row[0]: row[1:] for row in trades.values_list("pk", "listing_id", "buyer_id", "quantity", "fee")},
    }


def grouped(rows: Any) -> dict[int, list[Any]]:
    found: dict[int, list[Any]] = {}
    for player, *rest in rows:
        found.setdefault(player, []).append(tuple(rest))
    return found
