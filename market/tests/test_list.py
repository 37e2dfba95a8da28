"""POST /api/market/listings: putting items up for sale."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from inventory.models import ItemMovement, Resource
from market.models import Listing
from market.tests.support import assert_conserved, economy
from tests.support import Api, assert_problem, resource_id

PATH = "/api/market/listings"


def _body(**other: Any) -> dict[str, Any]:
    return {"resource_id": resource_id("mutterwood-log"), "quantity": 2, "unit_price": 30, **other}


def test_items_leave_the_inventory_for_escrow_at_once(ada: Api) -> None:
    ada.grant(mutterwood_log=20)
    assert ada.holds("mutterwood-log") == 20

    answer = ada.post(PATH, **_body(quantity=15))

    assert answer.status_code == 201
    made = answer.json()
    assert made == {
        "id": Listing.objects.get().pk,
        "resource_id": resource_id("mutterwood-log"),
        "resource_name": Resource.objects.get(slug="mutterwood-log").name,
        "seller_id": ada.id,
        "seller_login": "ada",
        "quantity": 15,
        "remaining": 15,
        "unit_price": 30,
        "status": "active",
        "created_at": made["created_at"],
        "expires_at": made["expires_at"],
    }
    life = datetime.fromisoformat(made["expires_at"]) - datetime.fromisoformat(made["created_at"])
    assert life == timedelta(days=7)
    assert ada.holds("mutterwood-log") == 5
    last = ItemMovement.objects.latest("pk")
    assert (last.quantity, last.reason, last.reference) == (-15, "escrow", f"listing:{made['id']}")
    assert ada.coins() == 1000, "listing costs nothing"
    assert_conserved()


def test_who_owns_nothing_cannot_list(ada: Api, bob: Api) -> None:
    bob.grant(mutterwood_log=9)
    before = economy()

    assert_problem(ada.post(PATH, **_body()), 409, "insufficient_items")

    assert economy() == before


def test_no_more_can_be_listed_than_is_held(ada: Api) -> None:
    ada.grant(mutterwood_log=2)
    before = economy()

    assert_problem(ada.post(PATH, **_body(quantity=3)), 409, "insufficient_items")
    assert economy() == before

    assert ada.post(PATH, **_body(quantity=2)).status_code == 201
    assert_problem(ada.post(PATH, **_body(quantity=1)), 409, "insufficient_items")


def test_what_may_not_be_traded_cannot_be_listed(ada: Api) -> None:
    ada.grant(waking_bell=1)
    before = economy()

    answer = ada.post(PATH, **_body(resource_id=resource_id("waking-bell"), quantity=1))

    assert_problem(answer, 409, "not_tradeable", says=Resource.objects.get(slug="waking-bell").name)
    assert economy() == before


@pytest.mark.parametrize("unknown", [999_999, 2**63 - 1])
def test_an_unknown_resource_is_not_found(ada: Api, unknown: int) -> None:
    assert_problem(ada.post(PATH, **_body(resource_id=unknown)), 404, "not_found", says=unknown)


def test_the_smallest_and_the_largest_offer_are_taken(ada: Api) -> None:
    ada.grant(mutterwood_log=10**6 + 1)

    for quantity, unit_price in ((10**6, 10**9), (1, 1)):
        made = ada.post(PATH, **_body(quantity=quantity, unit_price=unit_price)).json()
        assert (made["quantity"], made["remaining"], made["unit_price"]) == (quantity, quantity, unit_price)
    assert_conserved()


WRONG: list[Any] = [0, -1, True, "1", 1.0, 1.5, None, [], {}, [1], 10**30, -(10**30), "", "\x00", "\ud800"]


def test_wrong_types_and_values_are_refused_and_change_nothing(ada: Api) -> None:
    ada.grant(mutterwood_log=10)
    before = economy()

    for field, more in (("resource_id", [2**63]), ("quantity", [10**6 + 1]), ("unit_price", [10**9 + 1])):
        for value in [*WRONG, *more]:
            answer = ada.post(PATH, **_body(**{field: value}))
            assert_problem(answer, 400, "invalid", field)
        body = _body()
        del body[field]
        assert_problem(ada.post(PATH, **body), 400, "invalid", field)
    assert_problem(ada.post(PATH, **_body(seller_id=1)), 400, "invalid", "seller_id")
    assert_problem(ada.post(f"{PATH}?quantity=1", **_body()), 400, "invalid", "quantity")

    assert economy() == before


BAD_BODIES = [
    (b"[]", "invalid"),
    (b"null", "invalid"),
    (b"", "invalid"),
    (b"{", "parse_error"),
    (b'{"quantity":1,"quantity":1}', "parse_error"),
    (b'{"quantity":NaN}', "parse_error"),
    (b'{"quantity":' + b"[" * 40 + b"]" * 40 + b"}", "parse_error"),
    (b'{"quantity":"\xff"}', "parse_error"),
]


def test_a_body_that_is_no_object_is_refused(ada: Api) -> None:
    for raw, code in BAD_BODIES:
        assert_problem(ada.call("POST", PATH, raw=raw), 400, code)


def test_a_malformed_idempotency_key_is_refused(ada: Api) -> None:
    ada.grant(mutterwood_log=2)
    before = economy()

    for key in ("", " ", "a b", "é", "x" * 256, "a\tb"):
        answer = ada.call("POST", PATH, _body(), Idempotency_Key=key)
        assert_problem(answer, 400, "invalid", "Idempotency-Key")

    assert economy() == before


def test_a_well_formed_idempotency_key_is_accepted(ada: Api) -> None:
    ada.grant(mutterwood_log=8)

    for key in ("!", "x" * 255, "~", "6f1c-4d"):
        assert ada.call("POST", PATH, _body(), Idempotency_Key=key).status_code == 201


def test_only_players_list(api: Api) -> None:
    assert_problem(api.post(PATH, **_body()), 401, "not_authenticated")
    assert_problem(Api("nonsense").post(PATH, **_body()), 401, "token_invalid")
    assert Listing.objects.count() == 0
