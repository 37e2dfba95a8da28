"""A page is found by an index that begins where the page does, however much else is on the market."""

from typing import Any

import pytest
from django.db import connection, transaction

from bcraftd.transactions import unhurried
from bench.world import Size, make
from inventory.models import Resource
from market import selectors
from tests.support import queries

LISTINGS = 30_000
# Of these a third is open, alike among so many resources.
KINDS = 50
LIMIT = 20


@pytest.fixture
def busy_market(world: None) -> int:
    """A market with ten thousand offers; gives a resource that a fiftieth of them is of."""
    with transaction.atomic(), connection.cursor() as cursor:
        unhurried()
        make(cursor, Size(LISTINGS, 500, kinds=KINDS))
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    return int(Resource.objects.filter(tradeable=True).order_by("id")[KINDS - 1].pk)


def nodes(plan: dict[str, Any]) -> list[dict[str, Any]]:
    """A plan's nodes, from the top."""
    return [plan, *(node for part in plan.get("Plans", []) for node in nodes(part))]


@pytest.mark.parametrize("ordering", selectors.ORDERINGS)
def test_no_more_offers_are_looked_at_than_a_page_shows(busy_market: int, ordering: str) -> None:
    first = selectors.listings_page(resource_id=busy_market, ordering=ordering, limit=LIMIT)
    assert first is not None
    with queries() as sql:
        for resource_id in (busy_market, "all"):
            for cursor in (None, first.data()["next"]):
                selectors._listings(resource_id, ordering, LIMIT, cursor=cursor)

    assert len(sql) == 4
    for statement in sql:
        with connection.cursor() as asked:
            asked.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}")
            found = nodes(asked.fetchone()[0][0]["Plan"])
        offers = [node for node in found if node.get("Relation Name") == "market_listing"]
        # The one more tells that there is a next page.
        assert sum(node["Actual Rows"] for node in offers) <= LIMIT + 1, statement
        assert not any(node.get("Rows Removed by Filter") for node in offers), statement
