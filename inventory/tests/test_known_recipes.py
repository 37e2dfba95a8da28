"""GET /api/recipes/known: what a player may craft, and what is lacking for it."""

from collections.abc import Callable
from typing import Any

import pytest

from inventory.models import Recipe, Resource
from inventory.tests.support import assert_read_once, conditions, join, life_ms, practise, stored
from tests.support import Api, assert_problem, recipe_id, resource_id

KNOWN = "/api/recipes/known"
PLANKS = "saw-mutterwood-planks"


def known(player: Api) -> dict[str, Any]:
    return {row["slug"]: row for row in player.get(KNOWN).json()["recipes"]}


def test_who_has_no_profession_knows_nothing_and_that_hits(ada: Api) -> None:
    # Queries of a miss: the recipes (none, so that no ingredients are asked for), what is held.
    assert assert_read_once(ada, KNOWN, budget=2) == {"source": "database", "recipes": []}


def test_it_tells_what_is_lacking_for_one_attempt(ada: Api) -> None:
    join(ada, "sawyer", "toolwright")
    ada.grant(mutterwood_log=3)
    # Queries of a miss: the recipes, their ingredients, what is held.
    assert assert_read_once(ada, KNOWN, budget=3) == {
        "source": "database",
        "recipes": [
            {
                "id": recipe_id(PLANKS), "slug": PLANKS, "name": "Saw Mutterwood Planks",
                "craftable": True, "missing": [],
            },
            {
                "id": recipe_id("whittle-a-mutterwood-mallet"), "slug": "whittle-a-mutterwood-mallet",
                "name": "Whittle a Mutterwood Mallet", "craftable": False,
                "missing": [{"resource_id": resource_id("mutterwood-log"), "quantity": 1}],
            },
        ],
    }  # fmt: skip


def test_what_is_craftable_can_be_crafted_and_what_is_not_cannot(ada: Api) -> None:
    join(ada, "sawyer", "toolwright")
    ada.grant(mutterwood_log=3)
    for row in known(ada).values():
        answer = ada.post("/api/craft", recipe_id=row["id"])
        assert answer.status_code == (200 if row["craftable"] else 409)


@pytest.mark.parametrize(
    ("level", "slugs"),
    [(1, {PLANKS}), (2, {PLANKS}), (3, {PLANKS, "press-gossip-paper"}), (50, None)],
)
def test_the_level_decides_which_are_known(ada: Api, level: int, slugs: set[str] | None) -> None:
    join(ada, "sawyer")
    practise(ada, "sawyer", level)
    everything = set(Recipe.objects.filter(profession__slug="sawyer").values_list("slug", flat=True))
    assert set(known(ada)) == (everything if slugs is None else slugs)


def test_neither_another_players_level_nor_another_profession_counts(ada: Api, bob: Api) -> None:
    join(ada, "sawyer", "furnacer")
    join(bob, "sawyer")
    practise(ada, "furnacer", 50)
    practise(bob, "sawyer", 50)
    assert {slug for slug in known(ada) if Recipe.objects.get(slug=slug).profession.slug == "sawyer"} == {PLANKS}


def test_redis_holds_it_as_json_in_a_hash_for_at_most_five_minutes(ada: Api) -> None:
    join(ada, "sawyer")
    shown = ada.get(KNOWN).json()["recipes"]
    key = f"recipes:user:{ada.id}"
    assert list(stored(key)) == ["{}"]
    assert stored(key)["{}"]["recipes"] == shown
    assert 0 < life_ms(key) <= 300_000


def _gains_an_ingredient(ada: Api) -> None:
    ada.grant(mutterwood_log=1)


def _gathers_an_ingredient(ada: Api) -> None:
    conditions()
    assert ada.post("/api/gather", resource_id=resource_id("mutterwood-log")).json()["quantity"] >= 1


def _buys_an_ingredient(ada: Api) -> None:
    bob = Api.signed_up("bob", "correct horse battery")
    bob.grant(mutterwood_log=1)
    listing = bob.sells("mutterwood-log", 1, 1)
    assert ada.post(f"/api/market/listings/{listing['id']}/buy").status_code == 200


def _is_easier_by_edit(ada: Api) -> None:
    ingredient = Recipe.objects.get(slug=PLANKS).ingredients.get()
    ingredient.quantity = 2
    ingredient.save()


def _loses_its_ingredient(ada: Api) -> None:
    Recipe.objects.get(slug=PLANKS).ingredients.get().delete()


@pytest.mark.parametrize(
    "change",
    [_gains_an_ingredient, _gathers_an_ingredient, _buys_an_ingredient, _is_easier_by_edit, _loses_its_ingredient],
    ids=lambda change: change.__name__,
)
def test_the_very_next_read_knows_that_a_recipe_became_craftable(ada: Api, change: Callable[[Api], None]) -> None:
    join(ada, "timberhand", "sawyer")
    ada.grant(mutterwood_log=2)
    assert known(ada)[PLANKS]["craftable"] is False
    assert ada.get(KNOWN)["X-Cache"] == "HIT"
    change(ada)
    after = ada.get(KNOWN)
    assert after["X-Cache"] == "MISS"
    assert (after.json()["recipes"][0]["craftable"], after.json()["recipes"][0]["missing"]) == (True, [])


def test_the_very_next_read_knows_that_the_ingredients_are_gone(ada: Api) -> None:
    join(ada, "sawyer")
    ada.grant(mutterwood_log=6)
    assert known(ada)[PLANKS]["craftable"]
    ada.sells("mutterwood-log", 5, 1)
    assert known(ada)[PLANKS]["missing"] == [{"resource_id": resource_id("mutterwood-log"), "quantity": 2}]


def test_a_level_gained_by_crafting_is_in_the_very_next_read(ada: Api) -> None:
    join(ada, "sawyer")
    ada.grant(mutterwood_log=300)
    assert set(known(ada)) == {PLANKS}
    answer = ada.post("/api/craft", recipe_id=recipe_id(PLANKS), quantity=100).json()
    assert answer["profession_level"] >= 3
    assert "press-gossip-paper" in known(ada)


def test_a_profession_is_in_the_very_next_read_after_joining_and_gone_after_leaving(ada: Api) -> None:
    assert known(ada) == {}
    join(ada, "sawyer")
    assert set(known(ada)) == {PLANKS}
    ada_as_sawyer = Recipe.objects.get(slug=PLANKS).profession.playerprofession_set.get(player_id=ada.id)
    ada_as_sawyer.delete()
    assert known(ada) == {}


def test_an_edited_recipe_is_in_everybodys_very_next_read(ada: Api, bob: Api) -> None:
    for player in (ada, bob):
        join(player, "sawyer")
        known(player)
        assert player.get(KNOWN)["X-Cache"] == "HIT"
    recipe = Recipe.objects.get(slug=PLANKS)
    recipe.name = "Rip Planks"
    recipe.save()
    assert [known(player)[PLANKS]["name"] for player in (ada, bob)] == ["Rip Planks", "Rip Planks"]
    recipe.required_level = 2
    recipe.save()
    assert known(ada) == known(bob) == {}
    recipe.required_level = 1
    recipe.save()
    assert PLANKS in known(ada)
    recipe.delete()
    assert known(ada) == known(bob) == {}


def test_experience_that_gives_no_level_and_another_players_goods_leave_it_cached(ada: Api, bob: Api) -> None:
    join(ada, "timberhand", "sawyer")
    # Nothing of so rare a find comes in such a season, but the experience does.
    conditions(gathering="0")
    ada.get(KNOWN)
    assert ada.post("/api/gather", resource_id=resource_id("lullaby-heartwood")).json()["quantity"] == 0
    bob.grant(mutterwood_log=5)
    resource = Resource.objects.get(slug="mutterwood-log")
    resource.base_value += 1
    resource.save()
    assert ada.get(KNOWN)["X-Cache"] == "HIT"


def test_it_needs_a_player_and_takes_no_parameter(ada: Api, api: Api) -> None:
    assert_problem(api.get(KNOWN), 401, "not_authenticated")
    assert_problem(ada.get(f"{KNOWN}?level=1"), 400, "invalid", "level")
    assert_problem(ada.post(KNOWN), 405, "method_not_allowed")
