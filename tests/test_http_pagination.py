"""Keyset paging: no page skips or repeats a row that was there throughout."""

import base64
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import transaction

from accounts.models import LedgerEntry, LedgerTransfer, SystemAccount
from bcraftd.errors import Refusal
from bcraftd.pagination import keyset_page
from tests.support import queries

MORNING = datetime(2026, 3, 1, 8, 0, 0, 123456, tzinfo=UTC)
NEWEST = ("-created_at", "-id")
MIXED = ("created_at", "-id")
KINDS = (datetime, int)


@transaction.atomic
def made(*rows: tuple[str, datetime]) -> list[LedgerTransfer]:
    """Rows of these names and moments. A transfer has two sides, or PostgreSQL does not take it."""
    transfers = LedgerTransfer.objects.bulk_create(LedgerTransfer(reason=name, created_at=at) for name, at in rows)
    LedgerEntry.objects.bulk_create(
        LedgerEntry(transfer=transfer, system_account=account, amount=amount)
        for transfer in transfers
        for account, amount in ((SystemAccount.MINT, -1), (SystemAccount.MARKET_FEE, 1))
    )
    return transfers


@pytest.fixture
def rows(world: None) -> list[LedgerTransfer]:
    """Nine rows, three at each of three moments."""
    return made(*((f"row {n}", MORNING + timedelta(hours=n // 3)) for n in range(9)))


def page(order: tuple[str, ...], limit: int, cursor: str | None = None) -> tuple[list[str], str | None]:
    found, following = keyset_page(
        LedgerTransfer.objects.values("id", "created_at", "reason"),
        order=order, kinds=KINDS, cursor=cursor, limit=limit,
    )  # fmt: skip
    return [row["reason"] for row in found], following


def pages(order: tuple[str, ...], limit: int) -> Iterator[list[str]]:
    names, following = page(order, limit)
    yield names
    while following is not None:
        names, following = page(order, limit, following)
        yield names


def cursor(*values: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(values).encode()).decode().rstrip("=")


@pytest.mark.parametrize("order", [NEWEST, MIXED, ("-created_at", "id"), ("created_at", "id")])
@pytest.mark.parametrize("limit", [1, 2, 3, 4, 8, 9, 10])
def test_pages_together_are_the_whole_list_in_order(
    rows: list[LedgerTransfer], order: tuple[str, ...], limit: int
) -> None:
    whole = list(LedgerTransfer.objects.order_by(*order).values_list("reason", flat=True))

    found = list(pages(order, limit))

    assert [name for names in found for name in names] == whole
    assert all(len(names) == limit for names in found[:-1])
    assert len(found) == -(-9 // limit)


@pytest.mark.parametrize("order", [NEWEST, MIXED])
def test_rows_that_come_between_two_pages_move_nothing(rows: list[LedgerTransfer], order: tuple[str, ...]) -> None:
    seen: list[str] = []
    for names in pages(order, 2):
        seen += names
        for moment in (MORNING - timedelta(hours=1), MORNING, MORNING + timedelta(hours=9)):
            if len(seen) < 9:
                made(("new", moment))

    assert sorted(name for name in seen if name != "new") == [f"row {n}" for n in range(9)]
    assert len(seen) == len(set(seen)) + max(seen.count("new") - 1, 0)


def test_an_empty_list_is_one_empty_page(world: None) -> None:
    assert page(NEWEST, 5) == ([], None)


def test_a_page_is_one_query_without_a_count(rows: list[LedgerTransfer]) -> None:
    _, following = page(NEWEST, 2)

    with queries() as seen:
        page(NEWEST, 2, following)

    # The page, and one row more.
    assert len(seen) == 1, seen
    assert "COUNT" not in seen[0]


def test_a_cursor_is_opaque_and_fits_a_query_string(rows: list[LedgerTransfer]) -> None:
    _, following = page(NEWEST, 2)

    assert following is not None
    assert following.replace("-", "").replace("_", "").isalnum()


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z", "2026-03-01T08:00:00+05:30"])
def test_any_moment_is_a_place_in_the_list(rows: list[LedgerTransfer], moment: str) -> None:
    names, _ = page(NEWEST, 9, cursor("-created_at,-id", moment, 5))

    assert len(names) in (0, 9)


@pytest.mark.parametrize(
    "place",
    [
        ("2026-03-01T08:00:00", 5),
        ("0001-01-01T00:00:00+01:00", 5),
        ("9999-12-31T23:59:59-01:00", 5),
        ("yesterday", 5),
        ("", 5),
        ("\x00", 5),
        ("\ud800", 5),
        (1772352000, 5),
        (None, 5),
        (True, 5),
        ([], 5),
        ("2026-03-01T08:00:00Z", "5"),
        ("2026-03-01T08:00:00Z", 2**63),
        ("2026-03-01T08:00:00Z", 5.5),
        ("2026-03-01T08:00:00Z", None),
        ("2026-03-01T08:00:00Z",),
        ("2026-03-01T08:00:00Z", 5, 5),
        (5, "2026-03-01T08:00:00Z"),
    ],
)
def test_a_place_of_the_wrong_kind_is_refused(rows: list[LedgerTransfer], place: tuple[Any, ...]) -> None:
    with pytest.raises(Refusal) as refused:
        page(NEWEST, 2, cursor("-created_at,-id", *place))

    assert (refused.value.code, refused.value.errors[0]["field"]) == ("invalid", "cursor")


def test_an_offset_finer_than_a_second_is_no_fault_of_the_database(rows: list[LedgerTransfer]) -> None:
    names, _ = page(NEWEST, 9, cursor("-created_at,-id", "2030-01-01T00:00:00+00:00:00.000001", 5))

    assert len(names) == 9


def test_a_cursor_of_another_order_is_refused(rows: list[LedgerTransfer]) -> None:
    _, following = page(NEWEST, 2)

    with pytest.raises(Refusal, match="invalid"):
        page(MIXED, 2, following)
