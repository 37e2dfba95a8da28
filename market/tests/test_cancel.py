"""POST /api/market/listings/{id}/cancel: a listing off the market, what remains back to its seller."""

from typing import Any

import pytest

from accounts.models import MAX_AMOUNT
from inventory.models import ItemMovement
from market.models import Listing
from market.services import listing_cancel, listings_expire
from market.tests.support import assert_conserved, economy, runs_out
from tests.support import Api, assert_problem, queries, written

PATH = "/api/market/listings"


@pytest.fixture
def offer(ada: Api) -> dict[str, Any]:
    """Twenty of 25 logs, at 30 coins each."""
    ada.grant(mutterwood_log=25)
    return ada.sells("mutterwood-log", 20, 30)


def test_what_was_not_sold_comes_back(offer: dict[str, Any], ada: Api, bob: Api) -> None:
    bob.post(f"{PATH}/{offer['id']}/buy", quantity=8)
    assert ada.holds("mutterwood-log") == 5

    answer = ada.post(f"{PATH}/{offer['id']}/cancel")

    assert answer.status_code == 200
    assert answer.json() == {**offer, "status": "cancelled", "remaining": 12}
    assert ada.holds("mutterwood-log") == 17
    listing = Listing.objects.get()
    assert (listing.status, listing.remaining) == ("cancelled", 12)
    assert listing.closed_at is not None
    last = ItemMovement.objects.latest("pk")
    assert (last.quantity, last.reason, last.reference) == (12, "escrow_return", f"listing:{offer['id']}")
    assert_conserved()


def test_it_can_be_cancelled_only_once(offer: dict[str, Any], ada: Api) -> None:
    ada.post(f"{PATH}/{offer['id']}/cancel")
    before = economy()

    assert_problem(ada.post(f"{PATH}/{offer['id']}/cancel"), 409, "listing_not_active", says="closed already")

    assert economy() == before
    assert ada.holds("mutterwood-log") == 25


def test_what_is_cancelled_cannot_be_bought(offer: dict[str, Any], ada: Api, bob: Api) -> None:
    ada.post(f"{PATH}/{offer['id']}/cancel")

    assert_problem(bob.post(f"{PATH}/{offer['id']}/buy"), 409, "listing_not_active")
    assert bob.coins() == 1000


def test_only_its_seller_may_cancel(offer: dict[str, Any], bob: Api, api: Api) -> None:
    before = economy()

    assert_problem(bob.post(f"{PATH}/{offer['id']}/cancel"), 403, "permission_denied", says="its seller")
    assert_problem(api.post(f"{PATH}/{offer['id']}/cancel"), 401, "not_authenticated")

    assert economy() == before


def test_the_right_to_cancel_is_asked_before_the_status_is_told(offer: dict[str, Any], ada: Api, bob: Api) -> None:
    ada.post(f"{PATH}/{offer['id']}/cancel")

    assert_problem(bob.post(f"{PATH}/{offer['id']}/cancel"), 403, "permission_denied")


@pytest.mark.parametrize("how", ["sold", "expired"])
def test_what_is_sold_or_expired_stays_so(offer: dict[str, Any], ada: Api, bob: Api, how: str) -> None:
    if how == "sold":
        bob.post(f"{PATH}/{offer['id']}/buy")
    else:
        runs_out(offer["id"], seconds=-1)
        listings_expire()
    before = economy()

    assert_problem(ada.post(f"{PATH}/{offer['id']}/cancel"), 409, "listing_not_active")

    assert economy() == before


def test_an_overdue_one_may_be_cancelled_before_the_sweep_and_comes_back_once(offer: dict[str, Any], ada: Api) -> None:
    runs_out(offer["id"], seconds=-1)

    assert ada.post(f"{PATH}/{offer['id']}/cancel").json()["status"] == "cancelled"
    assert listings_expire() == 0

    assert ada.holds("mutterwood-log") == 25
    assert_conserved()


def test_an_operator_cancels_for_the_seller(offer: dict[str, Any], ada: Api, bob: Api) -> None:
    listing_cancel(player_id=bob.id, listing_id=offer["id"], as_operator=True)

    assert (ada.holds("mutterwood-log"), bob.holds("mutterwood-log")) == (25, 0)


def test_a_cancel_writes_how_and_when_it_was_closed_and_nothing_else_of_a_listing(
    offer: dict[str, Any], ada: Api
) -> None:
    with queries() as sql:
        ada.post(f"{PATH}/{offer['id']}/cancel")

    assert written(sql, Listing) == [{"status", "closed_at"}]


def test_a_seller_who_can_hold_no_more_keeps_the_listing(offer: dict[str, Any], ada: Api) -> None:
    ada.grant(mutterwood_log=MAX_AMOUNT - 5)
    before = economy()

    assert_problem(ada.post(f"{PATH}/{offer['id']}/cancel"), 409, "balance_limit")

    assert economy() == before


def test_unknown_listings_fields_and_keys_are_refused(offer: dict[str, Any], ada: Api) -> None:
    before = economy()

    for unknown in (offer["id"] + 1, 2**63 - 1):
        assert_problem(ada.post(f"{PATH}/{unknown}/cancel"), 404, "not_found", says=unknown)
    assert_problem(ada.post(f"{PATH}/{offer['id']}/cancel", quantity=1), 400, "invalid", "quantity")
    assert_problem(ada.post(f"{PATH}/{offer['id']}/cancel?force=true"), 400, "invalid", "force")
    for key in ("", "a b", "x" * 256):
        answer = ada.call("POST", f"{PATH}/{offer['id']}/cancel", Idempotency_Key=key)
        assert_problem(answer, 400, "invalid", "Idempotency-Key")

    assert economy() == before
