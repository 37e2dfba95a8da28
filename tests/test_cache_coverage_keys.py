"""What the engine rests on, held against every model that something cached shows.

The keys that a row makes stale are reckoned from the row as it was or as it is, never from both: so what they are
made of must not change. And each way that passes by `objects` must be heard of, or say why nobody needs to.
"""

import re

import pytest
from django.contrib.auth.models import Group
from django.db.models import Model

from accounts.models import Player
from bcraftd.cache import Entry, When, invalidation
from tests import coverage_reads as reads
from tests import coverage_rows as rows
from tests.programs import ROOT

APPS = ("accounts", "bcraftd", "environment", "inventory", "leaderboard", "market")
ROWS = [(model, row) for model, table in invalidation.table().items() for row in table if row.keys is not None]


@pytest.fixture(autouse=True)
def _scene(world: None) -> None:
    rows.scene()


@pytest.mark.parametrize(("model", "when"), ROWS, ids=[f"{model.__name__}-{row.entry.key}" for model, row in ROWS])
def test_a_key_is_made_of_columns_that_never_change(model: type[Model], when: When) -> None:
    """A row that came to belong to somebody else would leave the other one's value standing."""
    row = model._base_manager.only("pk").get(pk=rows.existing(model).pk)
    before = row.get_deferred_fields()
    assert when.keys is not None
    list(when.keys(row))

    looked_at = {model._meta.get_field(name).name for name in before - row.get_deferred_fields()}

    assert looked_at <= rows.fixed(model), f"{model.__name__}: a ReadOnly trigger must keep {looked_at} as they are."


@pytest.mark.parametrize("gone", ["group", "queryset"])
def test_a_row_that_goes_takes_its_many_to_many_relations_along(monkeypatch: pytest.MonkeyPatch, gone: str) -> None:
    """Django deletes the rows between the two without a word."""
    shown = Entry(family="catalogue", key="catalogue:groups:{player_id}", ttl=60)
    when = When(Player, shown, lambda player: [{"player_id": player.pk}], columns=frozenset({"groups"}))
    model: type[Model] = Player
    monkeypatch.setitem(invalidation._table, model, [*invalidation._table[model], when])
    group = Group.objects.create(name="wardens")
    rows.hilda().groups.add(group)
    reads.scripts_are_known()

    with reads.drops(reads.markers(shown, [{"player_id": rows.hilda().pk}])):
        group.delete() if gone == "group" else Group.objects.filter(pk=group.pk).delete()


# Code of the project that passes by `objects`, and why nobody needs to hear of what it writes.
PASSING_BY = {
    "accounts/models.py": "A hash that is only brought up to date is no new password; nothing cached shows it.",
    "bcraftd/cache/invalidation.py": "It reads.",
    "bcraftd/tracked.py": "It reads.",
}


PAST = re.compile(r"_base_manager|_raw_delete|save_base|update_batch|QuerySet\(\w|\._(?:update|insert)\(|\.through\b")


def test_code_that_passes_by_the_tracked_managers_says_why() -> None:
    found = {
        name
        for folder in APPS
        for path in (ROOT / folder).rglob("*.py")
        if "/tests/" not in (name := path.relative_to(ROOT).as_posix()) and "/migrations/" not in name
        if PAST.search(path.read_text(encoding="utf-8"))
    }
    assert found == set(PASSING_BY)
