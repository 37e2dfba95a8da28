"""GET /api/recipes and /api/recipes/{id}: the catalogue of recipes."""

from typing import Any

import pytest

from inventory.models import Recipe, RecipeIngredient
from inventory.tests.support import assert_read_once, life_ms, stored
from tests.support import Api, assert_problem, profession_id, recipe_id, resource_id

RECIPES = "/api/recipes"
GLUE = "boil-resin-into-grudge-glue"


def shown(api: Api, slug: str, query: str = "") -> Any:
    """A recipe as the list shows it, None where it does not."""
    return next((row for row in api.get(f"{RECIPES}{query}").json()["recipes"] if row["slug"] == slug), None)


def test_it_lists_every_recipe_with_its_ingredients(api: Api) -> None:
    # Queries of a miss: the recipes, their ingredients.
    answer = assert_read_once(api, RECIPES, budget=2)
    assert list(answer) == ["source", "recipes"]
    rows = answer["recipes"]
    assert len(rows) == Recipe.objects.count() >= 30
    assert rows == sorted(rows, key=lambda row: row["id"])
    assert sum(len(row["ingredients"]) for row in rows) == RecipeIngredient.objects.count()


def test_a_recipe_looks_like_this(api: Api) -> None:
    assert shown(api, GLUE) == {
        "id": recipe_id(GLUE), "slug": GLUE, "name": "Boil Resin into Grudge Glue",
        "output_resource_id": resource_id("grudge-glue"), "output_quantity": 2,
        "profession_id": profession_id("sawyer"), "required_level": 4, "base_experience": 22, "success_rate": 0.96,
        "ingredients": [
            {"resource_id": resource_id("amberweep-resin"), "quantity": 1},
            {"resource_id": resource_id("gossip-birch-bark"), "quantity": 2},
        ],
    }  # fmt: skip


def test_one_recipe_is_what_the_list_shows_of_it(api: Api) -> None:
    listed = shown(api, GLUE)
    # Queries of a miss: the recipe, its ingredients.
    assert assert_read_once(api, f"{RECIPES}/{listed['id']}", budget=2) == listed


def test_a_profession_shows_its_own(api: Api) -> None:
    sawyer = profession_id("sawyer")
    everything = api.get(RECIPES).json()["recipes"]
    expected = [row for row in everything if row["profession_id"] == sawyer]
    assert 0 < len(expected) < len(everything)
    assert assert_read_once(api, f"{RECIPES}?profession_id={sawyer}", budget=2)["recipes"] == expected


@pytest.mark.parametrize("profession", ["timberhand", None])
def test_a_profession_without_recipes_gives_an_empty_list_which_hits(api: Api, profession: str | None) -> None:
    number = profession_id(profession) if profession else 2**63 - 1
    # Query of a miss: the recipes; there are no ingredients to ask for.
    assert assert_read_once(api, f"{RECIPES}?profession_id={number}", budget=1)["recipes"] == []


@pytest.mark.parametrize("value", ["0", "-1", "x", "", "1.0", "true", str(2**63), "1" + "0" * 30, "1%00", "%D9%A1"])
def test_a_bad_profession_id_is_refused(api: Api, value: str) -> None:
    assert_problem(api.get(f"{RECIPES}?profession_id={value}"), 400, "invalid", "profession_id")


@pytest.mark.parametrize("query", ["level=1", "profession=sawyer", "profession_id=1&profession_id=2"])
def test_parameters_that_are_unknown_or_repeated_are_refused(api: Api, query: str) -> None:
    assert_problem(api.get(f"{RECIPES}?{query}"), 400, "invalid", query.split("=")[0])


@pytest.mark.parametrize("path", ["0", "-1", "x", str(2**31), str(2**63), "1" + "0" * 30, "%00"])
def test_an_id_that_names_nothing_is_not_found(api: Api, path: str) -> None:
    for _ in range(2):
        assert_problem(api.get(f"{RECIPES}/{path}"), 404, "not_found")


def test_redis_holds_each_filter_as_json_in_one_hash_for_at_most_an_hour(api: Api) -> None:
    sawyer = profession_id("sawyer")
    rows = api.get(f"{RECIPES}?profession_id={sawyer}").json()["recipes"]
    one = api.get(f"{RECIPES}/{rows[0]['id']}").json()
    assert stored("catalogue:recipes") == {
        f'{{"profession_id":{sawyer}}}': {"recipes": rows},
        f'{{"id":{one["id"]}}}': one,
    }
    assert 0 < life_ms("catalogue:recipes") <= 3_600_000


def _edit(recipe: Recipe) -> None:
    recipe.base_experience = 77
    recipe.save()


def _more_of_an_ingredient(recipe: Recipe) -> None:
    row = recipe.ingredients.earliest("pk")
    row.quantity = 9
    row.save()


def _another_ingredient(recipe: Recipe) -> None:
    recipe.ingredients.create(resource_id=resource_id("yawnwort"), quantity=5)


def _an_ingredient_less(recipe: Recipe) -> None:
    recipe.ingredients.earliest("pk").delete()


def _no_ingredients(recipe: Recipe) -> None:
    recipe.ingredients.all().delete()


EDITS = {
    _edit: lambda row: row["base_experience"] == 77,
    _more_of_an_ingredient: lambda row: row["ingredients"][0]["quantity"] == 9,
    _another_ingredient: lambda row: len(row["ingredients"]) == 3,
    _an_ingredient_less: lambda row: len(row["ingredients"]) == 1,
    _no_ingredients: lambda row: row["ingredients"] == [],
}


@pytest.mark.parametrize("edit", EDITS, ids=lambda edit: edit.__name__)
def test_an_operators_edit_is_in_the_very_next_read(api: Api, edit: Any) -> None:
    one = f"{RECIPES}/{recipe_id(GLUE)}"
    query = f"?profession_id={profession_id('sawyer')}"
    for path in (RECIPES, f"{RECIPES}{query}", one):
        api.get(path)
        assert api.get(path)["X-Cache"] == "HIT"
    assert not EDITS[edit](shown(api, GLUE))

    edit(Recipe.objects.get(slug=GLUE))

    after = api.get(one)
    assert after["X-Cache"] == "MISS"
    for row in (after.json(), shown(api, GLUE), shown(api, GLUE, query)):
        assert EDITS[edit](row), row


def test_a_deleted_recipe_is_gone_at_once(api: Api) -> None:
    one = f"{RECIPES}/{recipe_id(GLUE)}"
    assert api.get(one).status_code == 200
    assert shown(api, GLUE)
    Recipe.objects.get(slug=GLUE).delete()
    assert_problem(api.get(one), 404, "not_found")
    assert shown(api, GLUE) is None


def test_a_recipe_made_in_bulk_and_announced_is_there_at_once(api: Api) -> None:
    from bcraftd.cache import changed
    from bcraftd.transactions import atomic

    assert shown(api, "nap") is None
    copied = Recipe.objects.get(slug=GLUE)
    copied.pk, copied.slug, copied.name = None, "nap", "Nap"
    atomic(lambda: changed(Recipe.objects.bulk_create([copied])))()
    assert shown(api, "nap")
