"""What the players of one batch did, drawn from a source of chance: numbers in, rows out, no database.

Everything that the game would have written is here, in its order: nobody spends coins before having them or lists a
piece before holding it. Players and listings are named by their places in the batch until they get ids. Times are
seconds before now, as negative numbers.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate

from accounts.models import MAX_AMOUNT
from bcraftd.leveling import experience_for
from bcraftd.population.goods import Goods, Product
from inventory.models import MAX_PROFESSIONS
from market.models import LISTING_LIFE, MAX_QUANTITY, MAX_UNIT_PRICE

DAY = 86_400.0
LIFE = LISTING_LIFE.total_seconds()
# The first account is as old as this, and so is the oldest listing at most.
OLDEST = 180 * DAY
HISTORY = 60 * DAY
# What was listed within so long of now is not about to run out while the world is still being made.
FRESH = LIFE * 0.95
# One that runs out within so many seconds has been taken back just now: the last batch is written minutes later, and
# nothing of it is to be overdue then.
SOON = 600.0
# Pareto's exponents, of which Zipf's law is the ranks: of activity, of experience from before, of pieces.
ACTIVITY = 1.2
EXPERIENCE = 0.8
PIECES = 1.1
MOST_ACTIVE = 1_000.0
MOST_EXPERIENCE = 200_000
# A third learn nothing, and few all three trades.
LEARNED = (0, 1, 2, MAX_PROFESSIONS)
LEARN_WEIGHTS = (35, 30, 20, 15)
# What becomes of listings: most of what is cheap is sold, some of the rest is taken back; what is left has run out or
# is for sale, by its age.
SOLD, CANCELLED = 0.42, 0.12
PARTLY_SOLD = 0.25
BUYERS_TRIED = 4
# Coins that a heap of something is usually worth, and at most where it is more than one piece.
HEAP, MOST_HEAP = 60, 20_000
MOST_VIEWS = 10_000
# Coins that operators gave to those who play a lot, for each time that they are more active than the least active.
GIFT_FROM = 10.0
GIFT = 200


@dataclass(slots=True)
class Life:
    """A player. `experience` is by profession id, in the order of joining; `holds` by resource id."""

    born: float
    activity: float
    coins: int = 0
    gift: int = 0
    experience: dict[int, int] = field(default_factory=dict)
    holds: dict[int, int] = field(default_factory=dict)
    gathered: int = 0
    crafted: int = 0
    sales: int = 0
    earned: int = 0
    purchases: int = 0
    spent: int = 0


@dataclass(slots=True)
class Offer:
    """A listing. `closed` is None while it is active."""

    seller: int
    resource_id: int
    quantity: int
    remaining: int
    price: int
    at: float
    views: int
    status: str = "active"
    closed: float | None = None
    # When the seller takes back what is left, if nobody has bought it before.
    cancel_at: float | None = None


@dataclass(slots=True)
class Sale:
    """A trade."""

    offer: int
    buyer: int
    quantity: int
    fee: int
    at: float


@dataclass(frozen=True, slots=True)
class Movement:
    """An item movement. `of` is the place of its listing or trade, or the id of its recipe; None for neither."""

    at: float
    player: int
    resource_id: int
    quantity: int
    reason: str
    of: int | None = None


@dataclass(frozen=True, slots=True)
class Terms:
    """What the settings say: the coins of a new player, and the market's share in percent."""

    starting_coins: int
    fee_percent: int


@dataclass(slots=True)
class Draft:
    """A batch: whole in itself, whatever else is in the database."""

    lives: list[Life] = field(default_factory=list)
    offers: list[Offer] = field(default_factory=list)
    sales: list[Sale] = field(default_factory=list)
    movements: list[Movement] = field(default_factory=list)


def draw(chance: random.Random, goods: Goods, terms: Terms, *, players: int, listings: int) -> Draft:
    """The lives of so many players and all that they listed, which the same source draws the same again."""
    draft = Draft([_born(chance, goods, terms) for _ in range(players)])
    for player, life in enumerate(draft.lives):
        if life.experience:
            _stock_up(chance, goods, draft, player)
    active = list(accumulate(life.activity for life in draft.lives))
    wanted: list[tuple[float, int, int]] = []
    for seller in chance.choices(range(players), cum_weights=active, k=listings):
        wanted += _offer(chance, goods, draft, seller)
    _trade(chance, terms, draft, active, sorted(wanted))
    for place, offer in enumerate(draft.offers):
        _close(draft, place, offer)
    # The sort keeps what happened at the same moment in the order in which it is written.
    draft.movements.sort(key=lambda movement: movement.at)
    return draft


def _born(chance: random.Random, goods: Goods, terms: Terms) -> Life:
    activity = min(chance.paretovariate(ACTIVITY), MOST_ACTIVE)
    life = Life(-chance.uniform(DAY, OLDEST), activity)
    life.gift = int(GIFT * activity) if activity >= GIFT_FROM else 0
    life.coins = terms.starting_coins + life.gift
    for _ in range(chance.choices(LEARNED, LEARN_WEIGHTS)[0]):
        _learn(chance, goods, life)
    return life


def _learn(chance: random.Random, goods: Goods, life: Life) -> None:
    """Joins a profession; what was drawn twice is joined once. XP of what left no piece behind is there already."""
    (profession_id,) = chance.choices(goods.professions.things, cum_weights=goods.professions.weights)
    life.experience.setdefault(profession_id, int(min(50 * chance.paretovariate(EXPERIENCE), MOST_EXPERIENCE)))


def _product(chance: random.Random, goods: Goods, life: Life) -> tuple[int, Product]:
    """One of a player's professions, and something that it makes."""
    profession_id = chance.choice(list(life.experience))
    products = goods.products[profession_id]
    (product,) = chance.choices(products.things, cum_weights=products.weights)
    return profession_id, product


def _pieces(chance: random.Random, product: Product) -> int:
    """How much somebody makes or lists: mostly little, and of dear things little always."""
    usual, most = max(1.0, HEAP / product.value), max(1, int(MOST_HEAP / product.value))
    return min(int(chance.paretovariate(PIECES) * usual), most)


def _stock_up(chance: random.Random, goods: Goods, draft: Draft, player: int) -> None:
    """What somebody has made for themselves and never sold."""
    life = draft.lives[player]
    for _ in range(chance.randint(0, min(int(life.activity), 3))):
        profession_id, product = _product(chance, goods, life)
        at = chance.uniform(life.born, -60)
        _make(draft, player, profession_id, product, _pieces(chance, product), at)


def _make(draft: Draft, player: int, profession_id: int, product: Product, pieces: int, at: float) -> None:
    """Gathers or crafts so many pieces. Ingredients are gifts of the operators: who crafts is seldom who gathers."""
    life = draft.lives[player]
    actions = max(1, round(pieces / product.pieces))
    least = experience_for(product.level)
    life.experience[profession_id] = max(life.experience[profession_id], least) + actions * product.experience
    if product.recipe_id is None:
        life.gathered += pieces
        _move(draft, Movement(at, player, product.resource_id, pieces, "gather"))
        return
    for resource_id, quantity in product.needs:
        _move(draft, Movement(at, player, resource_id, quantity * actions, "grant"))
    for resource_id, quantity in product.needs:
        _move(draft, Movement(at, player, resource_id, -quantity * actions, "craft_in", product.recipe_id))
    life.crafted += pieces
    _move(draft, Movement(at, player, product.resource_id, pieces, "craft_out", product.recipe_id))


def _move(draft: Draft, movement: Movement) -> None:
    """Writes a movement, and what is then held."""
    draft.movements.append(movement)
    holds = draft.lives[movement.player].holds
    holds[movement.resource_id] = holds.get(movement.resource_id, 0) + movement.quantity


def _offer(chance: random.Random, goods: Goods, draft: Draft, seller: int) -> list[tuple[float, int, int]]:
    """Makes and lists something. Returns the purchases that somebody wants to make of it: when, of what, how many."""
    life, place = draft.lives[seller], len(draft.offers)
    if not life.experience:
        _learn(chance, goods, life)
    profession_id, product = _product(chance, goods, life)
    quantity = min(_pieces(chance, product), MAX_QUANTITY)
    fate = chance.random()
    # What stays unsold and untaken is half of this week and half of before.
    is_recent = fate >= SOLD + CANCELLED and chance.random() < 0.7
    at = max(-chance.uniform(60, FRESH if is_recent else HISTORY), life.born + 60)
    _make(draft, seller, profession_id, product, quantity + chance.randint(0, 2), at)
    _move(draft, Movement(at, seller, product.resource_id, -quantity, "escrow", place))
    dear = chance.lognormvariate(-0.1 if fate < SOLD else 0.1, 0.25)
    price = max(1, min(round(product.value * dear), MAX_UNIT_PRICE))
    views = min(int(chance.paretovariate(1)) - 1, MOST_VIEWS)
    offer = Offer(seller, product.resource_id, quantity, quantity, price, at, views)
    draft.offers.append(offer)
    ends = min(at + LIFE, 0.0)
    if fate < SOLD:
        return [(chance.uniform(at, ends), place, part) for part in _parts(chance, quantity)]
    if fate < SOLD + CANCELLED:
        offer.cancel_at = chance.uniform(at, ends)
        ends = offer.cancel_at
    if quantity > 1 and chance.random() < PARTLY_SOLD:
        return [(chance.uniform(at, ends), place, chance.randint(1, quantity - 1))]
    return []


def _parts(chance: random.Random, quantity: int) -> Sequence[int]:
    """A quantity in one part, or sometimes in two."""
    if quantity == 1 or chance.random() < 0.8:
        return [quantity]
    first = chance.randint(1, quantity - 1)
    return [first, quantity - first]


def _trade(
    chance: random.Random, terms: Terms, draft: Draft, active: Sequence[float], wanted: Sequence[tuple[float, int, int]]
) -> None:
    """Makes the purchases in the order of their times, as far as there is a buyer who can pay."""
    for at, place, quantity in wanted:
        offer = draft.offers[place]
        for buyer in chance.choices(range(len(draft.lives)), cum_weights=active, k=BUYERS_TRIED):
            life = draft.lives[buyer]
            pieces = min(quantity, life.coins // offer.price)
            if buyer != offer.seller and life.born < at and pieces > 0:
                _sell(terms, draft, place, buyer, pieces, at)
                break


def _sell(terms: Terms, draft: Draft, place: int, buyer: int, quantity: int, at: float) -> None:
    offer = draft.offers[place]
    seller, life = draft.lives[offer.seller], draft.lives[buyer]
    total = quantity * offer.price
    fee = total * terms.fee_percent // 100
    if seller.coins + total - fee > MAX_AMOUNT:
        return
    offer.remaining -= quantity
    if not offer.remaining:
        offer.status, offer.closed = "sold", at
    life.coins -= total
    life.purchases += 1
    life.spent += total
    seller.coins += total - fee
    seller.sales += 1
    seller.earned += total
    _move(draft, Movement(at, buyer, offer.resource_id, quantity, "purchase", len(draft.sales)))
    draft.sales.append(Sale(place, buyer, quantity, fee, at))


def _close(draft: Draft, place: int, offer: Offer) -> None:
    """Gives back what is left of a listing that was taken back or has run out."""
    if offer.status == "sold":
        return
    if offer.cancel_at is not None:
        offer.status, offer.closed = "cancelled", offer.cancel_at
    elif offer.at + LIFE <= 0:
        offer.status, offer.closed = "expired", offer.at + LIFE
    elif offer.at + LIFE <= SOON:
        offer.status, offer.closed = "cancelled", 0.0
    else:
        return
    back = Movement(offer.closed, offer.seller, offer.resource_id, offer.remaining, "escrow_return", place)
    _move(draft, back)
