"""A game that hypothesis plays against the services, or a test by itself: see tests/test_economy_machine.py."""

import itertools
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, ClassVar
from unittest.mock import patch

from django.utils import timezone
from hypothesis import strategies as some
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from accounts.services import player_register
from bcraftd import economy, randomness
from environment.seeding import environment_seed
from inventory import services as inventory
from inventory.models import PlayerProfession
from inventory.seeding import catalogue_seed
from inventory.tests.support import clock, conditions
from market import services as market
from tests.economy.faults import Fault
from tests.economy.mirror import catalogue, stored, told
from tests.economy.model import MOST, Chance, Change, Model, Person, Refused
from tests.support import clean_world, profession_id, recipe_id, resource_id

PASSWORD = "correct horse battery"
NOBODY = 2**40
# Gathered, gathered too, more rarely, made, made but never traded, and another trade's.
RESOURCES = ("mutterwood-log", "gossip-birch-bark", "mulehead-oak-log", "mutterwood-plank", "waking-bell", "coughcoal")
LOG, BARK, OAK, PLANK, BELL, COAL, NO_RESOURCE = range(7)
# Of level 1, of level 3, of level 1, and another trade's.
RECIPES = ("saw-mutterwood-planks", "press-gossip-paper", "whittle-a-mutterwood-mallet", "grill-sprat-on-a-stick")
PLANKS, PAPER, MALLET, SPRAT, NO_RECIPE = range(5)
PROFESSIONS = ("timberhand", "sawyer", "toolwright", "pitdelver", "galleykeep")
PITDELVER, NO_PROFESSION = 3, 5
NO_LOT = -1

FAULTS = some.one_of(
    some.just(Fault()),
    some.just(Fault()),
    some.builds(Fault, some.sampled_from(["rollback", "commit"])),
    some.builds(Fault, some.sampled_from(["raise", "raise_after", "deadlock", "deadlocks"]), some.integers(1, 16)),
)
WHO = some.sampled_from([0, 1, 2])
WHAT = some.sampled_from([LOG, LOG, LOG, BARK, BARK, OAK, PLANK, BELL, COAL, NO_RESOURCE])
MAKING = some.sampled_from([PLANKS, PLANKS, PAPER, MALLET, SPRAT, NO_RECIPE])
CHANCES = some.builds(Chance, some.integers(1, 5), some.sampled_from([0.0, 0.5, 0.96, 0.999]))
AMOUNTS = some.sampled_from([1, 1, 2, 3, 40])
PRICES = some.sampled_from([1, 7, 19, 20, 333, 10**9])
# The last listing, the one before it, and so on.
LOTS = some.sampled_from([0, 0, 0, 1, 1, 2, 3, 5, 8, NO_LOT])

_numbers = itertools.count()
# What came of the steps of all games: call and outcome.
seen: Counter[tuple[str, str]] = Counter()


def begin_anew() -> None:
    """A world without players, where neither season nor weather changes what work yields."""
    clean_world()
    catalogue_seed()
    environment_seed()
    conditions()
    catalogue.cache_clear()


class Loaded:
    """Chance that always shows the same."""

    def __init__(self, chance: Chance) -> None:
        self._chance = chance

    def randint(self, least: int, most: int) -> int:
        return self._chance.face

    def random(self) -> float:
        return self._chance.share


class Game(RuleBasedStateMachine):
    """One game of a few players. The world stays from game to game: what must hold of it holds of all of it."""

    spoilt: ClassVar[bool] = True

    def __init__(self) -> None:
        super().__init__()
        if Game.spoilt:
            begin_anew()
        Game.spoilt = True
        self.model = Model(*catalogue())
        self.now = timezone.now()
        # Whether something may have changed since the audit, and whether all was well after the last step.
        self.touched, self.sound = True, True
        # What came of the last step: done, undone, or the refusal's code.
        self.last = ""

    # --- How each step goes -----------------------------------------------------------------------------------

    def step(self, name: str, fault: Fault, plan: Callable[[], Change], act: Callable[[], Any]) -> None:
        """Makes a call that the model foretells. What is undone in the middle changes nothing."""
        change, code = None, None
        try:
            change = plan()
        except Refused as refusal:
            code = refusal.code
        self.sound = False
        with clock(self.now):
            outcome = fault.run(act)
        self.last = "undone" if outcome.undone else outcome.code or "done"
        seen[name, self.last] += 1
        self.touched = outcome.undone or outcome.code is None
        if outcome.undone and fault.kind != "rollback":
            return
        assert outcome.code == code
        if change is not None and not outcome.undone:
            change(outcome.answer)

    def person(self, who: int) -> Person:
        people = list(self.model.people.values())
        return people[who % len(people)]

    def lot(self, which: int) -> int:
        """One of the last listings; none that there is for -1."""
        lots = list(self.model.lots)
        return lots[-1 - which % len(lots)] if lots and which >= 0 else NOBODY

    def resource(self, what: int) -> int:
        return resource_id(RESOURCES[what]) if what < len(RESOURCES) else NOBODY

    # --- What may happen --------------------------------------------------------------------------------------

    @initialize(level=some.sampled_from([1, 2, 14, 15, 34, 50]), price=PRICES)
    def begin(self, level: int, price: int) -> None:
        """Three players; one has practised, has something to begin with, and offers some of it."""
        for _ in range(3):
            self.register(Fault(), "new", PASSWORD)
        for who, slug in itertools.product((0, 1), PROFESSIONS[:3]):
            self.join(who, PROFESSIONS.index(slug), Fault())
        self.practise(self.person(0), level)
        for who in (0, 1):
            self.give(who, 0, {"mutterwood-log": 30, "gossip-birch-bark": 9}, Fault())
        self.offer(0, BARK, 2, 10**9, Fault())
        self.offer(0, LOG, 5, price, Fault())

    def practise(self, person: Person, level: int) -> None:
        """All that a player has learnt is at the beginning of a level."""
        experience = 50 * level * (level - 1)
        person.learnt = dict.fromkeys(person.learnt, experience)
        PlayerProfession.objects.filter(player_id=person.id).update(experience=experience, level=level)

    @rule(
        fault=FAULTS,
        name=some.sampled_from(["new", "again", "mail"]),
        password=some.sampled_from([PASSWORD, PASSWORD, "abc"]),
    )
    def register(self, fault: Fault, name: str, password: str) -> None:
        login = f"player-{next(_numbers)}"
        email = f"{login}@example.org"
        if name == "again":
            login = self.person(0).login.upper()
        if name == "mail":
            email = self.person(0).email.upper()
        self.step(
            "register",
            fault,
            lambda: self.model.register(login, email, password),
            lambda: player_register(login=login, email=email, password=password),
        )

    @rule(who=WHO, which=some.integers(0, NO_PROFESSION), fault=FAULTS)
    def join(self, who: int, which: int, fault: Fault) -> None:
        person = self.person(who)
        profession = profession_id(PROFESSIONS[which]) if which < len(PROFESSIONS) else NOBODY
        self.step(
            "join",
            fault,
            lambda: self.model.join(person, profession),
            lambda: inventory.profession_join(player_id=person.id, profession_id=profession),
        )

    @rule(who=WHO, what=WHAT, chance=CHANCES, fault=FAULTS)
    def gather(self, who: int, what: int, chance: Chance, fault: Fault) -> None:
        person, resource = self.person(who), self.resource(what)
        with patch.object(randomness, "_source", Loaded(chance)):
            self.step(
                "gather",
                fault,
                lambda: self.model.gather(person, resource, chance),
                lambda: inventory.resource_gather(player_id=person.id, resource_id=resource),
            )

    @rule(who=WHO, which=MAKING, attempts=AMOUNTS, chance=CHANCES, fault=FAULTS)
    def craft(self, who: int, which: int, attempts: int, chance: Chance, fault: Fault) -> None:
        person, recipe = self.person(who), recipe_id(RECIPES[which]) if which < len(RECIPES) else NOBODY
        with patch.object(randomness, "_source", Loaded(chance)):
            self.step(
                "craft",
                fault,
                lambda: self.model.craft(person, recipe, attempts, chance),
                lambda: inventory.recipe_craft(player_id=person.id, recipe_id=recipe, attempts=attempts),
            )

    @rule(who=WHO, what=WHAT, quantity=AMOUNTS, price=PRICES, fault=FAULTS)
    def offer(self, who: int, what: int, quantity: int, price: int, fault: Fault) -> None:
        person, resource, now = self.person(who), self.resource(what), self.now
        self.step(
            "offer",
            fault,
            lambda: self.model.offer(person, resource, quantity, price, now),
            lambda: market.listing_create(
                seller_id=person.id, resource_id=resource, quantity=quantity, unit_price=price
            ),
        )

    @rule(who=WHO, which=LOTS, quantity=some.none() | AMOUNTS, fault=FAULTS)
    def buy(self, who: int, which: int, quantity: int | None, fault: Fault) -> None:
        person, listing = self.person(who), self.lot(which)
        self.step(
            "buy",
            fault,
            lambda: self.model.buy(person, listing, quantity, self.now),
            lambda: market.listing_buy(buyer_id=person.id, listing_id=listing, quantity=quantity),
        )

    @rule(who=WHO, which=LOTS, fault=FAULTS)
    def cancel(self, who: int, which: int, fault: Fault) -> None:
        person, listing = self.person(who), self.lot(which)
        self.step(
            "cancel",
            fault,
            lambda: self.model.cancel(person, listing),
            lambda: market.listing_cancel(player_id=person.id, listing_id=listing),
        )

    def _ends(self) -> list[datetime]:
        """When the listings run out that are still open."""
        return [lot.ends for lot in self.model.lots.values() if lot.status == "active"]

    @precondition(lambda self: bool(self._ends()))
    @rule(days=some.sampled_from([1, 3, 7]))
    def time_passes(self, days: int) -> None:
        self.now += timedelta(days=days)

    @precondition(lambda self: min(self._ends(), default=self.now) < self.now + timedelta(days=2))
    @rule(fault=FAULTS)
    def expire(self, fault: Fault) -> None:
        """A sweep that was undone in the middle leaves its work to the next one."""
        self.sound = False
        with clock(self.now):
            closed = fault.run(market.listings_expire)
            if closed.undone:
                market.listings_expire()
        expected = self.model.expire(self.now)
        assert closed.undone or closed.answer == expected
        self.last = "undone" if closed.undone else "done"
        seen["expire", self.last] += 1
        self.touched = True

    @rule(
        who=WHO | some.none(),
        coins=some.sampled_from([0, 1, 1000, -1, MOST]),
        items=some.dictionaries(
            some.sampled_from([RESOURCES[0], RESOURCES[4], "no-such-thing"]),
            some.sampled_from([1, 9, 30, 0, MOST]),
            max_size=2,
        ),
        fault=FAULTS,
    )
    def give(self, who: int | None, coins: int, items: dict[str, int], fault: Fault) -> None:
        login = "nobody" if who is None else self.person(who).login
        self.step(
            "grant",
            fault,
            lambda: self.model.grant(login, coins, items),
            lambda: inventory.player_grant(login=login, coins=coins, items=items),
        )

    # --- What must hold ---------------------------------------------------------------------------------------

    @invariant()
    def all_is_well(self) -> None:
        """The audit is asked where something may have changed: the model sees that a refusal changed nothing."""
        self.sound = False
        assert stored(list(self.model.people)) == told(self.model)
        if self.touched:
            report = economy.audit()
            assert report.ok, report.problems
        self.sound = True

    def teardown(self) -> None:
        """No game's listings run out in the next one; and the next one does not begin with what this one broke."""
        if self.sound:
            self.now += timedelta(days=8)
            self.expire(Fault())
            self.all_is_well()
            Game.spoilt = False
