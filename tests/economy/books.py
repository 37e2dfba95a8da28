"""What the answers say: every effect that a client was told of, as the rows that it must have left in the tables.

No clock, no network. A refusal leaves nothing; a code that its call cannot give is a complaint.
"""

import threading
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from tests.economy.client import Answer, Call

# The settings' defaults, which the run's servers have.
STARTING_COINS = 1000
FEE_PERCENT = 5
# What a call may be refused with here. Everything else is a defect, of the server or of the run.
REFUSALS: Mapping[str, frozenset[str]] = {
    "join": frozenset({"profession_limit"}),
    "gather": frozenset({"profession_required"}),
    "craft": frozenset({"profession_required", "level_too_low", "insufficient_items"}),
    "list": frozenset({"insufficient_items"}),
    "buy": frozenset({"own_listing", "listing_not_active", "insufficient_items", "insufficient_coins"}),
    "cancel": frozenset({"permission_denied", "listing_not_active"}),
}
# Complaints that are kept as text: one defect makes thousands, and the first tell it all.
KEPT = 50


class Movement(NamedTuple):
    """A row of the items' ledger."""

    player: int
    resource: int
    quantity: int
    reason: str
    reference: str


class Transfer(NamedTuple):
    """A transfer of the coins' ledger with its entries, sorted: ("player:5", -30) or ("mint", -1000)."""

    reason: str
    reference: str
    sides: tuple[tuple[str, int], ...]


class Offer(NamedTuple):
    """A listing, without what changes of it."""

    seller: int
    resource: int
    quantity: int
    unit_price: int


class Sale(NamedTuple):
    """A trade."""

    listing: int
    buyer: int
    seller: int
    resource: int
    quantity: int
    unit_price: int
    total: int
    fee: int


def transfer(reason: str, reference: str, sides: Mapping[str, int]) -> Transfer:
    """Sides of 0 are left out, as the ledger does."""
    return Transfer(reason, reference, tuple(sorted((name, amount) for name, amount in sides.items() if amount)))


class Books:
    """Takes in answers from many threads."""

    def __init__(self) -> None:
        self.settled = 0
        self.players: set[int] = set()
        self.effects: Counter[str] = Counter()
        self.refusals: Counter[str] = Counter()
        self.movements: Counter[Movement] = Counter()
        self.transfers: Counter[Transfer] = Counter()
        self.offers: dict[int, Offer] = {}
        self.sales: dict[int, Sale] = {}
        # Listing to what its cancelling gave back.
        self.cancelled: dict[int, int] = {}
        self.joined: set[tuple[int, int]] = set()
        self.experience: Counter[int] = Counter()
        # Player and key to the status that is kept under it.
        self.keys: dict[tuple[int, str], int] = {}
        self.complaints: list[str] = []
        self.complained = 0
        self._lock = threading.Lock()
        self._of: dict[str, Callable[[Call, Any], None]] = {
            "join": self._join,
            "gather": self._gather,
            "craft": self._craft,
            "list": self._list,
            "buy": self._buy,
            "cancel": self._cancel,
        }

    def complain(self, text: str) -> None:
        """Something that must not be was seen."""
        with self._lock:
            self._complain(text)

    def _complain(self, text: str) -> None:
        self.complained += 1
        if len(self.complaints) < KEPT:
            self.complaints.append(text)

    # --- Before the run -------------------------------------------------------------------------------------

    def registered(self, player: int) -> None:
        """A player came, with the starting coins."""
        self.players.add(player)
        self._pay("starting_coins", f"player:{player}", {"mint": -STARTING_COINS, f"player:{player}": STARTING_COINS})

    def granted(self, player: int, coins: int, items: Mapping[int, int]) -> None:
        """An operator gave coins, and items by resource."""
        self._pay("grant", "", {"mint": -coins, f"player:{player}": coins})
        for resource, quantity in items.items():
            self._move(player, resource, quantity, "grant")

    # --- Answers --------------------------------------------------------------------------------------------

    def note(self, call: Call, answer: Answer) -> None:
        """A call has its definite answer."""
        with self._lock:
            self.settled += 1
            if answer.good:
                self.effects[call.kind] += 1
                if call.key:
                    self.keys[call.player.id, call.key] = answer.status
                self._of[call.kind](call, answer.json())
            elif answer.code in REFUSALS[call.kind]:
                self.refusals[answer.code] += 1
            else:
                self._complain(f"{call}: {answer.status} {answer.body[:400]!r}")

    def _join(self, call: Call, body: Any) -> None:
        self.joined.add((call.player.id, body["id"]))

    def _gather(self, call: Call, body: Any) -> None:
        self.experience[call.player.id] += body["experience_gained"]
        self._move(call.player.id, body["resource_id"], body["quantity"], "gather")

    def _craft(self, call: Call, body: Any) -> None:
        player, reference = call.player.id, f"recipe:{body['recipe_id']}"
        self.experience[player] += body["experience_gained"]
        for row in body["consumed"]:
            self._move(player, row["resource_id"], -row["quantity"], "craft_in", reference)
        for row in body["produced"]:
            self._move(player, row["resource_id"], row["quantity"], "craft_out", reference)

    def _list(self, call: Call, body: Any) -> None:
        listing, asked = body["id"], call.asked
        offer = Offer(call.player.id, asked["resource"], asked["quantity"], asked["unit_price"])
        if listing in self.offers:
            self._complain(f"{call}: listing {listing} was the answer to another call too")
        self.offers[listing] = offer
        self._move(offer.seller, offer.resource, -offer.quantity, "escrow", f"listing:{listing}")

    def _buy(self, call: Call, body: Any) -> None:
        row = body["trade"]
        names = ("listing_id", "buyer_id", "seller_id", "resource_id", "quantity", "unit_price", "total_price", "fee")
        sale = Sale(*(row[name] for name in names))
        if row["id"] in self.sales:
            self._complain(f"{call}: trade {row['id']} was the answer to another call too")
        if not self._is_what_was_asked(call, sale):
            self._complain(f"{call}: {sale}")
        self.sales[row["id"]] = sale
        sides = {f"player:{sale.buyer}": -sale.total, f"player:{sale.seller}": sale.total - sale.fee}
        self._pay("trade", f"trade:{row['id']}", {**sides, "market_fee": sale.fee})
        self._move(sale.buyer, sale.resource, sale.quantity, "purchase", f"trade:{row['id']}")

    def _is_what_was_asked(self, call: Call, sale: Sale) -> bool:
        whole = call.asked.get("quantity") is None
        terms = (sale.listing, sale.buyer, sale.total, sale.fee)
        total = sale.quantity * sale.unit_price
        asked = (call.asked["listing"], call.player.id, total, total * FEE_PERCENT // 100)
        return terms == asked and (whole or sale.quantity == call.asked["quantity"])

    def _cancel(self, call: Call, body: Any) -> None:
        listing = body["id"]
        if listing in self.cancelled:
            self._complain(f"{call}: listing {listing} was cancelled before")
        self.cancelled[listing] = body["remaining"]
        self._move(call.player.id, body["resource_id"], body["remaining"], "escrow_return", f"listing:{listing}")

    def _move(self, player: int, resource: int, quantity: int, reason: str, reference: str = "") -> None:
        if quantity:
            self.movements[Movement(player, resource, quantity, reason, reference)] += 1

    def _pay(self, reason: str, reference: str, sides: Mapping[str, int]) -> None:
        row = transfer(reason, reference, sides)
        if row.sides:
            self.transfers[row] += 1
