"""What docs/caching.md says is what the apps declare, and every declaration is whole."""

import re

from bcraftd.cache import invalidation
from tests.programs import ROOT

TEXT = (ROOT / "docs" / "caching.md").read_text(encoding="utf-8")


def documented() -> dict[str, tuple[str, str, str, set[str]]]:
    """Key to family, type, life and the models that make it stale."""
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in TEXT.splitlines() if line.startswith("|")]
    return {
        row[1].strip("`"): (row[0], row[2], row[3], set(re.findall(r"[A-Z][A-Za-z]+", row[5])))
        for row in rows
        if row[1].startswith("`")
    }


def declared() -> dict[str, tuple[str, str, str, set[str]]]:
    """The same, from the code."""
    found = {}
    for entry in invalidation.entries():
        life = f"`{entry.ttl}`" if isinstance(entry.ttl, str) else f"{entry.ttl} s"
        if entry.slides:
            life += ", from its last use"
        models = {
            model.__name__ for model, rows in invalidation.table().items() if entry in [row.entry for row in rows]
        }
        found[entry.key] = (entry.family, "hash" if entry.variants else "string", life, models)
    return found


def test_the_key_table_is_the_declaration() -> None:
    assert documented() == declared()


def test_every_entry_is_filled_and_a_family_that_starts_anew_has_a_generation() -> None:
    for entry in invalidation.entries():
        assert entry.is_filled, entry.key
    for rows in invalidation.table().values():
        for row in rows:
            assert row.keys is not None or row.entry.generation, row


def test_keys_of_one_family_do_not_match_the_patterns_of_another() -> None:
    from fnmatch import fnmatchcase

    entries = invalidation.entries()
    for entry in entries:
        example = entry.name(dict.fromkeys(entry.parameters, "1"))
        owners = {other.family for other in entries if fnmatchcase(example, other.pattern)}
        assert owners == {entry.family}
