"""GET /api/inventory: what a player holds, never older than the last change."""

from collections.abc import Callable
from datetime import datetime

import pytest

from inventory.models import InventoryItem, Resource
from inventory.tests.support import assert_read_once, clock, conditions, join, life_ms, stored
from market.services import listings_expire
from tests.support import Api, assert_problem, recipe_id, resource_id

INVENTORY = "/api/inventory"
LOG = "mutterwood-log"


def test_it_names_every_kind_of_thing_held_in_stacks_that_are_rounded_up(ada: Api) -> None:
    ada.grant(mutterwood_log=100, waking_bell=2)
    # Queries of a miss: the inventory with its resources.
    answer = assert_read_once(ada, INVENTORY, budget=1)
    assert answer == {
        "source": "database",
        "inventory": [
            {
                "resource_id": resource_id(LOG), "slug": LOG, "name": "Mutterwood Log",
                "rarity": "common", "quantity": 100, "stacks": 2,
            },
            {
                "resource_id": resource_id("waking-bell"), "slug": "waking-bell", "name": "Waking Bell",
                "rarity": "mythic", "quantity": 2, "stacks": 2,
            },
        ],
    }  # fmt: skip


@pytest.mark.parametrize(("quantity", "stacks"), [(1, 1), (98, 1), (99, 1), (100, 2), (198, 2), (2**53 - 1, None)])
def test_a_stack_size_shapes_what_is_shown_and_limits_nothing(ada: Api, quantity: int, stacks: int | None) -> None:
    ada.grant(mutterwood_log=quantity)
    row = ada.get(INVENTORY).json()["inventory"][0]
    assert (row["quantity"], row["stacks"]) == (quantity, stacks or (2**53 - 1) // 99 + 1)


def test_an_empty_inventory_is_a_value_and_hits(ada: Api) -> None:
    assert assert_read_once(ada, INVENTORY, budget=1) == {"source": "database", "inventory": []}


def test_redis_holds_it_as_json_for_at_most_thirty_seconds(ada: Api) -> None:
    ada.grant(mutterwood_log=3)
    shown = ada.get(INVENTORY).json()["inventory"]
    key = f"inventory:user:{ada.id}"
    assert stored(key)["inventory"] == shown
    assert 0 < life_ms(key) <= 30_000


def _gathers(ada: Api, bob: Api) -> int:
    gained = ada.post("/api/gather", resource_id=resource_id(LOG)).json()["quantity"]
    assert gained >= 1
    return 20 + int(gained)


def _crafts(ada: Api, bob: Api) -> int:
    assert ada.post("/api/craft", recipe_id=recipe_id("saw-mutterwood-planks"), quantity=2).status_code == 200
    return 20 - 6


def _lists(ada: Api, bob: Api) -> int:
    ada.sells(LOG, 5, 10)
    return 20 - 5


def _buys(ada: Api, bob: Api) -> int:
    listing = bob.sells(LOG, 4, 1)
    assert ada.post(f"/api/market/listings/{listing['id']}/buy", quantity=3).status_code == 200
    return 20 + 3


def _cancels(ada: Api, bob: Api) -> int:
    listing = ada.sells(LOG, 5, 10)
    assert ada.holds(LOG) == 15
    assert ada.post(f"/api/market/listings/{listing['id']}/cancel").status_code == 200
    return 20


def _lets_a_listing_expire(ada: Api, bob: Api) -> int:
    listing = ada.sells(LOG, 6, 10)
    assert ada.holds(LOG) == 14
    with clock(datetime.fromisoformat(listing["expires_at"])):
        assert listings_expire() == 1
    return 20


def _is_granted(ada: Api, bob: Api) -> int:
    ada.grant(mutterwood_log=3)
    return 23


CHANGES = [_gathers, _crafts, _lists, _buys, _cancels, _lets_a_listing_expire, _is_granted]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_the_very_next_read_after_a_change_shows_it(ada: Api, bob: Api, change: Callable[[Api, Api], int]) -> None:
    conditions()
    ada.grant(mutterwood_log=20)
    bob.grant(mutterwood_log=4)
    join(ada, "timberhand", "sawyer")
    assert ada.holds(LOG) == 20
    assert ada.get(INVENTORY)["X-Cache"] == "HIT"

    expected = change(ada, bob)

    after = ada.get(INVENTORY)
    assert after["X-Cache"] == "MISS"
    assert {row["slug"]: row["quantity"] for row in after.json()["inventory"]}[LOG] == expected
    assert ada.get(INVENTORY)["X-Cache"] == "HIT"
    assert ada.holds(LOG) == expected


def test_selling_changes_the_buyers_inventory_and_leaves_the_sellers_cached(ada: Api, bob: Api) -> None:
    ada.grant(mutterwood_log=5)
    listing = ada.sells(LOG, 5, 1)
    assert (ada.holds(LOG), bob.holds(LOG)) == (0, 0)
    assert bob.post(f"/api/market/listings/{listing['id']}/buy").status_code == 200
    assert ada.get(INVENTORY)["X-Cache"] == "HIT"
    assert bob.get(INVENTORY)["X-Cache"] == "MISS"
    assert (ada.holds(LOG), bob.holds(LOG)) == (0, 5)


def test_what_is_used_up_is_not_shown_though_its_row_stays(ada: Api) -> None:
    ada.grant(mutterwood_log=5, yawnwort=1)
    ada.sells(LOG, 5, 1)
    assert InventoryItem.objects.get(player_id=ada.id, resource__slug=LOG).quantity == 0
    assert [row["slug"] for row in ada.get(INVENTORY).json()["inventory"]] == ["yawnwort"]


def test_a_renamed_resource_is_renamed_in_every_inventory_at_once(ada: Api, bob: Api) -> None:
    for player in (ada, bob):
        player.grant(mutterwood_log=1)
        player.get(INVENTORY)
        assert player.get(INVENTORY)["X-Cache"] == "HIT"
    resource = Resource.objects.get(slug=LOG)
    resource.name, resource.stack_size = "Murmurwood Log", 1
    resource.save()
    for player in (ada, bob):
        after = player.get(INVENTORY)
        assert after["X-Cache"] == "MISS"
        assert after.json()["inventory"][0]["name"] == "Murmurwood Log"
        assert player.get(INVENTORY)["X-Cache"] == "HIT"


def test_an_inventory_of_another_generation_is_not_served_even_if_its_key_is_there(ada: Api) -> None:
    from bcraftd.cache import store

    ada.get(INVENTORY)
    store.client().delete("gen:inventory")
    assert store.client().exists(f"inventory:user:{ada.id}")
    assert ada.get(INVENTORY)["X-Cache"] == "MISS"
    assert ada.get(INVENTORY)["X-Cache"] == "HIT"


def test_each_player_sees_their_own(ada: Api, bob: Api) -> None:
    ada.grant(mutterwood_log=7)
    assert (ada.holds(LOG), bob.holds(LOG)) == (7, 0)
    assert (ada.holds(LOG), bob.holds(LOG)) == (7, 0)


def test_it_needs_a_player_and_takes_no_parameter(ada: Api, api: Api) -> None:
    assert_problem(api.get(INVENTORY), 401, "not_authenticated")
    assert_problem(ada.get(f"{INVENTORY}?player_id={ada.id}"), 400, "invalid", "player_id")
    assert_problem(ada.post(INVENTORY), 405, "method_not_allowed")
