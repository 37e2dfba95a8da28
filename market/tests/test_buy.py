"""POST /api/market/listings/{id}/buy: a part of a listing, or all that remains."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from accounts.models import MAX_AMOUNT, LedgerEntry, LedgerTransfer
from bcraftd.errors import Refusal
from bcraftd.idempotency import Kept, Key, lock_number
from inventory.models import ItemMovement
from inventory.tests.support import at_once, clock
from market.models import Listing, Trade
from market.services import listing_buy, listings_expire
from market.tests.support import assert_conserved, economy, runs_out
from tests.support import Api, assert_problem, resource_id, setting

PATH = "/api/market/listings"


@pytest.fixture
def offer(ada: Api) -> dict[str, Any]:
    """Twenty logs at 30 coins each."""
    ada.grant(mutterwood_log=20)
    return ada.sells("mutterwood-log", 20, 30)


def test_a_part_is_bought_and_the_rest_stays_up(offer: dict[str, Any], ada: Api, bob: Api) -> None:
    answer = bob.post(f"{PATH}/{offer['id']}/buy", quantity=7)

    assert answer.status_code == 200
    trade = Trade.objects.get()
    assert answer.json() == {
        "status": "success",
        "trade": {
            "id": trade.pk,
            "listing_id": offer["id"],
            "resource_id": offer["resource_id"],
            "buyer_id": bob.id,
            "seller_id": ada.id,
            "quantity": 7,
            "unit_price": 30,
            "total_price": 210,
            "fee": 10,
            "created_at": trade.created_at.isoformat(timespec="microseconds").replace("+00:00", "Z"),
        },
        "coins": 790,
    }
    listing = Listing.objects.get()
    assert (listing.status, listing.remaining, listing.quantity, listing.closed_at) == ("active", 13, 20, None)
    assert (bob.coins(), ada.coins()) == (790, 1200)
    assert (bob.holds("mutterwood-log"), ada.holds("mutterwood-log")) == (7, 0)
    assert_conserved()


def test_all_that_remains_is_bought_where_no_number_is_said(offer: dict[str, Any], bob: Api) -> None:
    bob.post(f"{PATH}/{offer['id']}/buy", quantity=3)

    answer = bob.post(f"{PATH}/{offer['id']}/buy")

    assert answer.json()["trade"]["quantity"] == 17
    listing = Listing.objects.get()
    assert (listing.status, listing.remaining) == ("sold", 0)
    assert listing.closed_at == Trade.objects.latest("pk").created_at
    assert bob.holds("mutterwood-log") == 20


def test_a_purchase_is_on_every_record(offer: dict[str, Any], ada: Api, bob: Api) -> None:
    bob.post(f"{PATH}/{offer['id']}/buy", quantity=10)

    reference = f"trade:{Trade.objects.get().pk}"
    transfer = LedgerTransfer.objects.get(reason="trade")
    assert transfer.reference == reference
    entries = LedgerEntry.objects.filter(transfer=transfer).values_list("player_id", "system_account", "amount")
    assert set(entries) == {(bob.id, "", -300), (ada.id, "", 285), (None, "market_fee", 15)}
    movement = ItemMovement.objects.latest("pk")
    assert (movement.player_id, movement.quantity, movement.reason) == (bob.id, 10, "purchase")
    assert movement.reference == reference
    bought, sold = (player.get("/api/auth/me").json()["statistics"] for player in (bob, ada))
    assert (bought["purchases_count"], bought["purchases_value"], bought["sales_count"]) == (1, 300, 0)
    assert (sold["sales_count"], sold["sales_value"], sold["purchases_count"]) == (1, 300, 0)


@pytest.mark.parametrize(
    ("quantity", "unit_price", "fee"),
    [(1, 1, 0), (19, 1, 0), (20, 1, 1), (1, 39, 1), (2, 20, 2), (3, 33, 4), (10**6, 10**9, 5 * 10**13)],
)
def test_the_total_is_exact_and_the_fee_is_rounded_down(
    ada: Api, bob: Api, quantity: int, unit_price: int, fee: int
) -> None:
    ada.grant(mutterwood_log=quantity)
    bob.grant(coins=10**15)
    made = ada.sells("mutterwood-log", quantity, unit_price)

    trade = bob.post(f"{PATH}/{made['id']}/buy").json()["trade"]

    total = quantity * unit_price
    assert (trade["total_price"], trade["fee"]) == (total, fee)
    assert (bob.coins(), ada.coins()) == (1000 + 10**15 - total, 1000 + total - fee)
    assert_conserved()


@pytest.mark.parametrize(("percent", "fee"), [(0, 0), (100, 600)])
def test_the_fee_may_be_nothing_or_everything(
    offer: dict[str, Any], ada: Api, bob: Api, percent: int, fee: int
) -> None:
    with setting(MARKET_FEE_PERCENT=percent):
        assert bob.post(f"{PATH}/{offer['id']}/buy").json()["trade"]["fee"] == fee

    assert ada.coins() == 1000 + 600 - fee
    assert_conserved()


def test_more_than_remains_cannot_be_bought(offer: dict[str, Any], bob: Api) -> None:
    bob.post(f"{PATH}/{offer['id']}/buy", quantity=5)
    before = economy()

    for quantity in (16, 10**6):
        answer = bob.post(f"{PATH}/{offer['id']}/buy", quantity=quantity)
        assert_problem(answer, 409, "insufficient_items", says="15 remain")

    assert economy() == before
    assert bob.post(f"{PATH}/{offer['id']}/buy", quantity=15).status_code == 200


def test_nobody_buys_from_oneself(offer: dict[str, Any], ada: Api) -> None:
    before = economy()

    assert_problem(ada.post(f"{PATH}/{offer['id']}/buy", quantity=1), 409, "own_listing", says="Cancel it")

    assert economy() == before


def test_who_has_too_few_coins_cannot_buy(offer: dict[str, Any], ada: Api, bob: Api) -> None:
    ada.grant(mutterwood_log=1)
    dear = ada.sells("mutterwood-log", 1, 1001)
    exact = ada.post(PATH, resource_id=offer["resource_id"], quantity=1, unit_price=1000)
    assert_problem(exact, 409, "insufficient_items")
    before = economy()

    assert_problem(bob.post(f"{PATH}/{dear['id']}/buy"), 409, "insufficient_coins")

    assert economy() == before
    bob.grant(coins=1)
    assert bob.post(f"{PATH}/{dear['id']}/buy").json()["coins"] == 0, "the last coin may be spent"


@pytest.mark.parametrize("how", ["sold", "cancelled", "expired", "overdue"])
def test_what_is_closed_or_has_run_out_cannot_be_bought(
    offer: dict[str, Any], ada: Api, bob: Api, sign_up: Callable[..., Api], how: str
) -> None:
    if how == "sold":
        assert sign_up("eve").post(f"{PATH}/{offer['id']}/buy").status_code == 200
    elif how == "cancelled":
        assert ada.post(f"{PATH}/{offer['id']}/cancel").status_code == 200
    else:
        runs_out(offer["id"], seconds=-1)
        if how == "expired":
            assert listings_expire() == 1
    before = economy()

    for body in ({}, {"quantity": 1}, {"quantity": 10**6}):
        answer = bob.post(f"{PATH}/{offer['id']}/buy", **body)
        assert_problem(answer, 409, "listing_not_active", says="sold, cancelled or has run out")

    assert economy() == before


def test_a_seller_can_be_too_rich_to_sell(offer: dict[str, Any], ada: Api, bob: Api) -> None:
    ada.grant(coins=MAX_AMOUNT - 1000 - 95)
    before = economy()

    # Four sell for 120, of which 114 would come in; there is room for 95.
    assert_problem(bob.post(f"{PATH}/{offer['id']}/buy", quantity=4), 409, "balance_limit")

    assert economy() == before
    # Three sell for 90, of which 86 come in.
    assert bob.post(f"{PATH}/{offer['id']}/buy", quantity=3).status_code == 200
    assert ada.coins() == MAX_AMOUNT - 95 + 86
    assert_conserved()


def test_a_sale_may_fill_a_balance_to_the_last_coin(ada: Api, bob: Api) -> None:
    ada.grant(coins=MAX_AMOUNT - 1000 - 95, mutterwood_log=2)
    full = ada.sells("mutterwood-log", 1, 100)
    more = ada.sells("mutterwood-log", 1, 1)

    assert bob.post(f"{PATH}/{full['id']}/buy").status_code == 200
    assert ada.coins() == MAX_AMOUNT
    assert_problem(bob.post(f"{PATH}/{more['id']}/buy"), 409, "balance_limit")


def test_a_buyer_can_hold_too_many_to_buy(offer: dict[str, Any], bob: Api) -> None:
    bob.grant(mutterwood_log=MAX_AMOUNT - 1)
    before = economy()

    assert_problem(bob.post(f"{PATH}/{offer['id']}/buy", quantity=2), 409, "balance_limit")

    assert economy() == before
    assert bob.post(f"{PATH}/{offer['id']}/buy", quantity=1).status_code == 200


def test_wrong_types_and_values_are_refused_and_change_nothing(offer: dict[str, Any], bob: Api) -> None:
    before = economy()
    wrong: list[Any] = [0, -1, 10**6 + 1, 10**30, True, False, "1", 1.0, 0.5, None, [], {}, "\x00", "\ud800"]

    for value in wrong:
        assert_problem(bob.post(f"{PATH}/{offer['id']}/buy", quantity=value), 400, "invalid", "quantity")
    assert_problem(bob.post(f"{PATH}/{offer['id']}/buy", amount=1), 400, "invalid", "amount")
    assert_problem(bob.post(f"{PATH}/{offer['id']}/buy?quantity=1"), 400, "invalid", "quantity")
    assert_problem(bob.call("POST", f"{PATH}/{offer['id']}/buy", [1]), 400, "invalid")

    assert economy() == before


def test_no_body_at_all_buys_all_that_remains(offer: dict[str, Any], bob: Api) -> None:
    assert bob.call("POST", f"{PATH}/{offer['id']}/buy").json()["trade"]["quantity"] == 20


def test_an_unknown_listing_is_not_found(bob: Api) -> None:
    for unknown in (1, 2**63 - 1):
        assert_problem(bob.post(f"{PATH}/{unknown}/buy", quantity=1), 404, "not_found", says=unknown)


def test_a_malformed_idempotency_key_is_refused(offer: dict[str, Any], bob: Api) -> None:
    before = economy()

    for key in ("", "a b", "ä", "x" * 256):
        answer = bob.call("POST", f"{PATH}/{offer['id']}/buy", {"quantity": 1}, Idempotency_Key=key)
        assert_problem(answer, 400, "invalid", "Idempotency-Key")

    assert economy() == before


def test_a_well_formed_idempotency_key_is_accepted(offer: dict[str, Any], bob: Api) -> None:
    for key in ("k", "~" * 255):
        answer = bob.call("POST", f"{PATH}/{offer['id']}/buy", {"quantity": 1}, Idempotency_Key=key)
        assert answer.status_code == 200


def test_only_players_buy(offer: dict[str, Any], api: Api) -> None:
    before = economy()

    assert_problem(api.post(f"{PATH}/{offer['id']}/buy"), 401, "not_authenticated")
    assert_problem(Api("nonsense").post(f"{PATH}/{offer['id']}/buy"), 401, "token_invalid")

    assert economy() == before


@pytest.mark.parametrize("keyed", [{}, {"Idempotency_Key": "once"}], ids=["without a key", "under a key"])
def test_a_purchase_is_three_round_trips_to_postgresql(offer: dict[str, Any], bob: Api, keyed: dict[str, Any]) -> None:
    with CaptureQueriesContext(connection) as captured:
        answer = bob.call("POST", f"{PATH}/{offer['id']}/buy", {"quantity": 1}, **keyed)

    assert answer.status_code == 200
    begin, call, commit = [row["sql"] for row in captured.captured_queries]
    assert (begin, commit) == ("BEGIN", "COMMIT")
    assert call.startswith("SELECT outcome, detail, body FROM market_buy(")


def test_a_listing_can_be_bought_until_the_moment_that_it_runs_out(offer: dict[str, Any], bob: Api) -> None:
    end = Listing.objects.get().expires_at

    with clock(end - timedelta(seconds=5)):
        assert bob.post(f"{PATH}/{offer['id']}/buy", quantity=1).status_code == 200
    with clock(end):
        assert_problem(bob.post(f"{PATH}/{offer['id']}/buy", quantity=1), 409, "listing_not_active")


def test_a_key_makes_a_purchase_once(offer: dict[str, Any], ada: Api, bob: Api, sign_up: Callable[..., Api]) -> None:
    def buy(buyer: Api, call: str = "a call", key: str = "a key") -> Kept:
        return listing_buy(buyer_id=buyer.id, listing_id=offer["id"], quantity=2, once=Key(key, call))

    first, again = buy(bob), buy(bob)

    assert (first.status, first.replayed) == (200, False)
    assert again == Kept(200, first.body, replayed=True)
    with pytest.raises(Refusal) as refused:
        buy(bob, call="another call")
    assert (refused.value.code, refused.value.detail) == (
        "idempotency_key_reused", "The key was used for another call.",
    )  # fmt: skip
    assert Listing.objects.get().remaining == 18
    # Another key, and the same one of another player, are others.
    assert not buy(bob, key="another key").replayed
    assert not buy(sign_up("cyd")).replayed
    assert Listing.objects.get().remaining == 14


def test_a_key_whose_first_call_runs_is_refused(offer: dict[str, Any], bob: Api) -> None:
    def buy(key: str) -> Kept:
        return listing_buy(buyer_id=bob.id, listing_id=offer["id"], quantity=1, once=Key(key, "a call"))

    with transaction.atomic():
        buy("taken")
        assert _held_by_us() == [lock_number(bob.id, "taken")]
        assert at_once(lambda: _code_of(lambda: buy("taken"))) == ["idempotency_in_progress"]


def _code_of(call: Callable[[], Any]) -> str:
    with pytest.raises(Refusal) as refused:
        call()
    return refused.value.code


def _held_by_us() -> list[int]:
    """The numbers of the advisory locks that this transaction has."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT (classid::bigint << 32) | objid::bigint FROM pg_locks"
            " WHERE locktype = 'advisory' AND pid = pg_backend_pid()"
        )
        return [number for (number,) in cursor.fetchall()]


def test_a_purchase_drops_what_shows_it_and_nothing_else(
    offer: dict[str, Any], ada: Api, bob: Api, sign_up: Callable[..., Api]
) -> None:
    cyd = sign_up("cyd")
    pages = [PATH, f"{PATH}?resource_id={offer['resource_id']}", f"{PATH}?resource_id={resource_id('coughcoal')}"]

    def looks() -> list[str]:
        seen = [bob.get(page)["X-Cache"] for page in pages]
        return seen + [player.get("/api/inventory")["X-Cache"] for player in (bob, ada, cyd)]

    looks()
    assert looks() == ["HIT"] * 6

    listing_buy(buyer_id=bob.id, listing_id=offer["id"], quantity=2)

    assert looks() == ["MISS", "MISS", "HIT", "MISS", "HIT", "HIT"]
