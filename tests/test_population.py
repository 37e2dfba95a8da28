"""What is drawn for `populate`, without a database: lives that could have been played, the same for the same seed."""

import random
import re
from collections import Counter, defaultdict

from hypothesis import given, settings
from hypothesis import strategies as st

from bcraftd.leveling import experience_for
from bcraftd.population import names
from bcraftd.population.goods import Drawn, Goods, Product, by_zipf
from bcraftd.population.lives import LIFE, SOON, Draft, Terms, draw
from bcraftd.population.world import BATCH, Sizes

LOG, PLANK, CROWN, NAIL = 1, 2, 3, 4
SAWING = Product(PLANK, 20.0, pieces=1.8, experience=15, level=5, recipe_id=7, needs=((LOG, 3), (NAIL, 1)))
GOODS = Goods(
    by_zipf([10, 20]),
    {
        10: by_zipf([Product(LOG, 2.0, 3.0, 10), Product(CROWN, 20_000.0, 0.003, 100)]),
        20: Drawn([SAWING], [1.0]),
    },
)
TERMS = Terms(starting_coins=1000, fee_percent=5)


def drawn(seed: object, players: int, listings: int, terms: Terms = TERMS) -> Draft:
    return draw(random.Random(f"{seed}"), GOODS, terms, players=players, listings=listings)


sizes = st.tuples(st.integers(0, 10**6), st.integers(1, 30), st.integers(0, 90))
terms = st.builds(Terms, starting_coins=st.sampled_from([0, 1, 1000, 10**9]), fee_percent=st.sampled_from([0, 5, 100]))


@given(sizes, terms)
@settings(max_examples=60, deadline=None)
def test_at_no_moment_does_anybody_hold_less_than_nothing(size: tuple[int, int, int], terms: Terms) -> None:
    draft = drawn(*size, terms)
    holds: dict[tuple[int, int], int] = defaultdict(int)
    for movement in draft.movements:
        assert movement.quantity != 0
        holds[movement.player, movement.resource_id] += movement.quantity
        assert holds[movement.player, movement.resource_id] >= 0, movement
    kept = {(place, each): quantity for place, life in enumerate(draft.lives) for each, quantity in life.holds.items()}
    assert dict(holds) == kept


@given(sizes, terms)
@settings(max_examples=60, deadline=None)
def test_at_no_moment_does_anybody_spend_coins_that_are_not_there(size: tuple[int, int, int], terms: Terms) -> None:
    draft = drawn(*size, terms)
    coins = [terms.starting_coins + life.gift for life in draft.lives]
    for sale in sorted(draft.sales, key=lambda sale: sale.at):
        offer = draft.offers[sale.offer]
        total = sale.quantity * offer.price
        assert sale.fee == total * terms.fee_percent // 100
        assert sale.buyer != offer.seller
        assert offer.at <= sale.at <= min(offer.at + LIFE, 0)
        assert draft.lives[sale.buyer].born < sale.at
        coins[sale.buyer] -= total
        assert coins[sale.buyer] >= 0
        coins[offer.seller] += total - sale.fee
    assert coins == [life.coins for life in draft.lives]


@given(sizes)
@settings(max_examples=60, deadline=None)
def test_every_listing_is_in_the_state_that_its_sales_and_its_age_make(size: tuple[int, int, int]) -> None:
    draft = drawn(*size)
    sold: Counter[int] = Counter()
    for sale in draft.sales:
        sold[sale.offer] += sale.quantity
    assert len(draft.offers) == size[2]
    for place, offer in enumerate(draft.offers):
        assert offer.quantity - offer.remaining == sold[place]
        assert (offer.status == "sold") == (offer.remaining == 0)
        assert (offer.closed is None) == (offer.status == "active")
        # Nothing is overdue, not even a few minutes later when the last batch is written.
        assert (offer.status == "active") <= (offer.at + LIFE > SOON)
        assert offer.closed is None or offer.at <= offer.closed <= min(offer.at + LIFE, 0)
        assert draft.lives[offer.seller].born < offer.at
    returned = {each.of: each.quantity for each in draft.movements if each.reason == "escrow_return"}
    given_back = {n: each.remaining for n, each in enumerate(draft.offers) if each.status in ("cancelled", "expired")}
    assert returned == given_back


def test_what_is_crafted_is_crafted_by_who_may_and_from_what_the_recipe_takes() -> None:
    draft = drawn(1, 200, 1000)
    made = [each for each in draft.movements if each.reason == "craft_out"]
    used = Counter({LOG: 0, NAIL: 0})
    for each in draft.movements:
        if each.reason == "craft_in":
            assert each.of == SAWING.recipe_id
            used[each.resource_id] -= each.quantity
    assert made
    assert used[LOG] == 3 * used[NAIL]
    for each in made:
        assert draft.lives[each.player].experience[20] >= experience_for(SAWING.level)
    assert sum(each.quantity for each in made) == sum(life.crafted for life in draft.lives)


def test_a_seed_draws_the_same_again_and_another_one_something_else() -> None:
    assert drawn("a", 50, 200) == drawn("a", 50, 200)
    assert drawn("a", 50, 200) != drawn("b", 50, 200)


def test_in_a_large_world_there_is_some_of_everything_and_little_of_most() -> None:
    draft = drawn(5, 5_000, 10_000)
    states = Counter(offer.status for offer in draft.offers)
    assert set(states) == {"active", "sold", "cancelled", "expired"}
    assert all(800 < number < 4_500 for number in states.values()), states
    assert any(0 < offer.remaining < offer.quantity for offer in draft.offers)
    # The busiest hundredth of the players listed more than a tenth; half of all listed next to nothing.
    listed = sorted(Counter(offer.seller for offer in draft.offers).values(), reverse=True)
    assert sum(listed[:50]) > 1_000
    assert len(listed) < 4_000
    logs = [offer.price for offer in draft.offers if offer.resource_id == LOG]
    assert 1 <= min(logs) <= 2 <= max(logs) <= 8


def test_batches_add_up_and_none_is_without_players() -> None:
    for players, listings in [(1, 0), (1, 100), (99, 9_900), (10**6, 10**6), (123_457, 7), (500, 50_000)]:
        batches = Sizes(players, listings).batches()
        assert (sum(each for each, _ in batches), sum(each for _, each in batches)) == (players, listings)
        assert all(each >= min(players, 100) for each, _ in batches)
        assert all(each <= 2 * BATCH for batch in batches for each in batch)


def test_logins_are_ones_that_the_database_takes_and_no_number_has_anothers() -> None:
    chance = random.Random(3)
    made = [names.login(chance, number) for number in [*range(1, 5_000), 10**12 - 1]]
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{3,32}", each) for each in made)
    assert len({each.lower() for each in made}) == len(made)
