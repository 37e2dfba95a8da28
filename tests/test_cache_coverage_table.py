"""Whether the apps' tables are whole: what an entry's filler reads must be able to make it stale.

The fillers are run, and the tables and columns that stand in their SQL are compared with what the apps declare.
"""

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.models import Group
from django.db import connection, transaction
from django.db.models import Model
from django.db.models.signals import m2m_changed

from accounts.models import Player
from bcraftd import checks
from bcraftd.cache import Entry, Fresh, When, invalidation
from inventory.models import Rarity, Resource
from market.models import Listing
from tests import coverage_reads as reads
from tests import coverage_rows as rows
from tests.programs import ROOT
from tests.support import queries

ENTRIES = invalidation.entries()
APPS = ("accounts", "inventory", "market", "environment", "leaderboard")

# Tables that an entry reads and that make nothing stale, each with the reason.
UNWATCHED = {
    "mv_leaderboard": "The boards say their as_of, and are replaced after each refresh of the view.",
}
# Columns that an entry reads and whose change makes nothing stale, each with the reason.
UNSHOWN: dict[tuple[str, str], str] = {
    ("accounts_playersession", "last_seen_at"): "Written behind; no request looks at it, and its end is the value's.",
    ("market_listing", "created_at"): "Fixed by a trigger.",
}


@pytest.fixture(autouse=True)
def _scene(world: None) -> None:
    rows.scene()


def sql_of(entry: Entry) -> str:
    """All that the entry's filler asks PostgreSQL, for every filter."""
    asked: list[str] = []
    for params, variant in reads.reads_of(entry):
        with queries() as seen:
            entry.read_database(params, variant)
        asked += seen
    return "\n".join(asked)


def models_of(sql: str) -> dict[str, type[Model]]:
    """The models whose tables stand in SQL, by table."""
    tables = {model._meta.db_table: model for model in apps.get_models()}
    return {name: tables[name] for name in re.findall(r'(?:FROM|JOIN) "(\w+)"', sql)}


def watched(entry: Entry) -> dict[type[Model], When]:
    return {model: row for model, table in invalidation.table().items() for row in table if row.entry is entry}


def by_key(entry: Entry) -> str:
    return entry.key


@pytest.mark.parametrize("entry", ENTRIES, ids=by_key)
def test_every_table_that_an_entry_reads_can_make_it_stale(entry: Entry) -> None:
    found = models_of(sql_of(entry))
    assert found
    for table, model in found.items():
        assert table in UNWATCHED or model in watched(entry), (
            f"{entry.key} reads {table}: its app's cache.py needs a When({model.__name__}, ...)."
        )


@pytest.mark.parametrize("entry", ENTRIES, ids=by_key)
def test_every_column_that_an_entry_reads_can_make_it_stale(entry: Entry) -> None:
    sql = sql_of(entry)
    for table, model in models_of(sql).items():
        row = watched(entry).get(model)
        if row is None or not row.columns:
            continue
        read = {model._meta.get_field(column).name for column in re.findall(rf'"{table}"\."(\w+)"', sql)}
        free = row.columns | rows.fixed(model) | {model._meta.pk.name}
        left = {column for column in read - free if (table, column) not in UNSHOWN}
        assert not left, f"{entry.key} reads {table}.{left}: its When names {sorted(row.columns)} only."


@pytest.mark.parametrize("entry", ENTRIES, ids=by_key)
def test_every_filter_of_an_entry_is_among_the_reads(entry: Entry) -> None:
    asked = {name for params, variant in reads.reads_of(entry) for name in (*params, *variant)}
    assert reads.names_of_filler(entry) <= asked


def test_no_exception_is_left_over() -> None:
    sql = "\n".join(sql_of(entry) for entry in ENTRIES)
    assert set(UNWATCHED) <= set(models_of(sql))
    for table, column in UNSHOWN:
        assert f'"{table}"."{column}"' in sql


def test_a_forgotten_table_is_found() -> None:
    """The check above, on a filler that shows one table more than it says."""
    resources = next(entry for entry in ENTRIES if entry.key == "catalogue:resources")

    def reads_rarities(**places: Any) -> Fresh:
        return Fresh({"rarities": list(Rarity.objects.values_list("position", flat=True))})

    original, resources._filler[0] = resources._filler[0], reads_rarities
    try:
        with pytest.raises(AssertionError, match=r"catalogue:resources reads inventory_rarity"):
            test_every_table_that_an_entry_reads_can_make_it_stale(resources)
    finally:
        resources._filler[0] = original


# --- Models -----------------------------------------------------------------------------------------------


@pytest.fixture
def with_table(monkeypatch: pytest.MonkeyPatch) -> Callable[[type[Model], When], None]:
    """Puts a row into the table for the test."""

    def add(model: type[Model], row: When) -> None:
        monkeypatch.setitem(invalidation._table, model, [*invalidation._table.get(model, []), row])

    return add


def test_a_model_that_is_not_tracked_stops_the_start(with_table: Callable[[type[Model], When], None]) -> None:
    assert checks.shown_models_are_tracked(None) == []
    with_table(Rarity, When(Rarity, ENTRIES[0], lambda row: [{}]))
    assert [message.id for message in checks.shown_models_are_tracked(None)] == ["bcraftd.E005", "bcraftd.E006"]


def test_the_check_of_the_entries_finds_one_that_nothing_fills(monkeypatch: pytest.MonkeyPatch) -> None:
    assert checks.entries_are_complete(None) == []
    monkeypatch.setattr(invalidation, "_entries", [*ENTRIES, Entry(family="catalogue", key="catalogue:bare", ttl=1)])
    assert [message.id for message in checks.entries_are_complete(None)] == ["bcraftd.E004"]


# --- Many-to-many -----------------------------------------------------------------------------------------

# Many-to-many fields of watched models that nothing cached shows.
UNSHOWN_RELATIONS = {
    "accounts.Player.groups": "What an operator may do is never cached.",
    "accounts.Player.user_permissions": "What an operator may do is never cached.",
}


def test_every_many_to_many_field_is_shown_and_watched_or_shown_by_nothing() -> None:
    found = {
        str(field)
        for model, table in invalidation.table().items()
        for field in model._meta.many_to_many
        if not any(field.name in row.columns for row in table)
    }
    assert found == set(UNSHOWN_RELATIONS)


GREETING = Entry(family="catalogue", key="catalogue:greeting:{player_id}", ttl=60)


def _join(player: Player, group: Group) -> None:
    player.groups.add(group)


def _leave(player: Player, group: Group) -> None:
    player.groups.remove(group)


def _set(player: Player, group: Group) -> None:
    player.groups.set([])


def _clear(player: Player, group: Group) -> None:
    player.groups.clear()


def _players_of(group: Group) -> Any:
    """The same relation from its other side."""
    return getattr(group, str(Player._meta.get_field("groups").remote_field.get_accessor_name()))


def _invite(player: Player, group: Group) -> None:
    _players_of(group).add(player)


def _appoint(player: Player, group: Group) -> None:
    _players_of(group).set([player])


def _expel(player: Player, group: Group) -> None:
    _players_of(group).remove(player)


def _dissolve(player: Player, group: Group) -> None:
    _players_of(group).clear()


@pytest.mark.parametrize("change", [_join, _leave, _set, _clear, _invite, _appoint, _expel, _dissolve])
def test_a_many_to_many_change_counts_as_one_of_its_column(
    with_table: Callable[[type[Model], When], None], change: Callable[[Player, Group], None]
) -> None:
    row = When(Player, GREETING, lambda player: [{"player_id": player.pk}], columns=frozenset({"groups"}))
    with_table(Player, row)
    assert m2m_changed.has_listeners(Player.groups.through)
    player, group = rows.hilda(), Group.objects.create(name="wardens")
    if change not in (_join, _invite, _appoint):
        player.groups.add(group)
    (marker,) = reads.markers(GREETING, [{"player_id": player.pk}])
    with transaction.atomic():
        change(player, group)
    assert not marker.is_served


# --- Raw SQL ----------------------------------------------------------------------------------------------

# Raw SQL of the project that writes a watched table, and why nothing cached is stale after it.
_SAID = "The service that calls it says what it changes."
RAW = {
    ("market/selectors.py", "market_listing"): "It writes `views`, which no page shows.",
    ("accounts/sql.py", "accounts_player"): _SAID,
    ("inventory/sql.py", "inventory_inventoryitem"): _SAID,
    ("market/sql.py", "accounts_player"): "It writes `coins`, which nothing cached shows.",
    ("market/sql.py", "inventory_inventoryitem"): _SAID,
    ("market/sql.py", "market_listing"): _SAID,
    ("market/sql.py", "market_trade"): _SAID,
}


def test_raw_sql_that_writes_a_watched_table_says_why_nothing_is_stale() -> None:
    tables = "|".join(model._meta.db_table for model in invalidation.table())
    writes = re.compile(rf"(?:INSERT INTO|UPDATE|DELETE FROM|TRUNCATE|MERGE INTO)\s+\"?({tables})\b", re.IGNORECASE)
    found = set()
    for folder in ("bcraftd", *APPS):
        for path in (ROOT / folder).rglob("*.py"):
            name = str(path.relative_to(ROOT))
            if "/tests/" not in name and "/migrations/" not in name:
                found |= {(name, table) for table in writes.findall(path.read_text(encoding="utf-8"))}
    assert found == set(RAW)


def test_what_raw_sql_changed_can_be_said() -> None:
    """For a service that has to: bcraftd.cache.changed, in the same transaction."""
    row = Listing.objects.get()
    reads.read_all()
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("UPDATE market_listing SET remaining = 1 WHERE id = %s", [row.pk])
        invalidation.changed([row], {"remaining"})
    assert reads.stale() == []


def test_a_foreign_key_counts_by_either_of_its_names() -> None:
    """`profession` and `profession_id` are one column."""
    names = {frozenset({"profession"}), frozenset({"profession_id"})}
    from inventory.models import PlayerProfession

    row = PlayerProfession.objects.get()
    assert {tuple(invalidation.names_of(row, columns)) for columns in names} == {(f"recipes:user:{row.player_id}",)}
    assert invalidation.names_of(row, frozenset({"experience"})) == {}
    assert Resource._meta.get_field("profession_id").name == "profession"
