"""Whose things each operation reads and moves, and how to call it: what tests/test_permissions_objects.py goes by.

A row says whether the call is for everybody, for the caller's own rows or for one own object, which columns of another
player's rows it may show all the same, and which of his rows it may change.
"""

from collections.abc import Callable, Set
from dataclasses import dataclass
from typing import Any

from tests.permissions import PASSWORD, Populated, known_only_to, told
from tests.support import Api

PUBLIC, OWN_ROWS, OWN_OBJECT = "public", "own rows only", "own object only"

# What of a player is everybody's to see: his name, his offers, his place.
NAME = {"accounts.Player.id", "accounts.Player.login"}
OFFER = NAME | {
    f"market.Listing.{column}"
    for column in ("id", "resource_id", "quantity", "remaining", "unit_price", "status", "created_at", "expires_at")
}
SALES = {"market.Trade.unit_price", "market.Trade.quantity", "market.Listing.unit_price", "market.Listing.remaining"}
# Who has sold once has sold for so much.
PLACE = NAME | {"accounts.Player.coins", "accounts.Player.experience", "accounts.PlayerStatistics.sales_value",
                "market.Trade.total_price"}  # fmt: skip
# A trade belongs to both who made it.
TRADE = {f"market.Trade.{column}" for column in ("id", "listing_id", "unit_price", "total_price", "fee", "created_at")}
SOLD = {"accounts.Player", "accounts.PlayerStatistics", "accounts.LedgerEntry", "accounts.LedgerTransfer",
        "market.Listing", "market.Trade"}  # fmt: skip


@dataclass(frozen=True)
class Row:
    """One operation. `{name}` in the path and `body` are filled from what is known of the player who is named."""

    who: str
    body: Callable[[Populated, Api], dict[str, Any]] | None = None
    shows: Set[str] = frozenset()
    touches: Set[str] = frozenset()
    refusal: tuple[int, str] = (0, "")
    reads: bool = False


ROWS: dict[tuple[str, str], Row] = {
    ("POST", "/api/auth/register"): Row(
        PUBLIC, body=lambda of, by: {"login": "eve", "email": "eve@example.org", "password": PASSWORD}
    ),
    ("POST", "/api/auth/login"): Row(PUBLIC, body=lambda of, by: {"login": "ada-the-first", "password": PASSWORD}),
    ("POST", "/api/auth/refresh"): Row(PUBLIC, body=lambda of, by: {"refresh_token": by.session["refresh_token"]}),
    ("POST", "/api/auth/logout"): Row(OWN_ROWS),
    ("POST", "/api/auth/password"): Row(
        OWN_ROWS, body=lambda of, by: {"old_password": PASSWORD, "new_password": PASSWORD}
    ),
    ("GET", "/api/auth/me"): Row(OWN_ROWS, reads=True),
    ("GET", "/api/auth/sessions"): Row(OWN_ROWS, reads=True),
    ("DELETE", "/api/auth/sessions/{session_id}"): Row(OWN_OBJECT, refusal=(404, "not_found")),
    ("GET", "/api/players/{player_id}"): Row(PUBLIC, reads=True, shows=NAME),
    ("GET", "/api/wallet/entries"): Row(OWN_ROWS, reads=True),
    ("GET", "/api/environment/current"): Row(PUBLIC, reads=True),
    ("GET", "/api/environment/weather"): Row(PUBLIC, reads=True),
    ("GET", "/api/environment/forecast"): Row(PUBLIC, reads=True),
    ("GET", "/api/resources"): Row(PUBLIC, reads=True),
    ("GET", "/api/resources/{resource_id}"): Row(PUBLIC, reads=True),
    ("GET", "/api/recipes"): Row(PUBLIC, reads=True),
    ("GET", "/api/recipes/{recipe_id}"): Row(PUBLIC, reads=True),
    ("GET", "/api/professions"): Row(PUBLIC, reads=True),
    ("GET", "/api/inventory"): Row(OWN_ROWS, reads=True),
    ("GET", "/api/inventory/movements"): Row(OWN_ROWS, reads=True),
    ("GET", "/api/recipes/known"): Row(OWN_ROWS, reads=True),
    ("POST", "/api/professions/{profession_id}/join"): Row(OWN_ROWS),
    ("POST", "/api/gather"): Row(OWN_ROWS, body=lambda of, by: {"resource_id": of.names["resource_id"]}),
    ("POST", "/api/craft"): Row(OWN_ROWS, body=lambda of, by: {"recipe_id": of.names["recipe_id"]}),
    ("GET", "/api/market/listings"): Row(PUBLIC, reads=True, shows=OFFER),
    ("GET", "/api/market/listings/{listing_id}"): Row(PUBLIC, reads=True, shows=OFFER),
    ("GET", "/api/market/listings/mine"): Row(OWN_ROWS, reads=True),
    ("POST", "/api/market/listings"): Row(
        OWN_ROWS, body=lambda of, by: {"resource_id": of.names["resource_id"], "quantity": 3, "unit_price": 4}
    ),
    # The one call that moves another player's things: he has offered them.
    ("POST", "/api/market/listings/{listing_id}/buy"): Row(
        OWN_ROWS, body=lambda of, by: {"quantity": 1}, shows=OFFER | TRADE, touches=SOLD
    ),
    ("POST", "/api/market/listings/{listing_id}/cancel"): Row(OWN_OBJECT, refusal=(403, "permission_denied")),
    ("GET", "/api/market/trades"): Row(OWN_ROWS, reads=True),
    ("GET", "/api/market/resources/{resource_id}/summary"): Row(PUBLIC, reads=True, shows=SALES),
    ("GET", "/api/market/resources/{resource_id}/history"): Row(PUBLIC, reads=True, shows=SALES),
    ("GET", "/api/leaderboard"): Row(PUBLIC, reads=True, shows=PLACE),
    ("GET", "/api/leaderboard/me"): Row(OWN_ROWS, reads=True, shows=PLACE),
}


def chosen(*kinds: str) -> list[tuple[str, str]]:
    return [operation for operation, row in ROWS.items() if row.who in kinds]


@dataclass(frozen=True)
class Scene:
    """Two players who have never met, and what is known only to Bob."""

    ada: Populated
    bob: Populated

    def call(self, operation: tuple[str, str], by: Api, of: Populated) -> Any:
        """The operation, called by one and naming what is another's."""
        method, template = operation
        row = ROWS[operation]
        body = row.body(of, by) if row.body is not None else None
        return by.call(method, template.format(**of.names), body)

    def told_of_bob(self, answer: Any, shows: Set[str]) -> set[str | int]:
        return told(answer.content, known_only_to(self.bob, self.ada, without=shows))
