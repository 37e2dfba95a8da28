"""A batch as COPY takes it: one text for each table, with the ids that the sequences gave."""

import random
import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from accounts.models import MAX_LEVEL
from bcraftd.leveling import level_at
from bcraftd.population import names
from bcraftd.population.lives import Draft, Terms
from inventory.models import MAX_PROFESSION_LEVEL
from market.models import LISTING_LIFE

NULL = r"\N"

# What the reference of a movement names, by its reason.
_REFERENCES = {"escrow": "listing", "escrow_return": "listing", "purchase": "trade", "craft_in": "recipe",
               "craft_out": "recipe"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Ids:
    """Ids for the rows that others name, in the order of the draft's lists; transfers in the order of their times."""

    players: Sequence[int]
    listings: Sequence[int]
    trades: Sequence[int]
    transfers: Sequence[int]


@dataclass(slots=True)
class Text:
    """What goes into one table, or into the temporary one of that name."""

    table: str
    columns: tuple[str, ...]
    lines: list[str] = field(default_factory=list)

    def add(self, *values: object) -> None:
        """Adds a row. Values are numbers and texts without tabs, backslashes and line ends; NULL is NULL."""
        self.lines.append("\t".join(map(str, values)))


@dataclass(frozen=True, slots=True)
class Facts:
    """What is the same for a whole run. now: seconds since the epoch. password: the hash that everybody has."""

    now: float
    password: str
    terms: Terms

    def at(self, moment: float) -> str:
        """A moment of a draft as PostgreSQL takes it."""
        return datetime.fromtimestamp(self.now + moment, UTC).isoformat()


def transfers(draft: Draft, terms: Terms) -> list[tuple[float, str, int]]:
    """Every movement of coins in its order: when, why, and the place of its player or trade."""
    found = [(sale.at, "trade", place) for place, sale in enumerate(draft.sales)]
    for place, life in enumerate(draft.lives):
        if terms.starting_coins:
            found.append((life.born, "starting_coins", place))
        if life.gift:
            found.append((life.born, "grant", place))
    # Starting coins are there before a gift of the same moment.
    found.sort(key=lambda each: (each[0], each[1] == "grant"))
    return found


def texts(chance: random.Random, draft: Draft, ids: Ids, facts: Facts) -> Iterator[Text]:
    """The tables in an order in which every row's foreign keys lead to rows that are there."""
    yield _players(chance, draft, ids, facts)
    yield _statistics(draft, ids)
    yield _professions(draft, ids, facts)
    yield _listings(draft, ids, facts)
    yield _trades(draft, ids, facts)
    moved = transfers(draft, facts.terms)
    yield _transfers(moved, ids, facts)
    yield _entries(draft, moved, ids, facts.terms)
    yield _items(draft, ids)
    yield _movements(draft, ids, facts)


def _players(chance: random.Random, draft: Draft, ids: Ids, facts: Facts) -> Text:
    text = Text(
        "accounts_player",
        ("id", "password", "login", "email", "role", "coins", "experience", "level", "is_active", "created_at"),
    )
    for player_id, life in zip(ids.players, draft.lives, strict=True):
        login = names.login(chance, player_id)
        experience = sum(life.experience.values())
        text.add(
            player_id, facts.password, login, f"{login.lower()}@example.org", "player", life.coins, experience,
            level_at(experience, MAX_LEVEL), "t", facts.at(life.born),
        )  # fmt: skip
    return text


# A trigger has made the rows of statistics with the players: what is more than nothing is added from here.
STATISTICS = "populate_statistics"


def _statistics(draft: Draft, ids: Ids) -> Text:
    text = Text(
        STATISTICS,
        ("player_id", "items_crafted", "items_gathered", "sales_count", "sales_value", "purchases_count",
         "purchases_value"),
    )  # fmt: skip
    for player_id, life in zip(ids.players, draft.lives, strict=True):
        figures = (life.crafted, life.gathered, life.sales, life.earned, life.purchases, life.spent)
        if any(figures):
            text.add(player_id, *figures)
    return text


def _professions(draft: Draft, ids: Ids, facts: Facts) -> Text:
    text = Text(
        "inventory_playerprofession", ("player_id", "profession_id", "slot", "level", "experience", "joined_at")
    )
    for player_id, life in zip(ids.players, draft.lives, strict=True):
        born = facts.at(life.born)
        for slot, (profession_id, experience) in enumerate(life.experience.items(), 1):
            level = level_at(experience, MAX_PROFESSION_LEVEL)
            text.add(player_id, profession_id, slot, level, experience, born)
    return text


def _listings(draft: Draft, ids: Ids, facts: Facts) -> Text:
    text = Text(
        "market_listing",
        ("id", "seller_id", "resource_id", "quantity", "remaining", "unit_price", "status", "views", "created_at",
         "expires_at", "closed_at"),
    )  # fmt: skip
    life = LISTING_LIFE.total_seconds()
    for listing_id, offer in zip(ids.listings, draft.offers, strict=True):
        closed = NULL if offer.closed is None else facts.at(offer.closed)
        text.add(
            listing_id, ids.players[offer.seller], offer.resource_id, offer.quantity, offer.remaining, offer.price,
            offer.status, offer.views, facts.at(offer.at), facts.at(offer.at + life), closed,
        )  # fmt: skip
    return text


def _trades(draft: Draft, ids: Ids, facts: Facts) -> Text:
    text = Text(
        "market_trade",
        ("id", "listing_id", "buyer_id", "seller_id", "resource_id", "quantity", "unit_price", "total_price", "fee",
         "created_at"),
    )  # fmt: skip
    for trade_id, sale in zip(ids.trades, draft.sales, strict=True):
        offer = draft.offers[sale.offer]
        text.add(
            trade_id, ids.listings[sale.offer], ids.players[sale.buyer], ids.players[offer.seller], offer.resource_id,
            sale.quantity, offer.price, sale.quantity * offer.price, sale.fee, facts.at(sale.at),
        )  # fmt: skip
    return text


def _transfers(moved: Sequence[tuple[float, str, int]], ids: Ids, facts: Facts) -> Text:
    text = Text("accounts_ledgertransfer", ("id", "operation_id", "reason", "reference", "created_at"))
    for transfer_id, (at, reason, place) in zip(ids.transfers, moved, strict=True):
        text.add(transfer_id, uuid.uuid4(), reason, _reference(reason, place, ids), facts.at(at))
    return text


def _reference(reason: str, place: int, ids: Ids) -> str:
    if reason == "trade":
        return f"trade:{ids.trades[place]}"
    return f"player:{ids.players[place]}" if reason == "starting_coins" else ""


def _entries(draft: Draft, moved: Iterable[tuple[float, str, int]], ids: Ids, terms: Terms) -> Text:
    text = Text("accounts_ledgerentry", ("transfer_id", "player_id", "system_account", "amount"))
    for transfer_id, (_, reason, place) in zip(ids.transfers, moved, strict=True):
        if reason == "trade":
            sides = _sides(draft, ids, place)
        else:
            coins = terms.starting_coins if reason == "starting_coins" else draft.lives[place].gift
            sides = [(NULL, "mint", -coins), (ids.players[place], "", coins)]
        for player_id, account, amount in sides:
            # Nothing is not moved: a sale too small for a fee has two sides.
            if amount:
                text.add(transfer_id, player_id, account, amount)
    return text


def _sides(draft: Draft, ids: Ids, place: int) -> list[tuple[object, str, int]]:
    sale = draft.sales[place]
    offer = draft.offers[sale.offer]
    total = sale.quantity * offer.price
    return [
        (ids.players[sale.buyer], "", -total),
        (ids.players[offer.seller], "", total - sale.fee),
        (NULL, "market_fee", sale.fee),
    ]


def _items(draft: Draft, ids: Ids) -> Text:
    text = Text("inventory_inventoryitem", ("player_id", "resource_id", "quantity"))
    for player_id, life in zip(ids.players, draft.lives, strict=True):
        for resource_id, quantity in sorted(life.holds.items()):
            text.add(player_id, resource_id, quantity)
    return text


def _movements(draft: Draft, ids: Ids, facts: Facts) -> Text:
    text = Text("inventory_itemmovement", ("player_id", "resource_id", "quantity", "reason", "reference", "created_at"))
    named = {"listing": ids.listings, "trade": ids.trades}
    for movement in draft.movements:
        reference = ""
        if movement.of is not None:
            kind = _REFERENCES[movement.reason]
            reference = f"{kind}:{named[kind][movement.of] if kind in named else movement.of}"
        text.add(
            ids.players[movement.player], movement.resource_id, movement.quantity, movement.reason, reference,
            facts.at(movement.at),
        )  # fmt: skip
    return text
