"""What a bot does next, by its habit and by what it has seen: decisions as pure functions."""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any, TypeVar

T = TypeVar("T")

MAX_PROFESSIONS = 3
# The n-th resource is asked for 1/n times as often as the first one.
ZIPF = 1.0
MOST_ATTEMPTS = 5
# What a trader pays at most, and asks: times the base value, and times the price of before.
WORTH = 3.0
MARKUP = (1.05, 1.4)
# Coins a piece of what somebody made, times the base value.
PRICES = (0.8, 1.6)


@dataclass(frozen=True, slots=True)
class Action:
    """A call. `about` is the resource, recipe, profession, listing or player that it names."""

    kind: str
    method: str
    path: str
    body: Mapping[str, Any] | None = None
    about: int = 0

    @property
    def keyed(self) -> bool:
        """Whether the call takes an Idempotency-Key."""
        return self.kind in ("gather", "craft", "list", "buy", "cancel")


@dataclass(frozen=True, slots=True)
class World:
    """The catalogue as the API gives it: rows by id, and the resources that are traded."""

    resources: Mapping[int, Mapping[str, Any]]
    recipes: Mapping[int, Mapping[str, Any]]
    professions: Mapping[int, Mapping[str, Any]]
    traded: Sequence[int]

    @classmethod
    def of(cls, resources: Any, recipes: Any, professions: Any) -> "World":
        """From the bodies of the three lists."""
        rows = ((resources, "resources"), (recipes, "recipes"), (professions, "professions"))
        goods, known, trades = ({row["id"]: row for row in body[name]} for body, name in rows)
        return cls(goods, known, trades, [each for each, row in goods.items() if row["tradeable"]])


@dataclass(slots=True)
class Seen:
    """What a bot knows: its own things as of the last answer, and the last page of a market that it looked at."""

    player_id: int = 0
    coins: int = 0
    holds: dict[int, int] = field(default_factory=dict)
    professions: list[int] = field(default_factory=list)
    craftable: list[int] = field(default_factory=list)
    offers: list[Mapping[str, Any]] = field(default_factory=list)
    active: list[int] = field(default_factory=list)
    others: list[int] = field(default_factory=list)
    # What a trader paid, by resource: it is sold for more.
    paid: dict[int, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Habit:
    """How often somebody does what, as weights of kinds of actions."""

    name: str
    weights: Mapping[str, float]


HABITS = {
    habit.name: habit
    for habit in (
        Habit("gatherer", {"gather": 40, "inventory": 15, "list": 10, "market": 8, "sky": 5, "me": 5, "mine": 4,
                           "cancel": 1, "movements": 2, "join": 5, "summary": 3}),
        Habit("crafter", {"gather": 30, "known": 15, "craft": 20, "inventory": 10, "list": 5, "market": 6, "buy": 6,
                          "me": 4, "join": 5, "mine": 2, "sky": 2}),
        Habit("trader", {"market": 35, "buy": 18, "list": 12, "summary": 8, "history": 5, "mine": 6, "cancel": 3,
                         "trades": 4, "wallet": 3, "inventory": 6, "me": 6, "gather": 3, "join": 1}),
        Habit("lurker", {"market": 25, "board": 15, "around": 8, "profile": 10, "sky": 10, "forecast": 3,
                         "summary": 8, "history": 6, "catalogue": 6, "inventory": 4, "me": 5}),
    )
}  # fmt: skip
# Of a hundred players.
MIX = {"gatherer": 35, "crafter": 20, "trader": 25, "lurker": 20}


def decide(habit: Habit, seen: Seen, world: World, chance: random.Random) -> Action:
    """The next call. What cannot be done now (nothing to sell, nothing to buy) becomes a look at a market."""
    (kind,) = chance.choices(list(habit.weights), list(habit.weights.values()))
    return _MAKERS[kind](seen, world, chance) or market(seen, world, chance)


def popular(things: Sequence[T], chance: random.Random) -> T:
    """One of them, the first ones by far the most often."""
    weights = list(accumulate(1 / rank**ZIPF for rank in range(1, len(things) + 1)))
    return chance.choices(things, cum_weights=weights)[0]


def market(seen: Seen, world: World, chance: random.Random) -> Action:
    """The cheapest listings of a resource."""
    resource_id = popular(world.traded, chance)
    return Action("market", "GET", f"/api/market/listings?resource_id={resource_id}", about=resource_id)


def join(seen: Seen, world: World, chance: random.Random) -> Action | None:
    """A profession that is not joined yet: first one that gathers, without which nobody has anything, then one that
    makes something of what is gathered."""
    if len(seen.professions) >= MAX_PROFESSIONS:
        return None
    found = [each for each in world.professions if each not in seen.professions]
    if not found:
        return None
    useful = _useful(seen, world)
    profession_id = chance.choice([each for each in found if each in useful] or found)
    return Action("join", "POST", f"/api/professions/{profession_id}/join", {}, profession_id)


def _useful(seen: Seen, world: World) -> set[int]:
    """Those that gather, for who has none; else those with a recipe for beginners of what the joined ones gather."""
    gathered = {row["id"] for row in world.resources.values() if row["profession_id"] in seen.professions}
    if not gathered:
        return {row["profession_id"] for row in world.resources.values() if row["gatherable"]}
    return {
        row["profession_id"]
        for row in world.recipes.values()
        if row["required_level"] == 1 and all(each["resource_id"] in gathered for each in row["ingredients"])
    }


def gather(seen: Seen, world: World, chance: random.Random) -> Action | None:
    """Something that a joined profession gathers."""
    found = [row["id"] for row in world.resources.values() if row["profession_id"] in seen.professions]
    if not found:
        return join(seen, world, chance)
    resource_id = popular(found, chance)
    return Action("gather", "POST", "/api/gather", {"resource_id": resource_id}, resource_id)


def craft(seen: Seen, world: World, chance: random.Random) -> Action | None:
    """One of the recipes that were craftable, as often as what is held allows."""
    found = [recipe_id for recipe_id in seen.craftable if attempts(world.recipes[recipe_id], seen.holds)]
    if not found:
        return None
    recipe_id = chance.choice(found)
    number = chance.randint(1, min(attempts(world.recipes[recipe_id], seen.holds), MOST_ATTEMPTS))
    return Action("craft", "POST", "/api/craft", {"recipe_id": recipe_id, "quantity": number}, recipe_id)


def attempts(recipe: Mapping[str, Any], holds: Mapping[int, int]) -> int:
    """For how many attempts at a recipe there are ingredients."""
    return min((holds.get(each["resource_id"], 0) // each["quantity"] for each in recipe["ingredients"]), default=0)


def sell(seen: Seen, world: World, chance: random.Random) -> Action | None:
    """A part of something that is held, at about its value; what was bought, for more than it cost."""
    found = [resource_id for resource_id in world.traded if seen.holds.get(resource_id, 0) > 0]
    if not found:
        return None
    resource_id = chance.choice(found)
    price = int(world.resources[resource_id]["base_value"] * chance.uniform(*PRICES))
    if resource_id in seen.paid:
        price = int(seen.paid[resource_id] * chance.uniform(*MARKUP)) + 1
    quantity = chance.randint(1, min(seen.holds[resource_id], 50))
    body = {"resource_id": resource_id, "quantity": quantity, "unit_price": max(price, 1)}
    return Action("list", "POST", "/api/market/listings", body, resource_id)


def buy(seen: Seen, world: World, chance: random.Random) -> Action | None:
    """Some of one of the cheapest offers that were seen, where it is worth it and can be paid."""
    found = [
        offer
        for offer in seen.offers
        if offer["seller_id"] != seen.player_id
        and offer["unit_price"] <= min(seen.coins, WORTH * world.resources[offer["resource_id"]]["base_value"])
    ]
    if not found:
        return None
    offer = popular(found, chance)
    most = min(offer["remaining"], seen.coins // offer["unit_price"], 20)
    return Action(
        "buy", "POST", f"/api/market/listings/{offer['id']}/buy", {"quantity": chance.randint(1, most)}, offer["id"]
    )


def cancel(seen: Seen, world: World, chance: random.Random) -> Action | None:
    """Takes one of the own listings back."""
    if not seen.active:
        return None
    listing_id = chance.choice(seen.active)
    return Action("cancel", "POST", f"/api/market/listings/{listing_id}/cancel", {}, listing_id)


def profile(seen: Seen, world: World, chance: random.Random) -> Action | None:
    """Somebody who was seen on a market or on the board."""
    if not seen.others:
        return None
    player_id = chance.choice(seen.others)
    return Action("profile", "GET", f"/api/players/{player_id}", about=player_id)


_Maker = Callable[[Seen, World, random.Random], Action | None]


def _page(kind: str, *paths: str) -> _Maker:
    """A look at one of these pages."""
    return lambda seen, world, chance: Action(kind, "GET", chance.choice(paths))


def _of_resource(kind: str, path: str) -> _Maker:
    """A look at a page of a resource."""

    def make(seen: Seen, world: World, chance: random.Random) -> Action:
        resource_id = popular(world.traded, chance)
        return Action(kind, "GET", path.format(resource_id), about=resource_id)

    return make


_MAKERS: dict[str, _Maker] = {
    "market": market,
    "join": join,
    "gather": gather,
    "craft": craft,
    "list": sell,
    "buy": buy,
    "cancel": cancel,
    "profile": profile,
    "me": _page("me", "/api/auth/me"),
    "inventory": _page("inventory", "/api/inventory"),
    "known": _page("known", "/api/recipes/known"),
    "movements": _page("movements", "/api/inventory/movements"),
    "mine": _page("mine", "/api/market/listings/mine"),
    "trades": _page("trades", "/api/market/trades"),
    "wallet": _page("wallet", "/api/wallet/entries"),
    "sky": _page("sky", "/api/environment/current"),
    "forecast": _page("forecast", "/api/environment/forecast"),
    "board": _page("board", "/api/leaderboard", "/api/leaderboard?sort=coins", "/api/leaderboard?sort=sales"),
    "around": _page("around", "/api/leaderboard/me"),
    "catalogue": _page("catalogue", "/api/resources", "/api/recipes", "/api/professions"),
    "summary": _of_resource("summary", "/api/market/resources/{}/summary"),
    "history": _of_resource("history", "/api/market/resources/{}/history"),
}
# What an action may be refused with: the world has moved on since its player looked.
REFUSALS: Mapping[str, frozenset[str]] = {
    "join": frozenset({"conflict"}),
    "gather": frozenset({"conflict", "balance_limit"}),
    "craft": frozenset({"conflict", "balance_limit"}),
    "list": frozenset({"conflict"}),
    "buy": frozenset({"conflict", "listing_not_active", "insufficient_items", "balance_limit"}),
    "cancel": frozenset({"conflict", "listing_not_active", "balance_limit"}),
    # Whom the board still has may have closed the account.
    "profile": frozenset({"not_found"}),
}
