"""Paging through the listings while others trade: no row that was there throughout is skipped or repeated."""

from collections.abc import Iterator

import pytest

from market.models import Listing
from market.tests.support import ids
from tests.support import Api, resource_id

PATH = "/api/market/listings"
PRICES = (7, 5, 5, 5, 9, 5, 5, 7, 5, 9, 5, 5)


def _turmoil(ada: Api, bob: Api, passing: list[int]) -> Iterator[None]:
    """One step for each page turned: what passes is bought or cancelled, and new ones come, at every place."""
    while True:
        if passing:
            assert bob.post(f"{PATH}/{passing.pop()}/buy").status_code == 200
        if passing:
            assert ada.post(f"{PATH}/{passing.pop(0)}/cancel").status_code == 200
        for price in (1, 5, 9):
            ada.sells("mutterwood-log", 1, price)
        yield


@pytest.mark.parametrize("filtered", [False, True])
@pytest.mark.parametrize("ordering", ["unit_price", "-unit_price", "created_at", "-created_at"])
def test_each_listing_that_stays_is_seen_exactly_once(ada: Api, bob: Api, ordering: str, filtered: bool) -> None:
    ada.grant(mutterwood_log=1000)
    made = [ada.sells("mutterwood-log", 2, price)["id"] for price in PRICES]
    # Where times are equal too, nothing but the id is left to tell the rows apart.
    _same_time(made)
    stays, passing = made[::2], made[1::2]
    turmoil = _turmoil(ada, bob, passing)
    query = f"{PATH}?ordering={ordering}&limit=2" + (
        f"&resource_id={resource_id('mutterwood-log')}" if filtered else ""
    )

    seen: list[int] = []
    page = bob.get(query)
    # Descending by time, new ones come in front; else the walk may meet some of them, and must still come to an end.
    for _ in range(40):
        seen += ids(page)
        following = page.json()["next"]
        if following is None:
            break
        if len(seen) <= 12:
            next(turmoil)
            # A part of one that stays: it remains the same row.
            bob.post(f"{PATH}/{stays[len(seen) // 2 % len(stays)]}/buy", quantity=1)
        page = bob.get(f"{query}&cursor={following}")
    else:
        pytest.fail("the walk did not end")

    still = set(Listing.objects.filter(pk__in=stays, status="active").values_list("pk", flat=True))
    assert still, "some stayed throughout"
    assert still <= set(seen)
    assert len(seen) == len(set(seen))
    rows = Listing.objects.in_bulk(seen)
    places = [(getattr(rows[pk], ordering.lstrip("-")), pk) for pk in seen]
    assert places == sorted(places, reverse=ordering.startswith("-"))


def _same_time(made: list[int]) -> None:
    """Gives all but the first and the last the same time, as raw SQL with the triggers off can."""
    from django.db import connection

    moment = Listing.objects.get(pk=made[1]).created_at
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        cursor.execute("UPDATE market_listing SET created_at = %s WHERE id = ANY(%s)", [moment, made[1:-1]])
        cursor.execute("SET session_replication_role = origin")


def test_the_last_page_says_so_even_when_it_is_full(ada: Api, api: Api) -> None:
    ada.grant(mutterwood_log=4)
    made = [ada.sells("mutterwood-log", 1, 5)["id"] for _ in range(4)]

    first = api.get(f"{PATH}?limit=2")
    second = api.get(f"{PATH}?limit=2&cursor={first.json()['next']}")

    assert (ids(first), ids(second)) == (made[:2], made[2:])
    assert second.json()["next"] is None


def test_the_limit_may_change_between_pages(ada: Api, api: Api) -> None:
    ada.grant(mutterwood_log=6)
    made = [ada.sells("mutterwood-log", 1, 5)["id"] for _ in range(6)]

    first = api.get(f"{PATH}?limit=1").json()["next"]
    second = api.get(f"{PATH}?limit=3&cursor={first}")
    third = api.get(f"{PATH}?cursor={second.json()['next']}")

    assert ids(second) + ids(third) == made[1:]


def test_a_cursor_whose_row_was_sold_still_stands_for_its_place(ada: Api, bob: Api) -> None:
    ada.grant(mutterwood_log=3)
    made = [ada.sells("mutterwood-log", 1, 5)["id"] for _ in range(3)]
    cursor = bob.get(f"{PATH}?limit=1").json()["next"]

    bob.post(f"{PATH}/{made[0]}/buy")
    bob.post(f"{PATH}/{made[1]}/buy")

    assert ids(bob.get(f"{PATH}?limit=1&cursor={cursor}")) == [made[2]]
