"""What one client does: draws what to do next, as whom, and does it until the run has enough."""

import random
from collections.abc import Callable
from dataclasses import replace

from tests.economy.client import Answer, Call, Player
from tests.economy.ground import TRADES, Ground, Trade
from tests.economy.scenes import contest, hung_up, opposed, twice

# A resource that there is not.
NOTHING = 10**9
# One call in so many is of another trade than the player's, and refused.
ASTRAY = 0.05


class Lane:
    """One client, with a connection of its own and draws of its own."""

    def __init__(self, ground: Ground, number: int) -> None:
        self._ground = ground
        self._chance = random.Random(f"{ground.seed}/{number}")
        self._line = ground.line()
        self._choices: dict[Callable[[], object], int] = {
            self._gather: 20,
            self._craft: 16,
            self._list: 18,
            self._buy: 26,
            self._cancel: 6,
            self._join: 1,
            self._oppose: 6,
            self._contest: 2,
            self._twice: 2,
            self._hang_up: 2,
        }

    def run(self, is_over: Callable[[], bool]) -> None:
        """To be run in a thread."""
        acts, weights = list(self._choices), list(self._choices.values())
        try:
            while not is_over():
                self._chance.choices(acts, weights)[0]()
        finally:
            self._line.close()

    def _player(self) -> Player:
        return self._chance.choice(self._ground.players)

    def _perform(self, call: Call) -> Answer:
        answer = self._ground.perform(self._line, call)
        if answer.good and call.key:
            self._ask_again(call, answer)
        return answer

    def _ask_again(self, call: Call, answer: Answer) -> None:
        """Now and then, after its answer: it has to be the same one; and another call under its key has none."""
        if self._chance.random() < 0.03:
            again = self._line.settle(call)
            if (again.status, again.body, again.replayed) != (answer.status, answer.body, True):
                self._ground.books.complain(f"{call}: answered {answer}, and then {again}")
            self._ground.count("repeated")
        if self._chance.random() < 0.01:
            other = self._line.settle(replace(call, path="/api/gather", body={"resource_id": NOTHING}))
            if other.code != "idempotency_key_reused":
                self._ground.books.complain(f"{call}: another call under its key is answered {other}")
            self._ground.count("misused")

    # --- What there is to do --------------------------------------------------------------------------------

    def _at_work(self) -> tuple[Player, Trade]:
        """A player and the trade that this one lives by, mostly."""
        player = self._player()
        return player, self._chance.choice(TRADES) if self._chance.random() < ASTRAY else self._ground.trade_of(player)

    def _gather(self) -> None:
        player, trade = self._at_work()
        self._perform(self._ground.gathering(player, self._chance.choice(trade.gathered)))

    def _craft(self) -> None:
        player, trade = self._at_work()
        self._perform(self._ground.crafting(player, self._chance.choice(trade.recipes), self._chance.randint(1, 4)))

    def _join(self) -> None:
        slug = self._chance.choice(list(self._ground.catalogue.professions))
        self._perform(self._ground.joining(self._player(), slug))

    def _list(self) -> None:
        seller, trade = self._at_work()
        slug = self._chance.choice((*trade.gathered, *trade.made))
        quantity, price = self._chance.randint(1, 10), self._chance.randint(1, 40)
        answer = self._perform(self._ground.listing(seller, slug, quantity, price))
        if answer.good:
            self._ground.put_up(answer.json()["id"], seller)

    def _buy(self) -> None:
        """A part or all of it; what is sold out is forgotten."""
        offer = self._ground.offered(self._chance)
        if offer is None:
            self._list()
            return
        quantity = self._chance.choice((None, None, 1, 2, 3, 5))
        answer = self._perform(self._ground.buying(self._player(), offer[0], quantity))
        if answer.code == "listing_not_active" or (answer.good and quantity is None):
            self._ground.take_down(offer[0])

    def _cancel(self) -> None:
        """Mostly by its seller."""
        offer = self._ground.offered(self._chance)
        if offer is not None:
            listing, seller = offer
            self._ground.take_down(listing)
            self._perform(self._ground.cancelling(self._player() if self._chance.random() < 0.1 else seller, listing))

    def _oppose(self) -> None:
        opposed(self._ground, self._chance.choice(self._ground.pairs))

    def _contest(self) -> None:
        contest(self._ground, self._chance, self._line)

    def _hang_up(self) -> None:
        hung_up(self._ground, self._chance, self._line)

    def _twice(self) -> None:
        player, trade = self._at_work()
        twice(self._ground, self._ground.gathering(player, self._chance.choice(trade.gathered)))
