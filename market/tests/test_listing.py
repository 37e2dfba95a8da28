"""GET /api/market/listings/{id}: one listing, in any status."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from bcraftd.cache import store
from bcraftd.tasks import activity_write
from market.cache import VIEWS
from market.models import Listing
from market.services import listings_expire
from market.tests.support import closing, row_locked, runs_out, waiting_for_locks
from tests.processes import wait_until
from tests.servers import redis_start, redis_stop
from tests.support import Api, assert_problem, queries, redis_is_back

PATH = "/api/market/listings"


@pytest.mark.parametrize("status", ["active", "sold", "cancelled", "expired"])
def test_it_is_shown_in_any_status_and_to_anybody(ada: Api, bob: Api, status: str) -> None:
    ada.grant(mutterwood_log=3)
    made = ada.sells("mutterwood-log", 3, 30)
    if status == "sold":
        bob.post(f"{PATH}/{made['id']}/buy")
    elif status == "cancelled":
        ada.post(f"{PATH}/{made['id']}/cancel")
    elif status == "expired":
        made["expires_at"] = runs_out(made["id"], seconds=-1).expires_at.isoformat().replace("+00:00", "Z")
        listings_expire()

    # Query: the listing with the resource's name and the seller's login.
    with queries() as sql:
        answer = Api().get(f"{PATH}/{made['id']}")

    assert len(sql) == 1
    assert answer.status_code == 200
    assert answer.json() == {**made, "status": status, "remaining": 0 if status == "sold" else 3}


def test_an_overdue_one_is_active_until_the_sweep(ada: Api, api: Api) -> None:
    ada.grant(mutterwood_log=1)
    made = ada.sells("mutterwood-log", 1, 30)
    runs_out(made["id"], seconds=-1)

    assert api.get(f"{PATH}/{made['id']}").json()["status"] == "active"


def test_an_unknown_one_is_not_found(api: Api) -> None:
    for unknown in ("1", "0", "9223372036854775807", "9223372036854775808", "9" * 31, "-1", "1.0", "abc", "%00"):
        assert_problem(api.get(f"{PATH}/{unknown}"), 404, "not_found")


def test_it_takes_no_parameters(ada: Api) -> None:
    ada.grant(mutterwood_log=1)
    made = ada.sells("mutterwood-log", 1, 30)

    assert_problem(ada.get(f"{PATH}/{made['id']}?views=1"), 400, "invalid", "views")
    assert_problem(ada.post(f"{PATH}/{made['id']}"), 405, "method_not_allowed")


def test_views_are_counted_behind_and_written_by_the_task(ada: Api, bob: Api) -> None:
    ada.grant(mutterwood_log=2)
    seen, unseen = ada.sells("mutterwood-log", 1, 30)["id"], ada.sells("mutterwood-log", 1, 31)["id"]
    for player in (ada, bob, bob):
        player.get(f"{PATH}/{seen}")
    assert Listing.objects.get(pk=seen).views == 0, "no request waits for the counting"

    assert activity_write()["activity:listing_views"] == 1
    assert activity_write()["activity:listing_views"] == 0, "nothing is counted twice"
    bob.get(f"{PATH}/{seen}")
    bob.get(f"{PATH}/{unseen}")
    assert activity_write()["activity:listing_views"] == 2

    assert [row.views for row in Listing.objects.order_by("pk")] == [4, 1]
    assert not store.client().exists("activity:listing_views")


def test_views_of_what_is_unknown_are_not_counted(api: Api) -> None:
    api.get(f"{PATH}/5")

    assert activity_write()["activity:listing_views"] == 0


def test_counted_views_make_no_page_stale(ada: Api, bob: Api) -> None:
    ada.grant(mutterwood_log=1)
    made = ada.sells("mutterwood-log", 1, 30)
    bob.get(PATH)
    bob.get(f"{PATH}/{made['id']}")

    activity_write()

    assert bob.get(PATH)["X-Cache"] == "HIT"


def test_views_that_redis_did_not_take_are_kept_for_later(ada: Api, bob: Api) -> None:
    ada.grant(mutterwood_log=1)
    made = ada.sells("mutterwood-log", 1, 30)
    redis_stop()
    try:
        assert bob.get(f"{PATH}/{made['id']}").status_code == 200
    finally:
        redis_start()

    redis_is_back()
    activity_write()

    assert Listing.objects.get().views == 1


def test_views_are_written_in_the_order_in_which_the_sweep_locks(ada: Api) -> None:
    ada.grant(mutterwood_log=2)
    first, second = ada.sells("mutterwood-log", 1, 30)["id"], ada.sells("mutterwood-log", 1, 31)["id"]
    for listing_id in (second, first):
        VIEWS.put(str(listing_id), 1)

    with ThreadPoolExecutor(1) as thread, row_locked(Listing, first) as elsewhere:
        written = thread.submit(closing, activity_write)
        wait_until(lambda: waiting_for_locks() == 1, "the writing waits for the first listing")
        # It has not locked the second one yet, or this would fail: a sweep that holds the first can go on.
        elsewhere.execute("SELECT 1 FROM market_listing WHERE id = %s FOR UPDATE NOWAIT", [second])

    assert written.result()["activity:listing_views"] == 2
