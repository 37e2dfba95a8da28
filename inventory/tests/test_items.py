"""Items are conserved: what the database itself refuses, and what many actions at once come to."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import DatabaseError, IntegrityError, connection

from inventory.models import InventoryItem, ItemMovement, Recipe
from inventory.tests.support import assert_conserved, at_once, conditions, everything, join
from tests.support import Api, recipe_id, resource_id

LOG = "mutterwood-log"
PLANK = "mutterwood-plank"


def run(sql: str, *values: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql, values)


# --- The database refuses ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE inventory_itemmovement SET quantity = quantity + 1",
        "UPDATE inventory_itemmovement SET reference = 'x'",
        "DELETE FROM inventory_itemmovement",
    ],
)
def test_the_record_of_movements_is_append_only(ada: Api, sql: str) -> None:
    ada.grant(mutterwood_log=3)
    before = everything()
    with pytest.raises(DatabaseError, match="Cannot update or delete rows from inventory_itemmovement"):
        run(sql)
    assert everything() == before


@pytest.mark.parametrize("quantity", [-1, -(2**62), 2**53, 2**62])
def test_a_holding_is_never_negative_and_never_past_its_limit(ada: Api, quantity: int) -> None:
    ada.grant(mutterwood_log=3)
    with pytest.raises(IntegrityError, match="inventoryitem_range"):
        run("UPDATE inventory_inventoryitem SET quantity = %s", quantity)
    assert ada.holds(LOG) == 3


def test_a_holding_is_unique_and_stays_its_holders(ada: Api, bob: Api) -> None:
    ada.grant(mutterwood_log=3)
    with pytest.raises(IntegrityError, match="inventoryitem_unique"):
        InventoryItem.objects.create(player_id=ada.id, resource_id=resource_id(LOG), quantity=1)
    with pytest.raises(DatabaseError, match="Cannot update rows from inventory_inventoryitem"):
        run("UPDATE inventory_inventoryitem SET player_id = %s", bob.id)
    with pytest.raises(DatabaseError, match="Cannot update rows from inventory_inventoryitem"):
        run("UPDATE inventory_inventoryitem SET resource_id = %s", resource_id("yawnwort"))


REASONS_IN = ["gather", "craft_out", "escrow_return", "purchase", "grant"]
REASONS_OUT = ["craft_in", "escrow"]


@pytest.mark.parametrize(
    ("reason", "quantity"),
    [*((reason, -1) for reason in REASONS_IN), *((reason, 1) for reason in REASONS_OUT), ("theft", 1), ("theft", -1)],
)
def test_a_movement_has_a_known_reason_and_its_sign(ada: Api, reason: str, quantity: int) -> None:
    with pytest.raises(IntegrityError, match="itemmovement_reason_sign"):
        ItemMovement.objects.create(player_id=ada.id, resource_id=resource_id(LOG), quantity=quantity, reason=reason)


@pytest.mark.parametrize("reason", [*REASONS_IN, *REASONS_OUT])
def test_a_movement_of_nothing_is_none(ada: Api, reason: str) -> None:
    with pytest.raises(IntegrityError, match=r"itemmovement_(not_zero|reason_sign)"):
        ItemMovement.objects.create(player_id=ada.id, resource_id=resource_id(LOG), quantity=0, reason=reason)


@pytest.mark.parametrize(
    ("sql", "constraint"),
    [
        ("UPDATE inventory_resource SET base_value = 0", "resource_base_value_positive"),
        ("UPDATE inventory_resource SET stack_size = 0", "resource_stack_size_positive"),
        ("UPDATE inventory_resource SET profession_id = NULL", "resource_gatherable_has_profession"),
        ("UPDATE inventory_resource SET gatherable = NOT gatherable", "resource_gatherable_has_profession"),
        ("UPDATE inventory_rarity SET value_multiplier = 0", "rarity_positive"),
        ("UPDATE inventory_rarity SET drop_weight = -1", "rarity_positive"),
        ("UPDATE inventory_profession SET kind = 'idling'", "profession_kind_known"),
        ("UPDATE inventory_recipe SET output_quantity = 0", "recipe_output_positive"),
        ("UPDATE inventory_recipe SET required_level = 0", "recipe_level_range"),
        ("UPDATE inventory_recipe SET required_level = 51", "recipe_level_range"),
        ("UPDATE inventory_recipe SET success_rate = 0", "recipe_success_range"),
        ("UPDATE inventory_recipe SET success_rate = 1.001", "recipe_success_range"),
        ("UPDATE inventory_recipeingredient SET quantity = 0", "recipeingredient_positive"),
        ("UPDATE inventory_playerprofession SET level = 0", "playerprofession_level_range"),
        ("UPDATE inventory_playerprofession SET level = 51", "playerprofession_level_range"),
        ("UPDATE inventory_playerprofession SET experience = -1", "playerprofession_experience_range"),
    ],
)
def test_the_database_keeps_the_catalogue_and_the_levels_in_their_bounds(ada: Api, sql: str, constraint: str) -> None:
    join(ada, "sawyer")
    with pytest.raises(IntegrityError, match=constraint):
        run(sql)


def test_a_recipe_names_an_ingredient_once(world: None) -> None:
    ingredient = Recipe.objects.get(pk=recipe_id("saw-mutterwood-planks")).ingredients.get()
    ingredient.pk = None
    with pytest.raises(IntegrityError, match="recipeingredient_unique"):
        ingredient.save()


# --- Many actions --------------------------------------------------------------------------------------------


def work(player: Api) -> list[Callable[[], Any]]:
    """Gathers and crafts that all touch the player's logs."""

    def gather() -> Any:
        return player.post("/api/gather", resource_id=resource_id(LOG))

    def craft() -> Any:
        return player.post("/api/craft", recipe_id=recipe_id("saw-mutterwood-planks"), quantity=2)

    return [gather, craft] * 4


def moved(answers: list[Any], slug: str) -> int:
    """What the answers say was won or lost of a resource."""
    total = 0
    for answer in answers:
        if answer.status_code == 200:
            body = answer.json()
            gained = body.get("produced", [body])
            total += sum(row["quantity"] for row in gained if row["resource_id"] == resource_id(slug))
            total -= sum(row["quantity"] for row in body.get("consumed", []) if row["resource_id"] == resource_id(slug))
    return total


def test_after_a_mix_of_actions_the_movements_sum_to_what_is_held(ada: Api, bob: Api) -> None:
    conditions(gathering="0.7", crafting="0.7")
    for player in (ada, bob):
        join(player, "timberhand", "sawyer")
        player.grant(mutterwood_log=30)
        for action in work(player):
            assert action().status_code == 200
    listing = ada.sells(LOG, 5, 3)
    bob.post(f"/api/market/listings/{listing['id']}/buy", quantity=2)
    assert_conserved()
    ada.post(f"/api/market/listings/{listing['id']}/cancel")
    assert_conserved()


def test_actions_of_one_player_at_once_lose_nothing_and_count_everything(ada: Api) -> None:
    conditions()
    join(ada, "timberhand", "sawyer")
    ada.grant(mutterwood_log=30)
    answers = at_once(*work(ada))
    assert [answer.status_code for answer in answers] == [200] * 8
    assert ada.holds(LOG) == 30 + moved(answers, LOG)
    assert ada.holds(PLANK) == moved(answers, PLANK)
    assert_conserved()
    me = ada.get("/api/auth/me").json()
    gained = sum(answer.json()["experience_gained"] for answer in answers)
    assert me["experience"] == sum(row["experience"] for row in me["professions"]) == gained
    crafted = sum(row["quantity"] for answer in answers for row in answer.json().get("produced", []))
    assert me["statistics"]["items_crafted"] == crafted
    assert me["statistics"]["items_gathered"] == sum(answer.json().get("quantity", 0) for answer in answers)


def test_crafts_at_once_never_use_an_ingredient_twice(ada: Api) -> None:
    join(ada, "sawyer")
    ada.grant(mutterwood_log=13)
    craft = work(ada)[1]
    answers = at_once(*[craft] * 6)
    assert sorted(answer.status_code for answer in answers) == [200, 200, 409, 409, 409, 409]
    assert ada.holds(LOG) == 1
    assert_conserved()


def test_two_players_who_gather_the_same_thing_at_once_get_each_their_own(ada: Api, bob: Api) -> None:
    conditions()
    for player in (ada, bob):
        join(player, "timberhand", "sawyer")
        player.grant(mutterwood_log=24)
    answers = at_once(*work(ada), *work(bob))
    assert all(answer.status_code == 200 for answer in answers)
    assert ada.holds(LOG) == 24 + moved(answers[:8], LOG)
    assert bob.holds(LOG) == 24 + moved(answers[8:], LOG)
    assert_conserved()


def test_listing_and_crafting_at_once_never_spend_the_same_log(ada: Api) -> None:
    join(ada, "sawyer")
    ada.grant(mutterwood_log=6)
    wood = resource_id(LOG)

    def sell() -> Any:
        return ada.post("/api/market/listings", resource_id=wood, quantity=6, unit_price=1)

    answers = at_once(sell, work(ada)[1], sell, work(ada)[1])
    assert sum(answer.status_code in (200, 201) for answer in answers) == 1
    assert ada.holds(LOG) == 0
    assert_conserved()
