"""The judge: whether the tables hold what was answered, once, and nothing else. No database, no network.

Every call had a definite answer in the end, so that both directions can be asked: an effect that was answered and is
not there was lost, one that is there and that nobody was answered was doubled or made up. What alone is not answered is
what ran out: that is taken from the listings' status, and must then have given back what the answers left of it.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.economy.books import Books, Movement, Offer, Sale, Transfer

# Rows of a difference that are told: a defect makes thousands, and the first tell it all.
TOLD = 10
EXPIRED, CANCELLED, SOLD, ACTIVE = "expired", "cancelled", "sold", "active"


@dataclass(slots=True)
class World:
    """The tables, as the books have them."""

    coins: dict[int, int] = field(default_factory=dict)
    experience: dict[int, int] = field(default_factory=dict)
    holdings: dict[tuple[int, int], int] = field(default_factory=dict)
    joined: set[tuple[int, int]] = field(default_factory=set)
    movements: Counter[Movement] = field(default_factory=Counter)
    transfers: Counter[Transfer] = field(default_factory=Counter)
    offers: dict[int, Offer] = field(default_factory=dict)
    # Listing to status and what remains.
    states: dict[int, tuple[str, int]] = field(default_factory=dict)
    sales: dict[int, Sale] = field(default_factory=dict)
    keys: dict[tuple[int, str], int] = field(default_factory=dict)


def violations(books: Books, world: World) -> list[str]:
    """What is not as it was answered, in sentences; none where all is well."""
    movements = books.movements + Counter(_returns(books, world))
    return [
        *_rows("movement", movements, world.movements),
        *_rows("transfer", books.transfers, world.transfers),
        *_rows("trade", Counter(books.sales.items()), Counter(world.sales.items())),
        *_rows("listing", Counter(books.offers.items()), Counter(world.offers.items())),
        *_rows("profession", Counter(books.joined), Counter(world.joined)),
        *_rows("kept answer", Counter(books.keys.items()), Counter(world.keys.items())),
        *_values("coins of player", _coins(books), world.coins),
        *_values("experience of player", {pk: books.experience[pk] for pk in books.players}, world.experience),
        *_values("held by (player, resource)", _held(movements), {k: n for k, n in world.holdings.items() if n}),
        *_states(books, world),
    ]


def _rows(what: str, answered: Counter[Any], found: Counter[Any]) -> Iterator[str]:
    yield from _told(f"a {what} was answered and is not there: {row}" for row in (answered - found).elements())
    yield from _told(f"a {what} is there that nobody was answered: {row}" for row in (found - answered).elements())


def _values(what: str, expected: Mapping[Any, int], found: Mapping[Any, int]) -> Iterator[str]:
    differing = sorted(key for key in expected.keys() | found.keys() if expected.get(key) != found.get(key))
    yield from _told(f"{what} {key}: {found.get(key)}, the answers say {expected.get(key)}" for key in differing)


def _told(sentences: Iterable[str]) -> Iterator[str]:
    rest = 0
    for number, sentence in enumerate(sentences):
        if number < TOLD:
            yield sentence
        else:
            rest += 1
    if rest:
        yield f"... and {rest} more of these"


def _sold(books: Books) -> Counter[int]:
    sold: Counter[int] = Counter()
    for sale in books.sales.values():
        sold[sale.listing] += sale.quantity
    return sold


def _returns(books: Books, world: World) -> Iterator[Movement]:
    """What listings that ran out have given back."""
    sold = _sold(books)
    for pk, (status, _) in world.states.items():
        if status == EXPIRED and pk in books.offers:
            offer = books.offers[pk]
            left = offer.quantity - sold[pk]
            yield Movement(offer.seller, offer.resource, left, "escrow_return", f"listing:{pk}")


def _coins(books: Books) -> dict[int, int]:
    coins = dict.fromkeys(books.players, 0)
    for row, times in books.transfers.items():
        for account, amount in row.sides:
            if account.startswith("player:"):
                coins[int(account.removeprefix("player:"))] += amount * times
    return coins


def _held(movements: Counter[Movement]) -> dict[tuple[int, int], int]:
    held: Counter[tuple[int, int]] = Counter()
    for row, times in movements.items():
        held[row.player, row.resource] += row.quantity * times
    return {key: quantity for key, quantity in held.items() if quantity}


def _states(books: Books, world: World) -> Iterator[str]:
    """A listing ends once: sold out, cancelled or run out. A single piece has one taker at most."""
    sold = _sold(books)
    wrong = []
    for pk, offer in books.offers.items():
        left = offer.quantity - sold[pk]
        allowed = {CANCELLED} if pk in books.cancelled else {SOLD} if left == 0 else {ACTIVE, EXPIRED}
        status, remaining = world.states.get(pk, ("missing", 0))
        if status not in allowed or remaining != left:
            wrong.append(f"listing {pk} is {status} with {remaining} left; the answers leave {left}, so {allowed}")
    yield from _told(wrong)
