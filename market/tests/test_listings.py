"""GET /api/market/listings: what is for sale."""

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest

from market.models import Listing
from market.tests.support import ids, runs_out
from tests.support import Api, assert_problem, resource_id

PATH = "/api/market/listings"


@pytest.fixture
def stall(ada: Api, bob: Api) -> dict[str, int]:
    """Four offers of two sellers; the dictionary names their ids."""
    ada.grant(mutterwood_log=50, yawnwort=50)
    bob.grant(mutterwood_log=50)
    return {
        "dear wood": ada.sells("mutterwood-log", 3, 30)["id"],
        "cheap wood": bob.sells("mutterwood-log", 4, 10)["id"],
        "herbs": ada.sells("yawnwort", 5, 20)["id"],
        "as cheap wood": ada.sells("mutterwood-log", 6, 10)["id"],
    }


def test_a_listing_is_shown_with_all_that_a_buyer_needs(ada: Api, api: Api) -> None:
    ada.grant(mutterwood_log=9)
    made = ada.sells("mutterwood-log", 9, 30)

    body = api.get(PATH).json()

    row = Listing.objects.get()
    assert body == {"source": "database", "listings": [made], "next": None}
    assert made == {
        "id": row.pk,
        "resource_id": resource_id("mutterwood-log"),
        "resource_name": row.resource.name,
        "seller_id": ada.id,
        "seller_login": "ada",
        "quantity": 9,
        "remaining": 9,
        "unit_price": 30,
        "status": "active",
        "created_at": row.created_at.isoformat(timespec="microseconds").replace("+00:00", "Z"),
        "expires_at": row.expires_at.isoformat(timespec="microseconds").replace("+00:00", "Z"),
    }


ORDERINGS = [
    ("", ["cheap wood", "as cheap wood", "herbs", "dear wood"]),
    ("ordering=unit_price", ["cheap wood", "as cheap wood", "herbs", "dear wood"]),
    ("ordering=-unit_price", ["dear wood", "herbs", "as cheap wood", "cheap wood"]),
    ("ordering=created_at", ["dear wood", "cheap wood", "herbs", "as cheap wood"]),
    ("ordering=-created_at", ["as cheap wood", "herbs", "cheap wood", "dear wood"]),
]
FILTERS = [
    ("resource_id={wood}", ["cheap wood", "as cheap wood", "dear wood"]),
    ("resource_id={herbs}", ["herbs"]),
    ("resource_id=9223372036854775807", []),
    ("seller_id={ada}", ["as cheap wood", "herbs", "dear wood"]),
    ("seller_id={bob}", ["cheap wood"]),
    ("seller_id=9223372036854775807", []),
    ("min_price=20", ["herbs", "dear wood"]),
    ("min_price=21", ["dear wood"]),
    ("max_price=20", ["cheap wood", "as cheap wood", "herbs"]),
    ("max_price=9", []),
    ("min_price=0&max_price=1000000000", ["cheap wood", "as cheap wood", "herbs", "dear wood"]),
    ("min_price=20&max_price=10", []),
    ("resource_id={wood}&seller_id={ada}&min_price=10&max_price=10", ["as cheap wood"]),
    ("limit=1", ["cheap wood"]),
    ("limit=100", ["cheap wood", "as cheap wood", "herbs", "dear wood"]),
]


@pytest.mark.parametrize("table", [ORDERINGS, FILTERS], ids=["orderings, ties by id", "filters"])
def test_the_query_decides_what_is_shown_and_in_which_order(
    stall: dict[str, int], ada: Api, bob: Api, api: Api, table: list[tuple[str, list[str]]]
) -> None:
    places = {"wood": resource_id("mutterwood-log"), "herbs": resource_id("yawnwort"), "ada": ada.id, "bob": bob.id}

    for query, expected in table:
        found = ids(api.get(f"{PATH}?{query.format(**places)}"))
        assert found == [stall[name] for name in expected], query


def test_fifty_are_on_a_page_unless_said_otherwise(ada: Api, api: Api) -> None:
    ada.grant(mutterwood_log=51)
    wood = resource_id("mutterwood-log")
    Listing.objects.bulk_create(
        Listing(seller_id=ada.id, resource_id=wood, quantity=1, remaining=1, unit_price=5) for _ in range(51)
    )

    page = api.get(PATH).json()

    assert len(page["listings"]) == 50
    assert len(api.get(f"{PATH}?cursor={page['next']}").json()["listings"]) == 1
    assert len(api.get(f"{PATH}?limit=100").json()["listings"]) == 51


BAD_QUERIES = [
    ("ordering=price", "ordering"),
    ("ordering=", "ordering"),
    ("ordering=unit_price&ordering=unit_price", "ordering"),
    ("limit=0", "limit"),
    ("limit=101", "limit"),
    ("limit=-1", "limit"),
    ("limit=1.0", "limit"),
    ("limit=1e1", "limit"),
    ("limit=true", "limit"),
    ("limit=" + "9" * 31, "limit"),
    ("limit=%C2%B2", "limit"),
    ("min_price=-1", "min_price"),
    ("max_price=1000000001", "max_price"),
    ("min_price=", "min_price"),
    ("resource_id=0", "resource_id"),
    ("resource_id=9223372036854775808", "resource_id"),
    ("resource_id=all", "resource_id"),
    ("resource_id=1%00", "resource_id"),
    ("seller_id=ada", "seller_id"),
    ("seller_id=-5", "seller_id"),
    ("cursor=", "cursor"),
    ("cursor=%00", "cursor"),
    ("cursor=" + "A" * 513, "cursor"),
    ("page=2", "page"),
    ("Limit=5", "Limit"),
    ("offset=5", "offset"),
]


def test_a_bad_query_is_refused_with_its_field(api: Api) -> None:
    for query, field in BAD_QUERIES:
        assert_problem(api.get(f"{PATH}?{query}"), 400, "invalid", field)


def _cursor(*parts: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).decode().rstrip("=")


BAD_CURSORS = [
    "nonsense",
    "%F0%9F%98%80",
    "%ED%A0%80",
    "W10",
    "W10=====",
    base64.urlsafe_b64encode(b"[" * 380).decode().rstrip("="),
    base64.urlsafe_b64encode(b'["unit_price,id",' + b"1" * 330 + b",1]").decode().rstrip("="),
    _cursor(1, 2, 3),
    _cursor("unit_price,id"),
    _cursor("unit_price,id", 10),
    _cursor("unit_price,id", 10, 1, 1),
    _cursor("unit_price,id", 10, "1"),
    _cursor("unit_price,id", 10.0, 1),
    _cursor("unit_price,id", 10, True),
    _cursor("unit_price,id", 10, 2**63),
    _cursor("unit_price,id", None, 1),
    _cursor("unit_price,id", "2026-01-01T00:00:00+00:00", 1),
    _cursor("-unit_price,-id", 10, 1),
    _cursor("seller__password,id", 10, 1),
]


def test_a_bad_cursor_is_refused(api: Api) -> None:
    for cursor in BAD_CURSORS:
        assert_problem(api.get(f"{PATH}?cursor={cursor}"), 400, "invalid", "cursor")


BAD_MOMENTS = [
    "0001-01-01T00:00:00+23:59",
    0,
    "yesterday",
    "2026-01-01",
    "2026-01-01T00:00:00",
    "2026-13-01T00:00:00+00:00",
    "\ud800",
    None,
]


def test_a_cursor_by_time_wants_a_time_that_there_is(api: Api) -> None:
    for moment in BAD_MOMENTS:
        cursor = _cursor("created_at,id", moment, 1)
        assert_problem(api.get(f"{PATH}?ordering=created_at&cursor={cursor}"), 400, "invalid", "cursor")


def test_a_cursor_at_either_end_of_time_finds_what_lies_behind_it(stall: dict[str, int], api: Api) -> None:
    first, last = (
        _cursor("created_at,id", day, 1) for day in ("0001-01-01T00:00:00+00:00", "9999-12-31T23:59:59+00:00")
    )

    assert ids(api.get(f"{PATH}?ordering=created_at&cursor={first}")) == list(stall.values())
    assert ids(api.get(f"{PATH}?ordering=created_at&cursor={last}")) == []


def test_a_cursor_of_another_ordering_is_refused(stall: dict[str, int], api: Api) -> None:
    cursor = api.get(f"{PATH}?limit=1").json()["next"]

    for other in ("-unit_price", "created_at", "-created_at"):
        assert_problem(api.get(f"{PATH}?ordering={other}&cursor={cursor}"), 400, "invalid", "cursor")
    assert ids(api.get(f"{PATH}?ordering=unit_price&cursor={cursor}"))[0] == stall["as cheap wood"]


def test_sold_cancelled_expired_and_overdue_ones_are_not_shown(stall: dict[str, int], ada: Api, bob: Api) -> None:
    assert ada.post(f"{PATH}/{stall['cheap wood']}/buy").status_code == 200
    assert ada.post(f"{PATH}/{stall['herbs']}/cancel").status_code == 200
    runs_out(stall["dear wood"], seconds=-1)

    assert ids(bob.get(PATH)) == [stall["as cheap wood"]]
    assert Listing.objects.get(pk=stall["dear wood"]).status == "active", "the sweep has not come by yet"


def test_a_part_that_was_bought_is_gone_from_the_page(stall: dict[str, int], bob: Api) -> None:
    bob.post(f"{PATH}/{stall['dear wood']}/buy", quantity=1)

    row = bob.get(f"{PATH}?ordering=-unit_price&limit=1").json()["listings"][0]

    assert (row["quantity"], row["remaining"]) == (3, 2)


def test_no_token_is_needed_and_a_bad_one_does_no_harm(ada: Api) -> None:
    assert Api().get(PATH).status_code == 200
    assert Api("nonsense").get(PATH).status_code == 200


def test_a_closed_account_still_has_its_offers_up(stall: dict[str, int], api: Api, sign_up: Callable[..., Api]) -> None:
    """What becomes of them is for ops to decide; items in escrow are never lost by it."""
    from accounts.models import Player

    bob = Player.objects.get(login="bob")
    bob.is_active = False
    bob.save()

    assert stall["cheap wood"] in ids(api.get(PATH))
