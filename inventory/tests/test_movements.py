"""GET /api/inventory/movements: the items' ledger as its player reads it."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from inventory.models import ItemMovement
from inventory.tests.support import conditions, join
from tests.support import Api, assert_problem, queries, recipe_id, resource_id

MOVEMENTS = "/api/inventory/movements"


def pages(player: Api, limit: int) -> list[dict[str, Any]]:
    """Every movement, page by page."""
    found: list[dict[str, Any]] = []
    page = player.get(f"{MOVEMENTS}?limit={limit}").json()
    while True:
        assert len(page["movements"]) <= limit
        found += page["movements"]
        if page["next"] is None:
            return found
        page = player.get(f"{MOVEMENTS}?limit={limit}&cursor={page['next']}").json()


def test_it_tells_every_change_newest_first(ada: Api, bob: Api) -> None:
    conditions()
    join(ada, "timberhand", "toolwright")
    bob.grant(mutterwood_log=2)
    ada.grant(mutterwood_log=10)
    gathered = ada.post("/api/gather", resource_id=resource_id("mutterwood-log")).json()["quantity"]
    crafted = ada.post("/api/craft", recipe_id=recipe_id("whittle-a-mutterwood-mallet"), quantity=1).json()
    listing = ada.sells("mutterwood-log", 3, 1)
    ada.post(f"/api/market/listings/{listing['id']}/cancel")
    other = bob.sells("mutterwood-log", 2, 1)
    ada.post(f"/api/market/listings/{other['id']}/buy")

    # Query: the page.
    with queries() as sql:
        answer = ada.get(MOVEMENTS)
    assert len(sql) == 1
    assert "X-Cache" not in answer
    rows = answer.json()["movements"]
    made = [("craft_out", 1)] if crafted["successes"] else []
    assert [(row["reason"], row["quantity"]) for row in reversed(rows)] == [
        ("grant", 10), ("gather", gathered), ("craft_in", -4), *made,
        ("escrow", -3), ("escrow_return", 3), ("purchase", 2),
    ]  # fmt: skip
    assert all(set(row) == {"id", "resource_id", "quantity", "reason", "reference", "created_at"} for row in rows)
    assert answer.json()["next"] is None
    assert next(row["reference"] for row in rows if row["reason"] == "craft_in") == f"recipe:{crafted['recipe_id']}"
    assert all(datetime.fromisoformat(row["created_at"]).utcoffset() == timedelta(0) for row in rows)


@pytest.mark.parametrize("limit", [1, 2, 4, 5, 100])
def test_pages_hold_each_movement_once(ada: Api, bob: Api, limit: int) -> None:
    for number in range(1, 6):
        ada.grant(mutterwood_log=number)
        bob.grant(mutterwood_log=100)
    assert [row["quantity"] for row in pages(ada, limit)] == [5, 4, 3, 2, 1]


def test_what_happens_between_two_pages_neither_repeats_nor_hides_a_movement(ada: Api) -> None:
    for number in range(1, 6):
        ada.grant(mutterwood_log=number)
    first = ada.get(f"{MOVEMENTS}?limit=2").json()
    ada.grant(mutterwood_log=50, yawnwort=60)
    second = ada.get(f"{MOVEMENTS}?limit=2&cursor={first['next']}").json()
    third = ada.get(f"{MOVEMENTS}?limit=2&cursor={second['next']}").json()
    seen = [row["quantity"] for page in (first, second, third) for row in page["movements"]]
    assert seen == [5, 4, 3, 2, 1]
    assert third["next"] is None


def test_a_page_holds_fifty_where_nothing_is_said_and_a_hundred_at_most(ada: Api) -> None:
    ItemMovement.objects.bulk_create(
        ItemMovement(player_id=ada.id, resource_id=resource_id("yawnwort"), quantity=1, reason="grant")
        for _ in range(101)
    )
    assert len(ada.get(MOVEMENTS).json()["movements"]) == 50
    full = ada.get(f"{MOVEMENTS}?limit=100").json()
    assert len(full["movements"]) == 100
    last = ada.get(f"{MOVEMENTS}?limit=100&cursor={full['next']}").json()
    assert (len(last["movements"]), last["next"]) == (1, None)


def test_who_never_held_anything_has_an_empty_list(ada: Api) -> None:
    assert ada.get(MOVEMENTS).json() == {"movements": [], "next": None}


def test_a_cursor_of_another_players_list_shows_nothing_of_theirs(ada: Api, bob: Api) -> None:
    for _ in range(3):
        ada.grant(mutterwood_log=1)
    cursor = ada.get(f"{MOVEMENTS}?limit=1").json()["next"]
    assert bob.get(f"{MOVEMENTS}?cursor={cursor}").json() == {"movements": [], "next": None}


@pytest.mark.parametrize("limit", ["0", "101", "-1", "x", "", "1.0", "true", "1" + "0" * 30, "%00", "%F0%9D%9F%8F"])
def test_a_bad_limit_is_refused(ada: Api, limit: str) -> None:
    assert_problem(ada.get(f"{MOVEMENTS}?limit={limit}"), 400, "invalid", "limit")


@pytest.mark.parametrize(
    "cursor", ["x", "", "%00", "W10", "WyItaWQiXQ", "WyItaWQiLCIxIl0", "WyItaWQiLHRydWVd", "a" * 513]
)
def test_a_cursor_that_this_list_never_gave_is_refused(ada: Api, cursor: str) -> None:
    assert_problem(ada.get(f"{MOVEMENTS}?cursor={cursor}"), 400, "invalid", "cursor")


def test_it_needs_a_player_and_knows_its_parameters(ada: Api, api: Api) -> None:
    assert_problem(api.get(MOVEMENTS), 401, "not_authenticated")
    assert_problem(ada.get(f"{MOVEMENTS}?page=2"), 400, "invalid", "page")
    assert_problem(ada.get(f"{MOVEMENTS}?limit=1&limit=2"), 400, "invalid", "limit")
