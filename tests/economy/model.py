"""The rules of the economy once more, in plain Python and without a database: what tests/test_economy_machine.py holds
the services against. Written from docs/economy.md, not from the services.

Every method looks first and raises Refused, and then gives a function that takes the service's answer and carries the
change out: a call that is undone in the middle has looked, and has changed nothing.
"""

import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Any

MOST = 2**53 - 1
PROFESSIONS = 3
STARTING_COINS = 1000
FEE_PERCENT = 5
LIFE = timedelta(days=7)
# Profession level from which a rank holds, and what it multiplies yields by.
MASTERY = ((50, Fraction(2)), (35, Fraction(3, 2)), (25, Fraction(5, 4)), (15, Fraction(11, 10)), (1, Fraction(1)))

Change = Callable[[Any], None]


class Refused(Exception):
    """What the rules say no with."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True)
class Good:
    """A resource."""

    id: int
    slug: str
    tradeable: bool
    # The profession that gathers it; None where it is made.
    profession: int | None
    weight: Fraction
    value: Fraction


@dataclass(frozen=True, slots=True)
class Formula:
    """A recipe."""

    id: int
    profession: int
    level: int
    output: int
    quantity: int
    rate: Fraction
    experience: int
    needs: Mapping[int, int]


@dataclass(frozen=True, slots=True)
class Chance:
    """What the one source of chance shows, however often it is asked."""

    face: int
    share: float

    def whole(self, amount: Fraction) -> int:
        """The fractional part is the probability of one more."""
        return int(amount) + (self.share < amount - int(amount))


@dataclass(slots=True)
class Person:
    """A player."""

    id: int
    login: str
    email: str
    coins: int = 0
    experience: int = 0
    held: Counter[int] = field(default_factory=Counter)
    # Profession to XP in it.
    learnt: dict[int, int] = field(default_factory=dict)
    statistics: Counter[str] = field(default_factory=Counter)
    # The two histories: amount, reason, reference; resource, quantity, reason, reference.
    paid: list[tuple[int, str, str]] = field(default_factory=list)
    moved: list[tuple[int, int, str, str]] = field(default_factory=list)


@dataclass(slots=True)
class Lot:
    """A listing."""

    id: int
    seller: int
    resource: int
    quantity: int
    remaining: int
    price: int
    ends: datetime
    status: str = "active"


def level_at(experience: int, most: int) -> int:
    """Level n begins at 50 n (n - 1) XP."""
    level = 1
    while level < most and 50 * (level + 1) * level <= experience:
        level += 1
    return level


def mastery(experience: int) -> Fraction:
    """What XP in a profession multiply its yields by."""
    level = level_at(experience, 50)
    return next(factor for least, factor in MASTERY if level >= least)


class Model:
    """Players, what they hold, what they offer. Ids are the database's: the services' answers bring them."""

    def __init__(self, goods: Mapping[int, Good], formulas: Mapping[int, Formula], professions: set[int]) -> None:
        self.goods = goods
        self.formulas = formulas
        self.professions = professions
        self.people: dict[int, Person] = {}
        self.lots: dict[int, Lot] = {}
        self.trades: dict[int, tuple[int, int, int, int]] = {}

    # --- Looking ----------------------------------------------------------------------------------------------

    def _practised(self, person: Person, profession: int) -> int:
        if profession not in person.learnt:
            raise Refused("profession_required")
        return person.learnt[profession]

    def _good(self, resource: int) -> Good:
        if resource not in self.goods:
            raise Refused("not_found")
        return self.goods[resource]

    def _lot(self, listing: int) -> Lot:
        if listing not in self.lots:
            raise Refused("not_found")
        return self.lots[listing]

    def _check_room(self, person: Person, resource: int, quantity: int) -> None:
        if person.held[resource] + quantity > MOST:
            raise Refused("balance_limit")

    # --- Changing ---------------------------------------------------------------------------------------------

    def _pay(self, person: Person, amount: int, reason: str, reference: str = "") -> None:
        if amount:
            person.coins += amount
            person.paid.append((amount, reason, reference))

    def _move(self, person: Person, resource: int, quantity: int, reason: str, reference: str = "") -> None:
        if quantity:
            person.held[resource] += quantity
            person.moved.append((resource, quantity, reason, reference))

    def _learn(self, person: Person, profession: int, experience: int) -> None:
        person.experience += experience
        person.learnt[profession] += experience

    # --- What players do --------------------------------------------------------------------------------------

    def register(self, login: str, email: str, password: str) -> Change:
        if len(password) < 8:
            raise Refused("invalid")
        if any(person.login.lower() == login.lower() for person in self.people.values()):
            raise Refused("login_taken")
        if any(person.email.lower() == email.lower() for person in self.people.values()):
            raise Refused("email_taken")

        def change(made: Any) -> None:
            person = self.people[made.pk] = Person(made.pk, login, email)
            self._pay(person, STARTING_COINS, "starting_coins", f"player:{made.pk}")

        return change

    def join(self, person: Person, profession: int) -> Change:
        if profession not in self.professions:
            raise Refused("not_found")
        known = profession in person.learnt
        if not known and len(person.learnt) >= PROFESSIONS:
            raise Refused("profession_limit")

        def change(answer: Any) -> None:
            assert answer[1] is not known
            person.learnt.setdefault(profession, 0)

        return change

    def gather(self, person: Person, resource: int, chance: Chance) -> Change:
        good = self._good(resource)
        if good.profession is None:
            raise Refused("not_gatherable")
        profession = good.profession
        practised = self._practised(person, profession)
        pieces = chance.whole(chance.face * good.weight / 100 * mastery(practised))
        self._check_room(person, resource, pieces)

        def change(answer: Any) -> None:
            assert (answer["quantity"], answer["experience_gained"]) == (pieces, int(10 * good.value))
            self._move(person, resource, pieces, "gather")
            self._learn(person, profession, int(10 * good.value))
            person.statistics["items_gathered"] += pieces

        return change

    def craft(self, person: Person, recipe: int, attempts: int, chance: Chance) -> Change:
        if recipe not in self.formulas:
            raise Refused("not_found")
        formula = self.formulas[recipe]
        practised = self._practised(person, formula.profession)
        if level_at(practised, 50) < formula.level:
            raise Refused("level_too_low")
        if any(person.held[resource] < attempts * number for resource, number in formula.needs.items()):
            raise Refused("insufficient_items")
        successes = attempts if chance.share < formula.rate else 0
        made = chance.whole(successes * formula.quantity * mastery(practised))
        self._check_room(person, formula.output, made)

        def change(answer: Any) -> None:
            assert (answer["successes"], answer["attempts"]) == (successes, attempts)
            for resource, number in sorted(formula.needs.items()):
                self._move(person, resource, -attempts * number, "craft_in", f"recipe:{recipe}")
            self._move(person, formula.output, made, "craft_out", f"recipe:{recipe}")
            self._learn(person, formula.profession, successes * formula.experience)
            person.statistics["items_crafted"] += made

        return change

    def offer(self, person: Person, resource: int, quantity: int, price: int, now: datetime) -> Change:
        if not self._good(resource).tradeable:
            raise Refused("not_tradeable")
        if person.held[resource] < quantity:
            raise Refused("insufficient_items")

        def change(made: Any) -> None:
            self.lots[made.pk] = Lot(made.pk, person.id, resource, quantity, quantity, price, now + LIFE)
            self._move(person, resource, -quantity, "escrow", f"listing:{made.pk}")

        return change

    def buy(self, person: Person, listing: int, quantity: int | None, now: datetime) -> Change:
        lot = self._lot(listing)
        if lot.seller == person.id:
            raise Refused("own_listing")
        if lot.status != "active" or lot.ends <= now:
            raise Refused("listing_not_active")
        amount = lot.remaining if quantity is None else quantity
        if amount > lot.remaining:
            raise Refused("insufficient_items")
        total = amount * lot.price
        if person.coins < total:
            raise Refused("insufficient_coins")
        if self.people[lot.seller].coins + total - total * FEE_PERCENT // 100 > MOST:
            raise Refused("balance_limit")
        self._check_room(person, lot.resource, amount)

        def change(answer: Any) -> None:
            told = json.loads(answer.body)
            self._trade(told["trade"]["id"], person, lot, amount)
            assert told["coins"] == person.coins

        return change

    def _trade(self, pk: int, person: Person, lot: Lot, amount: int) -> None:
        seller, total, reference = self.people[lot.seller], amount * lot.price, f"trade:{pk}"
        fee = total * FEE_PERCENT // 100
        self.trades[pk] = (lot.id, person.id, amount, fee)
        self._pay(person, -total, "trade", reference)
        self._pay(seller, total - fee, "trade", reference)
        self._move(person, lot.resource, amount, "purchase", reference)
        lot.remaining -= amount
        lot.status = "active" if lot.remaining else "sold"
        person.statistics.update(purchases_count=1, purchases_value=total)
        seller.statistics.update(sales_count=1, sales_value=total)

    def _give_back(self, lot: Lot, status: str) -> None:
        lot.status = status
        self._move(self.people[lot.seller], lot.resource, lot.remaining, "escrow_return", f"listing:{lot.id}")

    def cancel(self, person: Person, listing: int) -> Change:
        lot = self._lot(listing)
        if lot.seller != person.id:
            raise Refused("permission_denied")
        if lot.status != "active":
            raise Refused("listing_not_active")
        self._check_room(person, lot.resource, lot.remaining)
        return lambda _: self._give_back(lot, "cancelled")

    def expire(self, now: datetime) -> int:
        """Closes what is overdue, listing by listing; one whose seller can hold no more stays. Returns how many."""
        closed = 0
        for lot in sorted(self.lots.values(), key=lambda lot: lot.id):
            room = self.people[lot.seller].held[lot.resource] + lot.remaining <= MOST
            if lot.status == "active" and lot.ends <= now and room:
                self._give_back(lot, "expired")
                closed += 1
        return closed

    def grant(self, login: str, coins: int, items: Mapping[str, int]) -> Change:
        person = next((person for person in self.people.values() if person.login.lower() == login.lower()), None)
        by_slug = {good.slug: good.id for good in self.goods.values()}
        if person is None or not items.keys() <= by_slug.keys():
            raise Refused("not_found")
        if coins < 0 or any(quantity < 1 for quantity in items.values()):
            raise Refused("invalid")
        if person.coins + coins > MOST:
            raise Refused("balance_limit")
        given = {by_slug[slug]: quantity for slug, quantity in items.items()}
        for resource, quantity in given.items():
            self._check_room(person, resource, quantity)
        receiver = person

        def change(answer: Any) -> None:
            self._pay(receiver, coins, "grant")
            for resource, quantity in sorted(given.items()):
                self._move(receiver, resource, quantity, "grant")
            assert answer["coins"] == receiver.coins

        return change
