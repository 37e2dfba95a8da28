"""The shipped catalogue keeps its promises: references resolve, crafting pays, newcomers are never stuck.

Plain tests of the two TOML files; they need neither Django nor a database.
"""

import re
import tomllib
from collections import Counter
from decimal import Decimal
from functools import cache
from itertools import pairwise, product
from pathlib import Path
from statistics import mean
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]

# The rules of the game that the catalogue was balanced for. They are stated again because this module needs
# no Django: whoever changes a rule of the game changes it here too, and sees which promises that breaks.
VALUE_MULTIPLIER = {"common": 1, "rare": 2, "epic": 4, "legendary": 7, "mythic": 10}
DROP_WEIGHT = {"common": "100", "rare": "25", "epic": "5", "legendary": "1", "mythic": "0.1"}
MEAN_BASE_ROLL = 3  # A gather rolls 1 to 5 pieces, each as likely.
GATHERS_A_MINUTE = 20
XP_FOR_NEXT_LEVEL = 100  # Level n asks for n times this.

KINDS = {
    "wood", "ore", "plant", "hide", "fibre", "food", "gem", "material", "component",
    "tool", "weapon", "armour", "potion", "jewellery",
}  # fmt: skip
# What somebody wants for its own sake. Anything else has to be an ingredient of something.
END_PRODUCT_KINDS = {"tool", "weapon", "armour", "potion", "jewellery", "food"}

# The keys of each table: those that every entry has, and those that may be left out.
KEYS = {
    "profession": ("slug name kind", ""),
    "resource": ("slug name kind rarity base_value", "stack_size tradeable gathered_by"),
    "recipe": (
        "slug name profession output output_quantity required_level base_experience success_rate ingredients",
        "",
    ),
    "season": ("name start_month end_month gathering_multiplier crafting_multiplier", ""),
    "weather": ("name gathering_multiplier crafting_multiplier duration_minutes", ""),
}

# How many times the mean worth of a profession's common gathers a gather of each rarity may be worth.
WORTH_BY_RARITY = {
    "rare": (Decimal("1.0"), Decimal("1.5")),
    "epic": (Decimal("1.6"), Decimal("2.4")),
    "legendary": (Decimal("2.5"), Decimal("3.5")),
    "mythic": (Decimal("3.5"), Decimal("4.5")),
}
LEVELS_BY_TIER = {1: (1, 5), 2: (5, 20), 3: (20, 45), 4: (30, 50)}

Entry = dict[str, Any]


def load(app: str) -> dict[str, list[Entry]]:
    """Return the tables of an app's catalogue, decimals exact as they are written."""
    text = (ROOT / app / "catalogue.toml").read_text(encoding="utf-8")
    return tomllib.loads(text, parse_float=Decimal)


GOODS = load("inventory")
ENVIRONMENT = load("environment")
TABLES = GOODS | ENVIRONMENT
PROFESSIONS: dict[str, Entry] = {entry["slug"]: entry for entry in GOODS["profession"]}
RESOURCES: dict[str, Entry] = {entry["slug"]: entry for entry in GOODS["resource"]}
RECIPES: list[Entry] = GOODS["recipe"]
GATHERED = {slug: entry for slug, entry in RESOURCES.items() if "gathered_by" in entry}
CRAFTED = {slug: entry for slug, entry in RESOURCES.items() if "gathered_by" not in entry}

each_recipe = pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: str(recipe["slug"]))


def professions_of(kind: str) -> list[str]:
    return [slug for slug, entry in PROFESSIONS.items() if entry["kind"] == kind]


MAKERS = professions_of("processing") + professions_of("crafting")


def worth(slug: str) -> int:
    """Return what one piece is worth on the market, in coins."""
    resource = RESOURCES[slug]
    return int(resource["base_value"]) * VALUE_MULTIPLIER[resource["rarity"]]


def pieces_per_gather(slug: str) -> Decimal:
    """Return how many pieces one gather is expected to bring."""
    return MEAN_BASE_ROLL * Decimal(DROP_WEIGHT[RESOURCES[slug]["rarity"]]) / 100


def worth_per_gather(slug: str) -> Decimal:
    """Return the coins that one gather is expected to bring, in neutral season, weather and mastery."""
    return pieces_per_gather(slug) * worth(slug)


def payback(recipe: Entry) -> Decimal:
    """Return the expected worth of what an attempt makes, for each coin of what it consumes."""
    cost = sum(worth(slug) * quantity for slug, quantity in recipe["ingredients"].items())
    made = recipe["output_quantity"] * worth(recipe["output"]) * recipe["success_rate"]
    return Decimal(made / cost)


@cache
def depth(slug: str) -> int:
    """Return how many recipes deep a resource lies: 0 for a gathered one. A cycle is a RecursionError."""
    if slug in GATHERED:
        return 0
    return max(tier(recipe) for recipe in RECIPES if recipe["output"] == slug)


def tier(recipe: Entry) -> int:
    return 1 + max(depth(slug) for slug in recipe["ingredients"])


def reachable(professions: set[str]) -> list[Entry]:
    """Return the recipes that somebody with these professions can make without buying anything."""
    held = {slug for slug, entry in GATHERED.items() if entry["gathered_by"] in professions}
    mine = [recipe for recipe in RECIPES if recipe["profession"] in professions]
    done: list[Entry] = []
    while ready := [r for r in mine if r not in done and held.issuperset(r["ingredients"])]:
        done += ready
        held.update(recipe["output"] for recipe in ready)
    return done


def trios() -> dict[tuple[str, str, str], int]:
    """Return the gatherer, processor and crafter who feed each other, with the highest tier they reach.

    All three count: the crafter uses a good that the processor made of what the gatherer brought.
    """
    found = {}
    kinds = professions_of("gathering"), professions_of("processing"), professions_of("crafting")
    for trio in product(*kinds):
        _, processor, crafter = trio
        recipes = reachable(set(trio))
        processed = {recipe["output"] for recipe in recipes if recipe["profession"] == processor}
        crafted = [recipe for recipe in recipes if recipe["profession"] == crafter]
        if tiers := [tier(recipe) for recipe in crafted if processed & set(recipe["ingredients"])]:
            found[trio] = max(tiers)
    return found


# --- The shape of the tables -----------------------------------------------------------------------------


def test_the_catalogue_is_large_enough_to_trade_in() -> None:
    kinds = Counter(profession["kind"] for profession in PROFESSIONS.values())
    assert 12 <= len(PROFESSIONS) <= 14
    assert kinds["gathering"] == 5
    assert kinds["processing"] == 4
    assert 4 <= kinds["crafting"] <= 5
    assert len(RESOURCES) >= 48
    assert len(GATHERED) >= 20
    assert len(RECIPES) >= 34


@pytest.mark.parametrize("table", sorted(TABLES))
def test_every_entry_has_the_keys_that_seed_reads_and_no_others(table: str) -> None:
    required, optional = (set(keys.split()) for keys in KEYS[table])
    for entry in TABLES[table]:
        assert required <= set(entry) <= required | optional, entry


@pytest.mark.parametrize("table", sorted(TABLES))
def test_names_are_unique_without_regard_to_case(table: str) -> None:
    names = Counter(entry["name"].casefold() for entry in TABLES[table])
    assert [name for name, times in names.items() if times > 1] == []


@pytest.mark.parametrize("table", sorted(GOODS))
def test_slugs_are_unique_and_follow_from_the_names(table: str) -> None:
    slugs = [entry["slug"] for entry in GOODS[table]]
    assert len(slugs) == len(set(slugs))
    for entry in GOODS[table]:
        assert entry["slug"] == re.sub(r"[^a-z0-9]+", "-", entry["name"].lower().replace("'", ""))


def test_every_resource_is_of_a_known_kind_and_rarity_and_of_some_value() -> None:
    for resource in RESOURCES.values():
        assert resource["kind"] in KINDS, resource
        assert resource["rarity"] in VALUE_MULTIPLIER, resource
        assert type(resource["base_value"]) is int, resource
        assert resource["base_value"] >= 1, resource
        assert 1 <= resource.get("stack_size", 99) <= 99, resource


def test_what_is_carried_in_the_hand_or_worn_does_not_stack() -> None:
    unstacked = {slug for slug, entry in RESOURCES.items() if entry.get("stack_size", 99) == 1}
    carried = {slug for slug, entry in RESOURCES.items() if entry["kind"] in {"tool", "weapon", "armour"}}
    assert unstacked == carried


@each_recipe
def test_a_recipe_has_possible_numbers(recipe: Entry) -> None:
    for number in (recipe["output_quantity"], recipe["base_experience"], *recipe["ingredients"].values()):
        assert type(number) is int
        assert number >= 1
    assert recipe["required_level"] in range(1, 51)
    assert isinstance(recipe["success_rate"], Decimal)
    assert 0 < recipe["success_rate"] <= 1
    assert recipe["success_rate"] == round(recipe["success_rate"], 3)
    assert recipe["ingredients"]


# --- What refers to what ---------------------------------------------------------------------------------


def test_only_gathering_professions_gather_and_each_has_four_or_more_resources() -> None:
    gathered_by = Counter(entry["gathered_by"] for entry in GATHERED.values())
    assert set(gathered_by) == set(professions_of("gathering"))
    assert min(gathered_by.values()) >= 4


@pytest.mark.parametrize("profession", professions_of("gathering"))
def test_a_gathering_profession_finds_mostly_common_and_rare_things_and_one_epic(profession: str) -> None:
    rarities = Counter(entry["rarity"] for entry in GATHERED.values() if entry["gathered_by"] == profession)
    assert rarities["epic"] == 1
    assert rarities["common"] >= 2
    assert rarities["rare"] >= 1
    assert rarities["legendary"] + rarities["mythic"] <= 1


def test_what_everybody_dreams_of_finding_is_one_or_two_things() -> None:
    assert 1 <= sum(entry["rarity"] in {"legendary", "mythic"} for entry in GATHERED.values()) <= 2


@each_recipe
def test_a_recipe_refers_to_what_exists(recipe: Entry) -> None:
    assert recipe["profession"] in MAKERS
    assert recipe["output"] in RESOURCES
    assert set(recipe["ingredients"]) <= set(RESOURCES)


def test_exactly_what_is_not_gathered_can_be_crafted() -> None:
    assert {recipe["output"] for recipe in RECIPES} == set(CRAFTED)


def test_no_recipe_needs_its_own_output_directly_or_in_a_circle() -> None:
    made_of: dict[str, set[str]] = {slug: set() for slug in RESOURCES}
    for recipe in RECIPES:
        made_of[recipe["output"]] |= set(recipe["ingredients"])
    while leaves := {slug for slug, ingredients in made_of.items() if not ingredients}:
        made_of = {slug: made_of[slug] - leaves for slug in made_of if slug not in leaves}
    assert made_of == {}


def test_every_resource_is_used_or_is_an_end_product() -> None:
    used = {slug for recipe in RECIPES for slug in recipe["ingredients"]}
    assert [slug for slug in GATHERED if slug not in used] == []
    unused = [entry for slug, entry in CRAFTED.items() if slug not in used]
    assert [entry["slug"] for entry in unused if entry["kind"] not in END_PRODUCT_KINDS] == []


def test_one_or_two_things_stay_with_their_maker_and_nobody_needs_them_as_ingredients() -> None:
    kept = {slug for slug, entry in RESOURCES.items() if not entry.get("tradeable", True)}
    assert 1 <= len(kept) <= 2
    assert [recipe["slug"] for recipe in RECIPES if kept & set(recipe["ingredients"])] == []


# --- The balance -----------------------------------------------------------------------------------------


def test_there_are_at_least_three_tiers_at_the_levels_meant_for_them() -> None:
    assert {tier(recipe) for recipe in RECIPES} >= {1, 2, 3}
    for recipe in RECIPES:
        lowest, highest = LEVELS_BY_TIER[tier(recipe)]
        assert lowest <= recipe["required_level"] <= highest, recipe["slug"]


@each_recipe
def test_crafting_pays_but_not_absurdly(recipe: Entry) -> None:
    assert Decimal("1.10") <= payback(recipe) <= Decimal("2.5")


@each_recipe
def test_from_tier_two_on_no_season_or_weather_makes_crafting_a_certain_loss(recipe: Entry) -> None:
    if tier(recipe) >= 2:
        assert payback(recipe) >= Decimal("1.25")
        assert payback(recipe) * worst_crafting_multiplier() >= 1


def worst_crafting_multiplier() -> Decimal:
    season, weather = (
        Decimal(min(entry["crafting_multiplier"] for entry in ENVIRONMENT[table])) for table in ("season", "weather")
    )
    return season * weather


def test_the_margin_rises_with_the_tier() -> None:
    margins = [mean(payback(r) for r in RECIPES if tier(r) == t) for t in sorted({tier(r) for r in RECIPES})]
    assert all(lower < higher for lower, higher in pairwise(margins))


def test_no_gathering_profession_is_the_one_to_join() -> None:
    averages = [
        mean(worth_per_gather(s) for s in GATHERED if GATHERED[s]["gathered_by"] == p and pieces_per_gather(s) >= 1)
        for p in professions_of("gathering")
    ]
    assert max(averages) <= min(averages) * Decimal("1.25")


def test_a_gather_of_something_common_is_worth_six_to_fifteen_coins() -> None:
    for slug, resource in GATHERED.items():
        if resource["rarity"] == "common":
            assert 6 <= worth_per_gather(slug) <= 15, slug


@pytest.mark.parametrize("profession", professions_of("gathering"))
def test_rarer_finds_are_worth_moderately_more_an_action(profession: str) -> None:
    found = {slug: entry["rarity"] for slug, entry in GATHERED.items() if entry["gathered_by"] == profession}
    common = mean(worth_per_gather(slug) for slug, rarity in found.items() if rarity == "common")
    for rarity, (lowest, highest) in WORTH_BY_RARITY.items():
        for slug in (slug for slug in found if found[slug] == rarity):
            assert lowest * common <= worth_per_gather(slug) <= highest * common, slug


@pytest.mark.parametrize("profession", professions_of("gathering"))
def test_no_rarer_find_is_worth_less_an_action_than_a_commoner_one(profession: str) -> None:
    found = [slug for slug, entry in GATHERED.items() if entry["gathered_by"] == profession]
    by_rarity = [[worth_per_gather(s) for s in found if RESOURCES[s]["rarity"] == r] for r in DROP_WEIGHT]
    for commoner, rarer in pairwise(values for values in by_rarity if values):
        assert max(commoner) <= min(rarer)


def test_a_higher_level_recipe_teaches_more() -> None:
    taught = {recipe["required_level"]: recipe["base_experience"] for recipe in RECIPES}
    assert all(taught[recipe["required_level"]] == recipe["base_experience"] for recipe in RECIPES)
    in_order = [taught[level] for level in sorted(taught)]
    assert all(lower < higher for lower, higher in pairwise(in_order))


@each_recipe
def test_ten_to_twenty_five_successes_at_a_recipes_own_level_are_a_level(recipe: Entry) -> None:
    assert 10 <= recipe["required_level"] * XP_FOR_NEXT_LEVEL / recipe["base_experience"] <= 25


# --- A newcomer's first minutes --------------------------------------------------------------------------


def gathers_needed(recipe: Entry) -> Decimal:
    return sum((n / pieces_per_gather(slug) for slug, n in recipe["ingredients"].items()), Decimal(0))


def first_crafts() -> list[tuple[str, str]]:
    """Return the pairs of gatherer and maker who can craft at level 1 after a minute of gathering."""
    return [
        (gatherer, recipe["profession"])
        for gatherer in professions_of("gathering")
        for recipe in RECIPES
        if recipe["required_level"] == 1
        and all(RESOURCES[slug].get("gathered_by") == gatherer for slug in recipe["ingredients"])
        and gathers_needed(recipe) <= GATHERS_A_MINUTE
    ]


@pytest.mark.parametrize("maker", MAKERS)
def test_every_maker_can_craft_at_level_one_what_one_gatherer_brings_in_a_minute(maker: str) -> None:
    assert [gatherer for gatherer, other in first_crafts() if other == maker]


@pytest.mark.parametrize("gatherer", professions_of("gathering"))
def test_every_gatherer_has_something_for_a_processor_and_for_a_crafter_at_level_one(gatherer: str) -> None:
    makers = {maker for other, maker in first_crafts() if other == gatherer}
    assert makers & set(professions_of("processing"))
    assert makers & set(professions_of("crafting"))


def test_several_trios_reach_tier_two_and_three_without_trading() -> None:
    tiers = list(trios().values())
    assert len(tiers) >= 5
    assert sum(reached >= 3 for reached in tiers) >= 3
    assert {gatherer for gatherer, _, _ in trios()} == set(professions_of("gathering"))
    assert {crafter for _, _, crafter in trios()} == set(professions_of("crafting"))


def test_the_highest_tier_needs_trade() -> None:
    assert max(trios().values()) < max(tier(recipe) for recipe in RECIPES)


# --- Seasons and weather ---------------------------------------------------------------------------------


def test_every_month_lies_in_exactly_one_season() -> None:
    months: list[int] = []
    for season in ENVIRONMENT["season"]:
        length = (season["end_month"] - season["start_month"]) % 12 + 1
        months += [(season["start_month"] - 1 + step) % 12 + 1 for step in range(length)]
    assert sorted(months) == list(range(1, 13))


def test_seasons_and_weather_scale_without_stopping_anything() -> None:
    for entry in ENVIRONMENT["season"] + ENVIRONMENT["weather"]:
        assert Decimal("0.5") <= entry["gathering_multiplier"] <= 2, entry
        assert Decimal("0.5") <= entry["crafting_multiplier"] <= 2, entry
    assert all(weather["duration_minutes"] >= 1 for weather in ENVIRONMENT["weather"])
