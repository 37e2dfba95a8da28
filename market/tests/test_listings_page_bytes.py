"""A page that PostgreSQL writes has the bytes that Python would write of its rows."""

import json

import pytest

from accounts.models import Player
from bcraftd.cache.entry import encode
from inventory.models import Resource
from market import selectors
from market.models import Listing
from tests.support import Api, queries

ODD_NAMES = [
    'Oak "log"', "back\\slash/", "tab\tnew\nline", "Über-Holz 木材 \U0001f332", "\x01\x1f\x7f\u2028", "%s %(x)s {}",
]  # fmt: skip


def page_of(ordering: str = "unit_price", cursor: str | None = None) -> bytes:
    """A page of three, read from PostgreSQL."""
    fresh = selectors._listings("all", ordering, 3, cursor=cursor)
    assert fresh is not None
    return fresh.body


@pytest.mark.parametrize("name", ODD_NAMES)
@pytest.mark.parametrize("ordering", selectors.ORDERINGS)
def test_a_page_is_its_listings_as_python_writes_them(ada: Api, ordering: str, name: str) -> None:
    ada.grant(mutterwood_log=30)
    for price in (7, 5, 5, 9):
        ada.sells("mutterwood-log", 3, price)
    Resource.objects.filter(slug="mutterwood-log").update(name=name)

    with queries() as sql:
        body = page_of(ordering)

    assert len(sql) == 1
    page = json.loads(body)
    rows = [selectors.listing_get(row["id"]) for row in page["listings"]]
    assert body == encode({"listings": rows, "next": page["next"]})
    assert len(rows) == 3
    rest = json.loads(page_of(ordering, page["next"]))
    everything = Listing.objects.order_by(*selectors.ORDERINGS[ordering][0]).values_list("id", flat=True)
    assert [row["id"] for row in page["listings"] + rest["listings"]] == list(everything)
    assert rest["next"] is None


def test_a_moment_without_microseconds_is_written_with_them(ada: Api) -> None:
    ada.grant(mutterwood_log=1)
    ada.sells("mutterwood-log", 1, 5)
    Listing.objects.update(expires_at="2090-01-31T12:00:00+02:00")

    page = json.loads(page_of())

    assert page["listings"][0]["expires_at"] == "2090-01-31T10:00:00.000000Z"


def test_an_empty_page_is_one(world: None) -> None:
    assert page_of() == b'{"listings":[],"next":null}'
    assert not Player.objects.filter(listings__isnull=False).exists()
