"""What a bot may see, by what it did: each answer is held against those before it.

Nobody but the bot changes what it holds, and others only ever add to its coins, by buying from it. So a holding must
be exactly what the bot's own answered calls make of it, and coins may be more than it knows of and never less. What is
found to be wrong is told in a sentence and then believed, so that it is told once.
"""

from collections.abc import Callable, Mapping
from typing import Any

from bcraftd.simulation.habits import Action, Seen

FINAL = ("sold", "cancelled", "expired")
# Ids of players seen that are kept, to look at.
OTHERS = 50


class Mirror:
    """One bot's own things. `seen` is what it decides by."""

    def __init__(self, player_id: int = 0) -> None:
        self.seen = Seen(player_id)
        self._knows_holds = False
        self._knows_coins = False
        # Own listings of this run: status and what remains, as of the last answer about each.
        self._listings: dict[int, tuple[str, int]] = {}

    def look(self, action: Action, body: Any) -> list[str]:
        """Learns from a good answer. Returns what contradicts the answers before it, or is no such answer at all."""
        learn = self._LEARN.get(action.kind)
        if learn is None:
            return [] if isinstance(body, dict) else ["the body is no object"]
        try:
            return learn(self, action, body)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            return [f"the body is not that of {action.kind}: {error!r}"]

    def doubt(self) -> None:
        """Forgets what was known: a call has ended without anybody knowing whether it was done."""
        self._knows_holds = self._knows_coins = False
        self._listings.clear()

    # --- Coins and items ----------------------------------------------------------------------------------

    def _me(self, action: Action, body: Any) -> list[str]:
        self.seen.player_id = body["id"]
        self.seen.professions = [row["id"] for row in body["professions"]]
        return self._coins(body["coins"])

    def _coins(self, coins: int, spent: int = 0) -> list[str]:
        least = self.seen.coins - spent
        wrong = [] if coins >= 0 else [f"there are {coins} coins"]
        if self._knows_coins and coins < least:
            wrong.append(f"there are {coins} coins, and should be {least} or more")
        self.seen.coins, self._knows_coins = coins, True
        return wrong

    def _inventory(self, action: Action, body: Any) -> list[str]:
        holds = {int(row["resource_id"]): int(row["quantity"]) for row in body["inventory"]}
        wrong = [f"there are {quantity} of resource {each}" for each, quantity in holds.items() if quantity < 1]
        known = {each: quantity for each, quantity in self.seen.holds.items() if quantity}
        if self._knows_holds:
            wrong += [
                f"there are {holds.get(each, 0)} of resource {each}, and should be {known.get(each, 0)}"
                for each in sorted(holds.keys() | known.keys())
                if holds.get(each, 0) != known.get(each, 0)
            ]
        self.seen.holds, self._knows_holds = holds, True
        return wrong

    def _add(self, resource_id: int, quantity: int) -> list[str]:
        """Notes a change of what is held."""
        self.seen.holds[resource_id] = self.seen.holds.get(resource_id, 0) + quantity
        if self._knows_holds and self.seen.holds[resource_id] < 0:
            return [f"that leaves {self.seen.holds[resource_id]} of resource {resource_id}"]
        return []

    def _gather(self, action: Action, body: Any) -> list[str]:
        if body["resource_id"] != action.about or body["quantity"] < 0:
            return [f"gathering resource {action.about} gave {body['quantity']} of {body['resource_id']}"]
        return self._add(action.about, body["quantity"])

    def _craft(self, action: Action, body: Any) -> list[str]:
        wrong = [] if body["recipe_id"] == action.about else [f"that is of recipe {body['recipe_id']}"]
        for name, sign in (("consumed", -1), ("produced", 1)):
            for row in body[name]:
                wrong += self._add(row["resource_id"], sign * row["quantity"])
        return wrong

    def _known(self, action: Action, body: Any) -> list[str]:
        self.seen.craftable = [row["id"] for row in body["recipes"] if row["craftable"]]
        return []

    def _join(self, action: Action, body: Any) -> list[str]:
        if body["id"] != action.about:
            return [f"that is profession {body['id']}"]
        if action.about not in self.seen.professions:
            self.seen.professions.append(action.about)
        return []

    # --- The market ---------------------------------------------------------------------------------------

    def _market(self, action: Action, body: Any) -> list[str]:
        rows = body["listings"]
        self.seen.offers = rows
        self.seen.others = (self.seen.others + [row["seller_id"] for row in rows])[-OTHERS:]
        wrong = [
            f"listing {row['id']} is for sale, and is {self._listings[row['id']][0]}"
            for row in rows
            if self._listings.get(row["id"], ("", 0))[0] in FINAL
        ]
        wrong += [f"listing {row['id']} has {row['remaining']} left" for row in rows if row["remaining"] < 1]
        wrong += [f"listing {row['id']} is of another resource" for row in rows if row["resource_id"] != action.about]
        prices = [row["unit_price"] for row in rows]
        return wrong if prices == sorted(prices) else [*wrong, "the cheapest listings do not come first"]

    def _list(self, action: Action, body: Any) -> list[str]:
        assert action.body is not None
        asked = (action.about, action.body["quantity"], action.body["unit_price"])
        given = (body["resource_id"], body["quantity"], body["unit_price"])
        wrong = [] if given == asked else [f"listed were {given} and not {asked}"]
        self._listings[body["id"]] = (body["status"], body["remaining"])
        self.seen.active.append(body["id"])
        return wrong + self._add(action.about, -action.body["quantity"])

    def _buy(self, action: Action, body: Any) -> list[str]:
        assert action.body is not None
        trade = body["trade"]
        total = trade["quantity"] * trade["unit_price"]
        wrong = []
        if (trade["listing_id"], trade["buyer_id"]) != (action.about, self.seen.player_id):
            wrong.append(f"trade {trade['id']} is of another listing or buyer")
        if trade["quantity"] != action.body["quantity"] or trade["total_price"] != total:
            wrong.append(f"trade {trade['id']} is of {trade['quantity']} pieces for {trade['total_price']}")
        self.seen.paid[trade["resource_id"]] = trade["unit_price"]
        self.seen.offers = [row for row in self.seen.offers if row["id"] != action.about]
        return wrong + self._coins(body["coins"], total) + self._add(trade["resource_id"], trade["quantity"])

    def _cancel(self, action: Action, body: Any) -> list[str]:
        wrong = self._listing(body)
        if body["status"] != "cancelled":
            wrong.append(f"listing {body['id']} is {body['status']} after its cancelling")
        return wrong + self._add(body["resource_id"], body["remaining"])

    def _mine(self, action: Action, body: Any) -> list[str]:
        """The newest own listings: those of this run must be among them, as far back as the page goes."""
        rows = {row["id"]: row for row in body["listings"]}
        oldest = min(rows, default=0) if body["next"] else 0
        wrong = [f"listing {each} is not there" for each in self._listings if each >= oldest and each not in rows]
        for row in rows.values():
            wrong += self._listing(row)
        self.seen.active = [each for each, row in rows.items() if row["status"] == "active"]
        return wrong

    def _listing(self, row: Mapping[str, Any]) -> list[str]:
        """Less may remain than before, and what is closed stays as it is."""
        listing_id, now = row["id"], (row["status"], row["remaining"])
        before = self._listings.get(listing_id)
        self._listings[listing_id] = now
        if row["status"] != "active" and listing_id in self.seen.active:
            self.seen.active.remove(listing_id)
        if before is None or before == now or (before[0] == "active" and row["remaining"] <= before[1]):
            return []
        return [f"listing {listing_id} is {now[0]} with {now[1]} left, and was {before[0]} with {before[1]}"]

    def refused(self, action: Action) -> None:
        """What was refused is not tried again."""
        if action.kind == "buy":
            self.seen.offers = [row for row in self.seen.offers if row["id"] != action.about]
        if action.kind == "cancel" and action.about in self.seen.active:
            self.seen.active.remove(action.about)

    # --- The board ----------------------------------------------------------------------------------------

    def _board(self, action: Action, body: Any) -> list[str]:
        self.seen.others = (self.seen.others + [row["player_id"] for row in body["leaderboard"]])[-OTHERS:]
        return [
            f"player {row['player_id']} has {row['coins']} coins" for row in body["leaderboard"] if row["coins"] < 0
        ]

    _LEARN: Mapping[str, Callable[["Mirror", Action, Any], list[str]]] = {
        "me": _me,
        "inventory": _inventory,
        "gather": _gather,
        "craft": _craft,
        "known": _known,
        "join": _join,
        "market": _market,
        "list": _list,
        "buy": _buy,
        "cancel": _cancel,
        "mine": _mine,
        "board": _board,
    }
