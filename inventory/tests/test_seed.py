"""manage.py seed: the starting catalogue, once and again."""

import json
import re
from decimal import Decimal
from io import StringIO
from statistics import mean

import pytest
from django.core.management import call_command
from django.db.models import Model

from bcraftd.leveling import experience_for
from environment.models import Season, Weather
from inventory import rules
from inventory.api.serializers import RARITIES as RARITIES_IN_THE_API
from inventory.models import Profession, Rarity, Recipe, RecipeIngredient, Resource
from inventory.seeding import RARITIES
from inventory.tests import test_catalogue as promised
from tests.support import Api, clean_world

TABLES: list[type[Model]] = [Rarity, Profession, Resource, Recipe, RecipeIngredient, Season, Weather]


def seed() -> int:
    out = StringIO()
    call_command("seed", "--json", stdout=out)
    report = json.loads(out.getvalue())
    assert list(report) == ["created"]
    return int(report["created"])


def rows() -> list[list[dict[str, object]]]:
    return [list(model._default_manager.order_by("pk").values()) for model in TABLES]


def test_it_loads_the_catalogue_into_an_empty_world(world: None) -> None:
    clean_world()
    created = seed()
    counts = {model.__name__: model._default_manager.count() for model in TABLES}
    assert created == sum(counts.values())
    assert counts["Resource"] >= 40
    assert counts["Recipe"] >= 30
    assert counts["Profession"] >= 12
    assert (counts["Rarity"], counts["Season"], counts["Weather"]) == (5, 4, 5)


def test_every_row_is_what_the_catalogue_says(world: None) -> None:
    for resource in Resource.objects.select_related("profession"):
        entry = promised.RESOURCES[resource.slug]
        assert (resource.name, resource.kind, resource.rarity_id) == (entry["name"], entry["kind"], entry["rarity"])
        assert (resource.base_value, resource.stack_size) == (entry["base_value"], entry.get("stack_size", 99))
        assert resource.tradeable == entry.get("tradeable", True)
        assert (resource.profession.slug if resource.profession else None) == entry.get("gathered_by")
        assert resource.gatherable == ("gathered_by" in entry)
    entries = {entry["slug"]: entry for entry in promised.RECIPES}
    for recipe in Recipe.objects.select_related("profession", "output_resource"):
        entry = entries[recipe.slug]
        assert (recipe.profession.slug, recipe.output_resource.slug) == (entry["profession"], entry["output"])
        for name in ("name", "output_quantity", "required_level", "base_experience", "success_rate"):
            assert getattr(recipe, name) == entry[name]
        ingredients = recipe.ingredients.values_list("resource__slug", "quantity")
        assert dict(ingredients) == entry["ingredients"]


def test_again_it_changes_nothing(world: None) -> None:
    before = rows()
    assert seed() == 0
    assert rows() == before


def test_what_operators_changed_stays(world: None) -> None:
    Resource.objects.filter(slug="yawnwort").update(name="Bogyawn", base_value=9)
    Recipe.objects.filter(slug="press-yawn-oil").update(required_level=7)
    Rarity.objects.filter(slug="mythic").update(drop_weight=Decimal("0.5"))
    RecipeIngredient.objects.filter(recipe__slug="smelt-a-rustbelly-ingot", resource__slug="coughcoal").delete()
    Resource.objects.create(slug="pebble", name="Pebble", kind="ore", rarity_id="common", base_value=1)
    before = rows()
    assert seed() == 0
    assert rows() == before


def test_only_what_is_missing_is_made(world: None) -> None:
    Recipe.objects.get(slug="press-yawn-oil").delete()
    assert seed() == 1 + len({entry["slug"]: entry for entry in promised.RECIPES}["press-yawn-oil"]["ingredients"])
    assert Recipe.objects.get(slug="press-yawn-oil").ingredients.get().quantity == 4
    assert seed() == 0


def test_what_it_makes_is_in_the_very_next_read(api: Api) -> None:
    paths = {"resources": "/api/resources", "recipes": "/api/recipes", "professions": "/api/professions"}
    RecipeIngredient.objects.all().delete()
    for model in (Recipe, Resource, Profession):
        model._default_manager.all().delete()
    for name, path in paths.items():
        assert api.get(path).json()[name] == []
        assert api.get(path)["X-Cache"] == "HIT"
    seed()
    for name, path in paths.items():
        assert len(api.get(path).json()[name]) >= 12


def test_it_tells_people_how_many_rows_were_made(world: None, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("seed")
    assert capsys.readouterr().out == "created: 0\n"


def test_the_rules_that_the_catalogue_is_balanced_for_are_those_of_the_game() -> None:
    assert {slug: Decimal(value) for slug, value, _ in RARITIES} == promised.VALUE_MULTIPLIER
    assert {slug: weight for slug, _, weight in RARITIES} == promised.DROP_WEIGHT
    assert [slug for slug, *_ in RARITIES] == RARITIES_IN_THE_API
    assert set(Resource.Kind.values) == promised.KINDS
    low, high = rules.ROLL
    assert mean(range(low, high + 1)) == promised.MEAN_BASE_ROLL
    assert experience_for(2) - experience_for(1) == promised.XP_FOR_NEXT_LEVEL
    # Tests run without limits: the one that players meet stands in the settings' text.
    text = (promised.ROOT / "bcraftd" / "settings.py").read_text(encoding="utf-8")
    assert re.findall(r'"RATE_LIMIT_GATHER", "(.*)"', text) == [f"{promised.GATHERS_A_MINUTE}/m"]
