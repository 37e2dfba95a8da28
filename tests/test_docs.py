"""What the documentation names is there, and what is there is named: docs/api.md, docs/economy.md, the picture."""

import re
from typing import Any
from xml.etree import ElementTree

import pytest
from django.db import connection

from bcraftd import economy, economymetrics
from bcraftd.errors import CODES
from bcraftd.leveling import experience_for
from inventory.models import Rarity
from inventory.rules import RANKS, ROLL, gather_experience
from tests.programs import ROOT
from tests.support import schema

API = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
ECONOMY = (ROOT / "docs" / "economy.md").read_text(encoding="utf-8")
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("**/*.md")])

# What any call may answer, and any call with a token: the page says it once.
ANY = {"invalid", "rate_limited", "not_acceptable", "service_unavailable", "internal_error"}
WITH_KEY = {"idempotency_in_progress", "idempotency_key_reused"}
WITH_BODY = {"parse_error", "payload_too_large", "unsupported_media_type"}
WITH_TOKEN = {"not_authenticated", "token_invalid", "session_expired"}


def rows(page: str, heading: str) -> list[list[str]]:
    """The cells of every table under a heading, without the tables' own headings."""
    level = heading.split()[0]
    section = re.split(rf"(?m)^{re.escape(heading)}$", page)[1]
    section = re.split(rf"(?m)^#{{1,{len(level)}}} ", section)[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    tables = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]
    heads = {number - 1 for number, line in enumerate(lines) if set(line) <= set("|-: ")}
    return [cells for number, cells in enumerate(tables) if number not in heads and number - 1 not in heads]


def words(cell: str) -> list[str]:
    """What stands in backticks."""
    return re.findall(r"`([^`]+)`", cell)


def test_the_error_table_is_that_of_the_code() -> None:
    assert [(words(code)[0], int(status)) for status, code, _ in rows(API, "## Errors")] == [
        (code, status) for code, (status, _) in CODES.items()
    ]


def documented_calls() -> dict[tuple[str, str], tuple[set[str], set[str]]]:
    """Method and path to the call's marks and the codes that it refuses with."""
    found = {}
    for call, _, _, refusals in rows(API, "## Calls"):
        method, path, marks = re.fullmatch(r"([A-Z]+) `([^`]+)`(.*)", call).groups()  # type: ignore[union-attr]
        found[method, path] = (set(marks.replace("*", "").split()), set(words(refusals)))
    return found


def marks_of(operation: dict[str, Any]) -> set[str]:
    """The same marks, from the schema."""
    holds = {
        "public": {"accessToken": []} not in operation.get("security", []),
        "cached": "304" in operation["responses"],
        "key": any(parameter["name"] == "Idempotency-Key" for parameter in operation.get("parameters", [])),
    }
    return {mark for mark, held in holds.items() if held}


def refusals_of(operation: dict[str, Any]) -> set[str]:
    errors = [answer for status, answer in operation["responses"].items() if int(status) >= 400]
    codes = {code for answer in errors for code in answer["description"].split(" · ")}
    return codes - ANY - WITH_BODY - WITH_KEY - (set() if "public" in marks_of(operation) else WITH_TOKEN)


def test_every_call_of_the_schema_stands_in_the_guide_with_its_marks_and_refusals_and_no_other(world: None) -> None:
    assert documented_calls() == {
        (method.upper(), path): (marks_of(operation), refusals_of(operation))
        for path, operations in schema()["paths"].items()
        for method, operation in operations.items()
    }


def test_every_query_parameter_and_body_field_stands_beside_its_call(world: None) -> None:
    components = schema()["components"]["schemas"]
    taken = {f"{method} {path}": takes for call, takes, *_ in rows(API, "## Calls") for method, path in [call_of(call)]}
    for path, operations in schema()["paths"].items():
        for method, operation in operations.items():
            names = {each["name"] for each in operation.get("parameters", []) if each["in"] == "query"}
            if "requestBody" in operation:
                body = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"].rsplit("/", 1)[1]
                names |= set(components[body]["properties"])
            cell = taken[f"{method.upper()} {path}"]
            missing = {name for name in names if not re.search(rf"`{name}(\?(=[^`]*)?)?`", cell)}
            assert not missing, (method, path, missing)


def call_of(cell: str) -> tuple[str, str]:
    return cell.split()[0], words(cell)[0]


def test_every_command_stands_in_the_guide_and_no_other() -> None:
    files = {path.stem for path in ROOT.glob("*/management/commands/*.py")} - {"__init__"}
    assert files
    documented = [words(row[0])[0].split()[0] for row in rows(API, "## Commands") if len(row) == 3]
    assert sorted(documented) == sorted(files)


def test_every_setting_of_the_example_stands_in_the_guide_with_its_default_and_no_other() -> None:
    example = re.findall(r"(?m)^(?:# )?([A-Z][A-Z_]+)=(.*)$", (ROOT / ".env.example").read_text(encoding="utf-8"))
    documented = [
        (words(name)[0], "" if default == "none" else words(default)[0])
        for name, default, _ in rows(API, "## Settings")
    ]
    assert sorted(documented) == sorted(example)


def test_every_schedule_stands_in_the_guide_with_its_interval() -> None:
    from bcraftd.schedules import declared

    documented = {words(row[0])[0]: int(row[1].split()[0]) for row in rows(API, "## Commands") if len(row) == 2}
    assert documented == {each.name: each.minutes for each in declared()}


def test_every_check_of_the_audit_stands_in_the_page_with_what_it_proves_and_no_other() -> None:
    documented = [(words(kind)[0], proves) for kind, proves in rows(ECONOMY, "### What it proves")]
    assert documented == [(check.kind, check.proves) for check in economy.declared()]


def test_every_total_of_the_audit_stands_in_the_page(world: None) -> None:
    totals = [name for names, _ in rows(ECONOMY, "### Totals") for name in words(names)]
    assert sorted(totals) == sorted(economy.audit().totals)


def test_every_metric_of_the_audit_stands_in_the_page(world: None) -> None:
    economy.record(economy.audit())
    totals = {f"bcraftd_economy_{name}" for name in economy.audit().totals if name != "problems"}
    named = set(re.findall(r"(?m)^# TYPE (\w+)", economymetrics.render().decode()))
    assert set(re.findall(r"bcraftd_economy_\w+", ECONOMY)) - {"bcraftd_economy_"} == named - totals


# What Django names by itself (a unique column, a positive one) begins with the table's app.
OURS = r"^(?!(accounts|inventory|market|environment|leaderboard|bcraftd)_)"
APPS = r"^(accounts|inventory|market|environment|leaderboard|bcraftd|mv)_"
CATALOGUE = {
    "### CHECK constraints": "SELECT conrelid::regclass::text, conname FROM pg_constraint WHERE contype = 'c'",
    "### Uniqueness": "SELECT indrelid::regclass::text, indexrelid::regclass::text FROM pg_index"
    " WHERE indisunique AND NOT indisprimary",
    "### Triggers": "SELECT tgrelid::regclass::text, regexp_replace(tgname, '^pgtrigger_(.*)_[0-9a-f]{5}$', '\\1')"
    " FROM pg_trigger WHERE NOT tgisinternal",
}


@pytest.mark.parametrize("heading", CATALOGUE)
def test_what_the_database_refuses_is_what_the_page_says(world: None, heading: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(CATALOGUE[heading])
        found = [row for row in cursor.fetchall() if re.match(APPS, row[0]) and re.match(OURS, row[1])]
    assert found
    documented = [(words(table)[0], words(name)[0]) for table, name, _ in rows(ECONOMY, heading)]
    assert sorted(documented) == sorted(found)


def test_the_ranks_and_rarities_are_those_of_the_rules(world: None) -> None:
    assert [
        (name, int(least), int(xp), factor) for name, least, xp, factor in rows(ECONOMY, "## Levels and mastery")
    ] == [(name, least, experience_for(least), str(factor)) for least, name, factor in reversed(RANKS)]
    mean = sum(ROLL) / 2
    assert [(row[0], *map(float, row[1:])) for row in rows(ECONOMY, "## Gathering")] == [
        (
            rarity.slug,
            float(rarity.value_multiplier),
            float(rarity.drop_weight),
            gather_experience(rarity.value_multiplier),
            pytest.approx(mean * float(rarity.drop_weight) / 100),
        )
        for rarity in Rarity.objects.all()
    ]


def anchors(text: str) -> set[str]:
    """The headings of a page as a link names them."""
    return {
        re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in re.findall(r"(?m)^#+ (.+)$", text)
    }


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_between_pages_lead_somewhere(page: Any) -> None:
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"\]\((?!https?:)([^)\s]+)\)", text):
        name, _, anchor = target.partition("#")
        there = (page.parent / name).resolve() if name else page
        assert there.exists(), target
        assert not anchor or anchor in anchors(there.read_text(encoding="utf-8")), target


def test_the_picture_is_whole_and_loads_nothing() -> None:
    source = (ROOT / "docs" / "architecture.svg").read_text(encoding="utf-8")
    picture = ElementTree.fromstring(source)  # noqa: S314 - our own file
    namespace = "{http://www.w3.org/2000/svg}"
    assert picture.tag == f"{namespace}svg"
    assert picture.find(f"{namespace}title") is not None
    assert picture.find(f"{namespace}desc") is not None
    assert "//" not in source.replace("http://www.w3.org/2000/svg", "")
    for element in picture.iter():
        assert element.tag not in (f"{namespace}image", f"{namespace}script", f"{namespace}foreignObject")
    assert not re.search(r"@import|href|url\((?!#)", source)
