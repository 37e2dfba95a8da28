"""GET /api/market/listings/mine: the player's own listings, newest first."""

import pytest

from market.models import Listing
from market.services import listings_expire
from market.tests.support import ids, runs_out
from tests.support import Api, assert_problem, queries

PATH = "/api/market/listings/mine"
LISTINGS = "/api/market/listings"


@pytest.fixture
def all_kinds(ada: Api, bob: Api) -> dict[str, int]:
    """One of ada's in each status, and one of bob's."""
    ada.grant(mutterwood_log=8)
    bob.grant(mutterwood_log=1)
    made = {status: ada.sells("mutterwood-log", 2, 9)["id"] for status in ("expired", "sold", "cancelled", "active")}
    made["bob's"] = bob.sells("mutterwood-log", 1, 9)["id"]
    bob.post(f"{LISTINGS}/{made['sold']}/buy")
    ada.post(f"{LISTINGS}/{made['cancelled']}/cancel")
    runs_out(made["expired"], seconds=-1)
    listings_expire()
    return made


def test_only_the_players_own_are_there_newest_first(all_kinds: dict[str, int], ada: Api, bob: Api) -> None:
    # Query: the page. The session comes from Redis.
    with queries() as sql:
        answer = ada.get(PATH)

    assert len(sql) == 1
    assert answer["Cache-Control"] == "no-store"
    assert list(answer.json()) == ["listings", "next"]
    assert ids(answer) == [all_kinds[status] for status in ("active", "cancelled", "sold", "expired")]
    assert answer.json()["listings"][0] == ada.get(f"{LISTINGS}/{all_kinds['active']}").json()
    assert ids(bob.get(PATH)) == [all_kinds["bob's"]]


def test_the_status_narrows_it_down(all_kinds: dict[str, int], ada: Api, bob: Api) -> None:
    for status in ("active", "sold", "cancelled", "expired"):
        answer = ada.get(f"{PATH}?status={status}")
        assert ids(answer) == [all_kinds[status]]
        assert answer.json()["listings"][0]["status"] == status
    assert ids(bob.get(f"{PATH}?status=sold")) == []


def test_pages_hold_each_once_whatever_is_listed_in_between(ada: Api) -> None:
    ada.grant(mutterwood_log=20)
    made = [ada.sells("mutterwood-log", 1, 5)["id"] for _ in range(7)]

    seen: list[int] = []
    cursor = ""
    while True:
        page = ada.get(f"{PATH}?limit=3{cursor}")
        seen += ids(page)
        ada.sells("mutterwood-log", 1, 5)
        ada.post(f"{LISTINGS}/{made.pop(0)}/cancel")
        if page.json()["next"] is None:
            break
        cursor = f"&cursor={page.json()['next']}"

    assert seen == sorted(Listing.objects.order_by("pk").values_list("pk", flat=True)[:7], reverse=True)


def test_a_bad_query_is_refused(ada: Api) -> None:
    by_price = ada.get(LISTINGS).json()["next"]
    assert by_price is None
    for query, field in [
        ("status=open", "status"),
        ("status=", "status"),
        ("status=ACTIVE", "status"),
        ("status=active&status=sold", "status"),
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("limit=" + "9" * 31, "limit"),
        ("cursor=nonsense", "cursor"),
        ("cursor=WyJ1bml0X3ByaWNlLGlkIiw1LDFd", "cursor"),
        ("seller_id=1", "seller_id"),
        ("status=%00", "status"),
    ]:
        assert_problem(ada.get(f"{PATH}?{query}"), 400, "invalid", field)


def test_nobody_signed_in_has_none(api: Api) -> None:
    assert_problem(api.get(PATH), 401, "not_authenticated")
    assert_problem(Api("nonsense").get(PATH), 401, "token_invalid")
