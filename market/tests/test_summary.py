"""GET /api/market/resources/{id}/summary: a resource's market at a glance."""

from datetime import timedelta

from django.utils import timezone

from market.models import Listing
from market.tests.support import runs_out, traded
from tests.support import Api, assert_problem, queries, resource_id

LISTINGS = "/api/market/listings"


def _path(slug: str = "mutterwood-log") -> str:
    return f"/api/market/resources/{resource_id(slug)}/summary"


NOTHING = {
    "lowest_price": None,
    "volume_listed": 0,
    "last_price": None,
    "volume_24h": 0,
    "low_24h": None,
    "high_24h": None,
    "average_24h": None,
}


def test_a_resource_that_nobody_trades_has_no_prices(api: Api) -> None:
    path = _path()
    # Queries: what is listed, the last trade, whether the resource exists.
    with queries() as sql:
        answer = api.get(path)

    assert len(sql) == 3
    assert answer.json() == {"resource_id": resource_id("mutterwood-log"), **NOTHING}


def test_it_counts_what_is_for_sale_and_what_was_sold_in_a_day(ada: Api, bob: Api) -> None:
    ada.grant(mutterwood_log=100, yawnwort=9)
    ada.sells("yawnwort", 9, 1)
    cheap, dear = ada.sells("mutterwood-log", 10, 12), ada.sells("mutterwood-log", 30, 20)
    for listing, quantity in ((dear, 2), (cheap, 4), (dear, 1)):
        bob.post(f"{LISTINGS}/{listing['id']}/buy", quantity=quantity)
    path = _path()

    # Queries: what is listed, the last trade, the last day.
    with queries() as sql:
        answer = Api().get(path)

    assert len(sql) == 3
    assert answer.json() == {
        "resource_id": resource_id("mutterwood-log"),
        "lowest_price": 12,
        "volume_listed": 6 + 27,
        "last_price": 20,
        "volume_24h": 7,
        "low_24h": 12,
        "high_24h": 20,
        "average_24h": round((3 * 20 + 4 * 12) / 7, 2),
    }


def test_what_was_sold_earlier_only_tells_the_last_price(ada: Api, bob: Api) -> None:
    ada.grant(mutterwood_log=9)
    listing = Listing.objects.get(pk=ada.sells("mutterwood-log", 9, 12)["id"])
    now = timezone.now()
    traded(listing, bob, 1, 7, now - timedelta(hours=48))
    traded(listing, bob, 1, 9, now - timedelta(hours=24, seconds=1))

    answer = Api().get(_path()).json()
    assert (answer["last_price"], answer["volume_24h"], answer["average_24h"]) == (9, 0, None)

    traded(listing, bob, 1, 5, now - timedelta(hours=24) + timedelta(minutes=1))
    answer = Api().get(_path()).json()
    assert (answer["last_price"], answer["volume_24h"], answer["average_24h"]) == (5, 1, 5)
    assert (answer["low_24h"], answer["high_24h"]) == (5, 5)


def test_what_is_closed_or_overdue_is_not_for_sale(ada: Api, bob: Api) -> None:
    ada.grant(mutterwood_log=9)
    sold, cancelled, overdue, still = (ada.sells("mutterwood-log", 2, price)["id"] for price in (1, 2, 3, 4))
    bob.post(f"{LISTINGS}/{sold}/buy")
    ada.post(f"{LISTINGS}/{cancelled}/cancel")
    runs_out(overdue, seconds=-1)

    answer = Api().get(_path()).json()

    assert (answer["lowest_price"], answer["volume_listed"]) == (4, 2)
    assert still in Listing.objects.filter(status="active").values_list("pk", flat=True)


def test_the_greatest_numbers_fit(ada: Api, bob: Api) -> None:
    ada.grant(mutterwood_log=2 * 10**6)
    bob.grant(coins=2 * 10**15)
    for _ in range(2):
        listing = ada.sells("mutterwood-log", 10**6, 10**9)
        assert bob.post(f"{LISTINGS}/{listing['id']}/buy").status_code == 200

    answer = Api().get(_path()).json()

    assert (answer["volume_24h"], answer["average_24h"]) == (2 * 10**6, 10**9)


def test_an_unknown_resource_is_not_found(api: Api) -> None:
    for unknown in ("999999", "9223372036854775807", "9223372036854775808", "0", "x"):
        assert_problem(api.get(f"/api/market/resources/{unknown}/summary"), 404, "not_found")


def test_it_takes_no_parameters(api: Api) -> None:
    assert_problem(api.get(f"{_path()}?hours=1"), 400, "invalid", "hours")
