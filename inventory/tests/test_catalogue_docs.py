"""docs/catalogue.md says what the shipped catalogue says, name for name and number for number."""

from collections.abc import Callable, Iterable
from decimal import ROUND_FLOOR, Decimal

import pytest

from inventory.tests.test_catalogue import (
    CRAFTED,
    ENVIRONMENT,
    GATHERED,
    PROFESSIONS,
    RECIPES,
    RESOURCES,
    ROOT,
    Entry,
    payback,
    pieces_per_gather,
    tier,
    trios,
    worst_crafting_multiplier,
    worth,
    worth_per_gather,
)

DOCS = (ROOT / "docs" / "catalogue.md").read_text(encoding="utf-8")


def plain(number: Decimal) -> str:
    """Write a number as a reader would: 9 and 10.5, not 9.00 and 1.05E+1."""
    return f"{number.normalize():f}"


def at_least(number: Decimal) -> str:
    """Write a lower bound with two decimals; it is rounded down, or it would not be one."""
    return str(number.quantize(Decimal("0.01"), ROUND_FLOOR))


def amounts(quantities: Iterable[tuple[str, int]]) -> str:
    return " + ".join(f"{quantity} {RESOURCES[slug]['name']}" for slug, quantity in quantities)


def resource_cells(slug: str) -> list[str]:
    resource = RESOURCES[slug]
    stack, tradeable = resource.get("stack_size", 99), resource.get("tradeable", True)
    return [
        *(str(resource[key]) for key in ("name", "kind", "rarity", "base_value")),
        *(str(worth(slug)), str(stack), "yes" if tradeable else "no"),
    ]


def gathered_cells(slug: str) -> list[str]:
    gatherer = PROFESSIONS[GATHERED[slug]["gathered_by"]]["name"]
    return [*resource_cells(slug), gatherer, plain(pieces_per_gather(slug)), plain(worth_per_gather(slug))]


def recipe_cells(recipe: Entry) -> list[str]:
    return [
        *(recipe["name"], str(tier(recipe)), PROFESSIONS[recipe["profession"]]["name"]),
        str(recipe["required_level"]),
        amounts(recipe["ingredients"].items()),
        amounts([(recipe["output"], recipe["output_quantity"])]),
        *(plain(recipe["success_rate"]), str(recipe["base_experience"]), f"{payback(recipe):.2f}"),
    ]


def trio_cells(trio: tuple[str, str, str], reached: int) -> list[str]:
    return [*(PROFESSIONS[slug]["name"] for slug in trio), str(reached)]


def season_cells(season: Entry) -> list[str]:
    months = f"{season['start_month']} to {season['end_month']}"
    return [season["name"], months, str(season["gathering_multiplier"]), str(season["crafting_multiplier"])]


def weather_cells(weather: Entry) -> list[str]:
    keys = ("name", "gathering_multiplier", "crafting_multiplier", "duration_minutes")
    return [str(weather[key]) for key in keys]


# What the tables of the document have to say, by heading. They are made in the tests only, so that a broken
# reference in the catalogue fails the test that is about references and not the import of this module.
TABLES_EXPECTED: dict[str, Callable[[], list[list[str]]]] = {
    "Professions": lambda: [[entry["name"], entry["kind"]] for entry in PROFESSIONS.values()],
    "Trios that need nobody else": lambda: [trio_cells(*found) for found in trios().items()],
    "Gathered resources": lambda: [gathered_cells(slug) for slug in GATHERED],
    "Crafted resources": lambda: [resource_cells(slug) for slug in CRAFTED],
    "Recipes": lambda: [recipe_cells(recipe) for recipe in RECIPES],
    "Seasons": lambda: [season_cells(season) for season in ENVIRONMENT["season"]],
    "Weather": lambda: [weather_cells(weather) for weather in ENVIRONMENT["weather"]],
}


def table_documented(heading: str) -> list[list[str]]:
    """Return the body cells of the table under a heading, none where there is no such table."""
    section = f"{DOCS}\n## ".partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    rows = [line.strip("|").split("|") for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row] for row in rows[2:]]


@pytest.mark.parametrize("heading", TABLES_EXPECTED)
def test_the_document_shows_the_catalogue_name_for_name_and_number_for_number(heading: str) -> None:
    expected = TABLES_EXPECTED[heading]()
    documented = table_documented(heading)
    # A further column may hold prose, as what a profession does.
    assert [row[: len(expected[0])] for row in documented] == expected


def test_the_document_counts_right() -> None:
    paybacks = [payback(recipe) for recipe in RECIPES]
    later = [payback(recipe) for recipe in RECIPES if tier(recipe) >= 2]
    common = [worth_per_gather(slug) for slug in GATHERED if GATHERED[slug]["rarity"] == "common"]
    prose = " ".join(DOCS.split())
    for claim in (
        f"{len(PROFESSIONS)} professions, {len(RESOURCES)} resources ({len(GATHERED)} gathered, "
        f"{len(CRAFTED)} crafted) and {len(RECIPES)} recipes in {max(map(tier, RECIPES))} tiers",
        f"between {at_least(min(paybacks))} and {max(paybacks):.2f} coins' worth",
        f"from tier 2 on at least {at_least(min(later))}",
        f"still returns {at_least(min(later) * worst_crafting_multiplier())}",
        f"worth {plain(min(common))} to {plain(max(common))} coins",
    ):
        assert claim in prose
