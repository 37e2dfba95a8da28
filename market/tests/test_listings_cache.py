"""GET /api/market/listings from Redis: a hit asks PostgreSQL nothing, and no page is ever older than the last write."""

import json
from typing import Any

import pytest

from accounts.models import Player
from bcraftd.cache import scripts, store
from inventory.models import Resource
from inventory.tests.support import assert_read_once, life_ms, stored
from market.models import Listing
from market.tests.support import ids, runs_out
from tests.processes import wait_until
from tests.servers import redis_start, redis_stop
from tests.support import Api, queries, resource_id

PATH = "/api/market/listings"
ALL = "market:listings:active:all"


def _key(slug: str) -> str:
    return f"market:listings:active:{resource_id(slug)}"


@pytest.fixture
def offer(ada: Api) -> dict[str, Any]:
    """Nine logs at 30 coins each."""
    ada.grant(mutterwood_log=20)
    return ada.sells("mutterwood-log", 9, 30)


def test_the_second_reader_is_answered_from_redis(offer: dict[str, Any], api: Api) -> None:
    # Query of a miss: the page with names and logins.
    assert assert_read_once(api, PATH, budget=1)["listings"] == [offer]
    assert assert_read_once(api, f"{PATH}?resource_id={offer['resource_id']}", budget=1)["listings"] == [offer]


def test_an_empty_page_is_a_value_and_hits(api: Api) -> None:
    assert assert_read_once(api, PATH, budget=1)["listings"] == []
    # Queries of a miss: the page, and whether the resource exists.
    assert assert_read_once(api, f"{PATH}?resource_id={resource_id('yawnwort')}", budget=2)["listings"] == []


def test_the_key_is_a_hash_of_readable_pages_that_lives_a_minute_at_most(offer: dict[str, Any], api: Api) -> None:
    api.get(f"{PATH}?limit=5&ordering=-created_at")
    api.get(f"{PATH}?resource_id={offer['resource_id']}")

    pages = stored(ALL)
    assert [json.loads(name) for name in pages] == [{"limit": 5, "ordering": "-created_at"}]
    assert list(pages.values()) == [{"listings": [offer], "next": None}]
    assert list(stored(_key("mutterwood-log")).values()) == [{"listings": [offer], "next": None}]
    for key in (ALL, _key("mutterwood-log")):
        assert store.client().type(key) == b"hash"
        assert 0 < life_ms(key) <= 60_000


def test_the_same_page_asked_in_another_way_hits(offer: dict[str, Any], api: Api) -> None:
    api.get(PATH)

    assert api.get(f"{PATH}?ordering=unit_price&limit=50")["X-Cache"] == "HIT"
    assert api.get(f"{PATH}?limit=050&ordering=unit_price")["X-Cache"] == "HIT"
    assert api.get(f"{PATH}?limit=49")["X-Cache"] == "MISS"


def test_a_page_never_outlives_the_first_listing_that_runs_out(offer: dict[str, Any], ada: Api, api: Api) -> None:
    later = ada.sells("mutterwood-log", 1, 10)
    runs_out(offer["id"], seconds=20)

    assert ids(api.get(f"{PATH}?max_price=10")) == [later["id"]]
    assert 20_000 < life_ms(ALL) <= 60_000, "the page without the other listing"
    assert ids(api.get(PATH)) == [later["id"], offer["id"]]
    assert 0 < life_ms(ALL) <= 20_000, "all pages of a key end with the first of them"


def test_what_runs_out_leaves_the_page_without_any_write(offer: dict[str, Any], api: Api) -> None:
    runs_out(offer["id"], seconds=1.5)
    assert ids(api.get(PATH)) == [offer["id"]]

    wait_until(lambda: ids(api.get(PATH)) == [], "the listing ran out and left the page")

    assert Listing.objects.get().status == "active", "nobody has swept"


@pytest.mark.parametrize("write", ["list", "buy a part", "buy all", "cancel", "expire"])
def test_every_write_is_seen_by_the_next_reader(offer: dict[str, Any], ada: Api, bob: Api, write: str) -> None:
    pages = [PATH, f"{PATH}?resource_id={offer['resource_id']}", f"{PATH}?seller_id={ada.id}&ordering=-created_at"]
    for page in pages:
        assert bob.get(page)["X-Cache"] == "MISS"
        assert bob.get(page)["X-Cache"] == "HIT"

    remaining = {"list": [9, 5], "buy a part": [7]}.get(write, [])
    if write == "list":
        ada.sells("mutterwood-log", 5, 31)
    elif write == "expire":
        from market.services import listings_expire

        runs_out(offer["id"], seconds=-1)
        assert listings_expire() == 1
    else:
        path, body = {"buy a part": ("buy", {"quantity": 2}), "buy all": ("buy", {}), "cancel": ("cancel", {})}[write]
        assert (ada if path == "cancel" else bob).post(f"{PATH}/{offer['id']}/{path}", **body).status_code == 200

    for page in pages:
        answer = bob.get(page)
        assert answer["X-Cache"] == "MISS"
        assert sorted(row["remaining"] for row in answer.json()["listings"]) == sorted(remaining)


def test_a_write_leaves_the_pages_of_other_resources_be(offer: dict[str, Any], ada: Api, api: Api) -> None:
    ada.grant(yawnwort=1)
    api.get(f"{PATH}?resource_id={offer['resource_id']}")

    ada.sells("yawnwort", 1, 5)

    assert api.get(f"{PATH}?resource_id={offer['resource_id']}")["X-Cache"] == "HIT"


def test_a_renamed_resource_has_its_new_name_on_every_page_at_once(offer: dict[str, Any], api: Api) -> None:
    pages = (PATH, f"{PATH}?resource_id={offer['resource_id']}")
    for page in pages:
        api.get(page)
    resource = Resource.objects.get(pk=offer["resource_id"])
    resource.name = "Whisperwood log"
    resource.save()

    assert [api.get(page).json()["listings"][0]["resource_name"] for page in pages] == ["Whisperwood log"] * 2


def test_a_renamed_seller_has_the_new_login_on_every_page_at_once(offer: dict[str, Any], ada: Api, api: Api) -> None:
    pages = (PATH, f"{PATH}?resource_id={offer['resource_id']}")
    for page in pages:
        api.get(page)
    player = Player.objects.get(pk=ada.id)
    player.login = "ada-the-second"
    player.save()

    assert [api.get(page).json()["listings"][0]["seller_login"] for page in pages] == ["ada-the-second"] * 2


def test_the_tag_names_the_data_whatever_its_source(offer: dict[str, Any], ada: Api, api: Api) -> None:
    tag = api.get(PATH)["ETag"]

    same = api.get(PATH, If_None_Match=f'"other", {tag}')
    ada.sells("mutterwood-log", 1, 31)
    other = api.get(PATH, If_None_Match=tag)

    assert (same.status_code, same.content, same["X-Cache"]) == (304, b"", "HIT")
    assert (other.status_code, other["X-Cache"]) == (200, "MISS")
    assert other["ETag"] != tag


@pytest.mark.parametrize("query", ["", "&seller_id=5", "&cursor=nonsense"])
def test_a_made_up_resource_leaves_nothing_in_redis(api: Api, query: str) -> None:
    for number in (999_999, 2**63 - 1):
        assert api.get(f"{PATH}?resource_id={number}{query}").status_code in (200, 400)

    assert list(store.scan("*market:*")) == []


def test_made_up_queries_fill_the_hash_to_its_cap_and_no_further(
    offer: dict[str, Any], api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scripts, "MAX_VARIANTS", 5)
    for price in range(1, 9):
        assert ids(api.get(f"{PATH}?max_price={price}")) == []

    assert store.client().hlen(ALL) == 5
    assert api.get(f"{PATH}?max_price=5")["X-Cache"] == "HIT"
    over = api.get(f"{PATH}?max_price=30")
    assert (over["X-Cache"], ids(over)) == ("MISS", [offer["id"]])
    assert store.client().hlen(ALL) == 5
    assert list(store.scan("lease:market:*")) == [], "a refused fill keeps no lease"


def test_the_cap_stands_at_two_hundred_pages_of_one_list(offer: dict[str, Any], api: Api) -> None:
    for price in range(1, scripts.MAX_VARIANTS + 6):
        api.get(f"{PATH}?min_price={price}")

    assert store.client().hlen(ALL) == scripts.MAX_VARIANTS == 200


def test_without_redis_the_page_is_read_from_postgresql(offer: dict[str, Any], ada: Api, api: Api) -> None:
    api.get(PATH)
    redis_stop()
    try:
        with queries() as sql:
            answer = api.get(PATH)
        assert (answer["X-Cache"], answer.json()["source"], ids(answer)) == ("BYPASS", "database", [offer["id"]])
        assert len(sql) == 1
        made = ada.sells("mutterwood-log", 1, 1)
        assert ids(api.get(PATH)) == [made["id"], offer["id"]]
    finally:
        redis_start()

    wait_until(lambda: api.get(PATH)["X-Cache"] == "HIT", "reads come from Redis again")
    assert ids(api.get(PATH)) == [made["id"], offer["id"]], "the drop that Redis did not take was made up for"


def test_a_page_never_outlives_the_listing_behind_it_that_makes_it_have_a_next_one(
    offer: dict[str, Any], ada: Api, api: Api
) -> None:
    later = ada.sells("mutterwood-log", 1, 40)
    runs_out(later["id"], seconds=20)
    assert api.get(f"{PATH}?limit=1").json()["next"] is not None

    assert 0 < life_ms(ALL) <= 20_000
