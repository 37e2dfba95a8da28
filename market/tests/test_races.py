"""Many at once, with real commits over several connections: coins and items are conserved, and nobody gets a 5xx."""

from collections import Counter
from collections.abc import Callable

from inventory.tests.support import at_once
from market.models import Listing, Trade
from market.tests.support import assert_conserved, ids
from tests.support import Api, resource_id

PATH = "/api/market/listings"


def _outcome(player: Api, path: str, **body: int) -> Callable[[], str]:
    """A call that gives "200" or the refusal's code."""

    def call() -> str:
        answer = player.post(path, **body)
        return answer.json()["code"] if answer.status_code >= 400 else str(answer.status_code)

    return call


def test_the_last_one_is_sold_once_though_twenty_want_it(ada: Api, sign_up: Callable[..., Api]) -> None:
    ada.grant(mutterwood_log=1)
    made = ada.sells("mutterwood-log", 1, 30)
    buyers = [sign_up(f"buyer-{number}") for number in range(20)]

    outcomes = Counter(at_once(*(_outcome(buyer, f"{PATH}/{made['id']}/buy") for buyer in buyers)))

    assert outcomes == {"200": 1, "listing_not_active": 19}
    assert sum(buyer.holds("mutterwood-log") for buyer in buyers) == 1
    assert sorted(buyer.coins() for buyer in buyers) == [970, *[1000] * 19]
    assert ada.coins() == 1029
    assert ids(ada.get(PATH)) == []
    assert_conserved()


def test_a_listing_gives_no_more_than_it_has(ada: Api, sign_up: Callable[..., Api]) -> None:
    ada.grant(mutterwood_log=10)
    made = ada.sells("mutterwood-log", 10, 5)
    buyers = [sign_up(f"buyer-{number}") for number in range(8)]

    outcomes = Counter(at_once(*(_outcome(buyer, f"{PATH}/{made['id']}/buy", quantity=3) for buyer in buyers)))

    # Three of threes; one remains, which is fewer than any of the others wants.
    assert outcomes == {"200": 3, "insufficient_items": 5}
    assert Listing.objects.get().remaining == 1
    assert ids(ada.get(f"{PATH}?resource_id={resource_id('mutterwood-log')}")) == [made["id"]]
    assert_conserved()


def test_coins_are_not_spent_twice(ada: Api, bob: Api) -> None:
    ada.grant(mutterwood_log=10)
    made = [ada.sells("mutterwood-log", 1, 300)["id"] for _ in range(10)]

    outcomes = Counter(at_once(*(_outcome(bob, f"{PATH}/{listing_id}/buy") for listing_id in made)))

    assert outcomes == {"200": 3, "insufficient_coins": 7}
    assert (bob.coins(), bob.holds("mutterwood-log")) == (100, 3)
    assert_conserved()


def test_items_are_not_listed_twice(ada: Api) -> None:
    ada.grant(mutterwood_log=10)
    body = {"resource_id": resource_id("mutterwood-log"), "quantity": 3, "unit_price": 5}

    outcomes = Counter(at_once(*(_outcome(ada, PATH, **body) for _ in range(8))))

    assert outcomes == {"201": 3, "insufficient_items": 5}
    assert ada.holds("mutterwood-log") == 1
    assert len(ids(ada.get(PATH))) == 3
    assert_conserved()


def test_two_players_who_buy_from_each_other_do_not_lock_each_other_out(ada: Api, bob: Api) -> None:
    ada.grant(mutterwood_log=40, coins=10_000)
    bob.grant(mutterwood_log=40, coins=10_000)
    of_ada, of_bob = ada.sells("mutterwood-log", 40, 7), bob.sells("mutterwood-log", 40, 9)

    def buys(buyer: Api, listing_id: int) -> Callable[[], Counter[str]]:
        call = _outcome(buyer, f"{PATH}/{listing_id}/buy", quantity=1)
        return lambda: Counter(call() for _ in range(10))

    outcomes = at_once(*[buys(ada, of_bob["id"]), buys(bob, of_ada["id"])] * 3)

    assert sum(outcomes, Counter()) == {"200": 60}
    assert (ada.holds("mutterwood-log"), bob.holds("mutterwood-log")) == (30, 30)
    assert Trade.objects.count() == 60
    assert_conserved()


def test_a_purchase_and_a_cancel_at_once_give_the_items_to_one_of_them(ada: Api, bob: Api) -> None:
    ada.grant(mutterwood_log=8)
    for _ in range(8):
        made = ada.sells("mutterwood-log", 1, 5)["id"]

        outcomes = at_once(_outcome(bob, f"{PATH}/{made}/buy"), _outcome(ada, f"{PATH}/{made}/cancel"))

        assert sorted(outcomes) == ["200", "listing_not_active"]
        assert Listing.objects.get(pk=made).status == ("sold" if outcomes[0] == "200" else "cancelled")
        assert_conserved()


def test_selling_listing_and_cancelling_all_at_once_loses_nothing(ada: Api, bob: Api) -> None:
    ada.grant(mutterwood_log=60, coins=5000)
    bob.grant(mutterwood_log=60, coins=5000)
    listed = [player.sells("mutterwood-log", 5, 3)["id"] for player in (ada, bob) for _ in range(4)]
    body = {"resource_id": resource_id("mutterwood-log"), "quantity": 5, "unit_price": 4}

    calls = [_outcome(player, f"{PATH}/{pk}/buy", quantity=3) for pk in listed for player in (ada, bob)]
    calls += [_outcome(ada, f"{PATH}/{pk}/cancel") for pk in listed[:4]]
    calls += [_outcome(player, PATH, **body) for player in (ada, bob)]
    outcomes = Counter(at_once(*calls))

    assert set(outcomes) <= {"200", "201", "own_listing", "listing_not_active", "insufficient_items"}
    assert outcomes["own_listing"] == 8
    assert_conserved()
