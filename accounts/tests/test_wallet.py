"""GET /api/wallet/entries"""

import base64
import json
from datetime import datetime

import pytest

from accounts.models import LedgerEntry
from tests.support import Api, assert_problem, queries

PATH = "/api/wallet/entries"


def amounts(player: Api, query: str = "") -> list[int]:
    return [row["amount"] for row in player.get(PATH + query).json()["entries"]]


def cursor(*values: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(values).encode()).decode().rstrip("=")


def test_entries_are_listed_newest_first_with_their_reason(ada: Api) -> None:
    ada.grant(coins=5)

    answer = ada.get(PATH)

    rows = answer.json()["entries"]
    assert answer.json()["next"] is None
    assert [row["amount"] for row in rows] == [5, 1000]
    assert set(rows[1]) == {"id", "amount", "reason", "reference", "created_at"}
    assert (rows[1]["reason"], rows[1]["reference"]) == ("starting_coins", f"player:{ada.id}")
    assert datetime.fromisoformat(rows[0]["created_at"]) >= datetime.fromisoformat(rows[1]["created_at"])


def test_a_trade_shows_both_sides_their_own_signed_amount(ada: Api, bob: Api) -> None:
    ada.grant(mutterwood_log=2)
    listing = ada.sells("mutterwood-log", 2, 100)
    bob.post(f"/api/market/listings/{listing['id']}/buy")

    assert amounts(bob) == [-200, 1000]
    assert amounts(ada) == [190, 1000]


def test_the_amounts_sum_to_the_coins(ada: Api) -> None:
    for coins in (1, 2, 3):
        ada.grant(coins=coins)

    assert sum(amounts(ada)) == ada.coins() == 1006


def test_pages_follow_each_other_without_a_gap_while_rows_are_added(ada: Api) -> None:
    for coins in range(1, 6):
        ada.grant(coins=coins)
    seen: list[int] = []
    following: str | None = ""
    while following is not None:
        page = ada.get(f"{PATH}?limit=2{following and f'&cursor={following}'}").json()
        seen += [row["amount"] for row in page["entries"]]
        following = page["next"]
        ada.grant(coins=100)

    assert seen == [5, 4, 3, 2, 1, 1000]


@pytest.mark.parametrize(("limit", "more"), [(1, True), (2, True), (3, False), (100, False)])
def test_there_is_a_next_page_only_where_there_are_more_rows(ada: Api, limit: int, more: bool) -> None:
    ada.grant(coins=1)
    ada.grant(coins=2)

    page = ada.get(f"{PATH}?limit={limit}").json()

    assert len(page["entries"]) == min(limit, 3)
    assert (page["next"] is not None) is more


@pytest.mark.parametrize(
    ("query", "field"),
    [
        *[(f"limit={x}", "limit") for x in ("0", "101", "-1", "", "1.0", "ten", "1" * 30, "true", "+5", "%00", "٣")],
        ("limit=5&limit=6", "limit"),
        ("offset=5", "offset"),
        ("page_size=5", "page_size"),
        ("%00=1", "\x00"),
    ],
)
def test_a_bad_parameter_is_named(ada: Api, query: str, field: str) -> None:
    assert_problem(ada.get(f"{PATH}?{query}"), 400, "invalid", field)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "!!!!",
        "%00",
        "ü",
        "a" * 513,
        cursor(),
        cursor("-id"),
        cursor("id", 5),
        cursor("-id", "5"),
        cursor("-id", 5.0),
        cursor("-id", True),
        cursor("-id", None),
        cursor("-id", [5]),
        cursor("-id", 2**63),
        cursor("-id", -(2**63) - 1),
        cursor("-id", 5, 6),
        cursor("-created_at,-id", "2026-01-01T00:00:00Z", 5),
        base64.urlsafe_b64encode(b'"-id"').decode(),
        base64.urlsafe_b64encode(b'{"-id":5}').decode(),
        base64.urlsafe_b64encode(b'["-id",NaN]').decode(),
        base64.urlsafe_b64encode(b"[" * 300).decode(),
        base64.urlsafe_b64encode(b'["-id",' + b"9" * 300 + b"]").decode(),
        base64.urlsafe_b64encode(b'["\xff",5]').decode(),
    ],
)
def test_a_cursor_that_is_not_ours_is_refused(ada: Api, text: str) -> None:
    assert_problem(ada.get(f"{PATH}?cursor={text}"), 400, "invalid", "cursor")


def test_a_cursor_shows_nobody_elses_entries(ada: Api, bob: Api) -> None:
    last = LedgerEntry.objects.latest("pk").pk

    assert amounts(ada, f"?cursor={cursor('-id', last + 1)}") == [1000]


def test_a_page_needs_one_query(ada: Api) -> None:
    ada.grant(coins=5)
    following = ada.get(f"{PATH}?limit=1").json()["next"]

    for query in ("", f"?cursor={following}"):
        with queries() as seen:
            ada.get(PATH + query)
        # The entries with their transfers.
        assert len(seen) == 1, seen
