"""Which migrations the version before can run beside (tests/beside.py): each rule on a made-up migration."""

from typing import Any

import pytest
from django.contrib.postgres.operations import AddConstraintNotValid, AddIndexConcurrently, CreateExtension
from django.db import migrations, models
from django.db.migrations import Migration
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ModelState, ProjectState
from pgtrigger import compiler
from pgtrigger.migrations import AddTrigger, RemoveTrigger

from bcraftd.migrating import beside as runs_beside
from tests import beside

POSITIVE = models.CheckConstraint(condition=models.Q(price__gt=0), name="stall_price")
ONE_A_TOWN = models.UniqueConstraint(fields=["town"], name="stall_town")
BY_TOWN = models.Index(fields=["town"], name="stall_by_town")
AUDITED = compiler.Trigger(
    name="audited", sql=compiler.UpsertTriggerSql(func="RETURN NULL;", hash="x", operation="UPDATE", pgid="p",
                                                  table="game_stall", when="AFTER"),
)  # fmt: skip

# As if everything there is had been released.
NEWEST = {app: name for app, name in MigrationLoader(None).graph.leaf_nodes() if app in beside.RELEASED}


def released() -> ProjectState:
    """What the version before knows: two tables, and a view that is no table."""
    state = ProjectState()
    key: tuple[str, Any] = ("id", models.BigAutoField(primary_key=True))
    stall: list[tuple[str, Any]] = [
        key,
        ("price", models.IntegerField()),
        ("town", models.CharField(max_length=20)),
        ("note", models.TextField(null=True)),
        ("rent", models.IntegerField(db_default=1)),
    ]
    state.add_model(ModelState("game", "Stall", stall))
    state.add_model(ModelState("game", "Guild", [key]))
    state.add_model(ModelState("game", "Rank", [key], options={"managed": False}))
    return state


def refusals(*operations: Operation) -> list[str]:
    made_up = type("Made", (Migration,), {"operations": operations})
    return beside.refused([made_up("0002_made_up", "game")], released())


def adds(field: Any, name: str = "colour") -> Operation:
    return migrations.AddField("stall", name, field)


def alters(name: str, field: Any) -> Operation:
    return migrations.AlterField("stall", name, field)


REFUSED = {
    "a model is removed": (migrations.DeleteModel("Guild"), beside.REMOVES),
    "a column is removed": (migrations.RemoveField("stall", "note"), beside.REMOVES),
    "a model is renamed": (migrations.RenameModel("Guild", "Union"), beside.RENAMES),
    "a table is renamed": (migrations.AlterModelTable("guild", "unions"), beside.RENAMES),
    "a field is renamed": (migrations.RenameField("stall", "town", "city"), beside.RENAMES),
    "a column is renamed": (alters("price", models.IntegerField(db_column="cost")), beside.RENAMES),
    "a column has to be given": (adds(models.IntegerField(default=0)), beside.NOT_NULL),
    "rows get an order": (migrations.AlterOrderWithRespectTo("stall", "guild"), beside.NOT_NULL),
    "NULL is forbidden": (alters("note", models.TextField()), beside.TIGHTENS),
    "a default is taken away": (alters("rent", models.IntegerField()), beside.LOSES_DEFAULT),
    "a type is changed": (alters("price", models.BigIntegerField()), beside.RETYPES),
    "text is cut": (alters("town", models.CharField(max_length=10)), beside.RETYPES),
    "an index is built": (migrations.AddIndex("stall", BY_TOWN), beside.INDEX),
    "a column gets an index": (alters("price", models.IntegerField(db_index=True)), beside.INDEX),
    "a new column has an index": (adds(models.IntegerField(null=True, db_index=True)), beside.INDEX),
    "a new foreign key has an index": (
        adds(models.ForeignKey("game.guild", models.PROTECT, null=True), "guild"),
        beside.INDEX,
    ),
    "a column gets unique": (alters("town", models.CharField(max_length=20, unique=True)), beside.UNIQUE),
    "a new column is unique": (adds(models.IntegerField(null=True, unique=True)), beside.UNIQUE),
    "columns get unique together": (migrations.AlterUniqueTogether("stall", {("town", "price")}), beside.UNIQUE),
    "a unique constraint": (migrations.AddConstraint("stall", ONE_A_TOWN), beside.UNIQUE),
    "a check": (migrations.AddConstraint("stall", POSITIVE), beside.CONSTRAINT),
    "a check of new rows": (AddConstraintNotValid("stall", POSITIVE), beside.CONSTRAINT),
    "a trigger": (AddTrigger("stall", AUDITED), beside.TRIGGER),
    "SQL": (migrations.RunSQL("SELECT 1"), beside.UNSEEN),
    "Python": (migrations.RunPython(migrations.RunPython.noop), beside.UNSEEN),
    "something that nobody has thought of": (CreateExtension("hstore"), beside.UNSEEN),
    "something behind the models' back": (
        migrations.SeparateDatabaseAndState([migrations.RemoveField("stall", "note")]),
        beside.REMOVES,
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_breaks_the_version_before_is_refused_with_the_way_to_do_it(case: str) -> None:
    operation, why = REFUSED[case]

    (line,) = refusals(operation)

    assert line.startswith("game.0002_made_up: ")
    assert line.endswith(f": {why}.")


@pytest.mark.parametrize("case", REFUSED)
def test_it_may_stand_where_it_says_why_the_version_before_does_not_mind(case: str) -> None:
    operation, _ = REFUSED[case]
    copy = type(operation).__new__(type(operation))
    vars(copy).update(vars(operation))

    assert refusals(runs_beside(copy, "Nobody has read it since 0.3.")) == []


def test_a_reason_has_to_be_given() -> None:
    assert refusals(runs_beside(migrations.RunSQL("SELECT 1"), "")) != []


def test_a_trigger_that_goes_is_refused_too() -> None:
    (line,) = refusals(
        runs_beside(AddTrigger("stall", AUDITED), "For what follows."), RemoveTrigger("stall", "audited")
    )

    assert beside.TRIGGER in line


HARMLESS: dict[str, list[Operation]] = {
    "a new table, whatever happens to it": [
        migrations.CreateModel(
            "Boat", [("id", models.BigAutoField(primary_key=True)), ("crew", models.IntegerField())]
        ),
        migrations.AddField("boat", "name", models.TextField(default="")),
        migrations.AddIndex("boat", models.Index(fields=["crew"], name="boat_crew")),
        migrations.AddConstraint("boat", models.UniqueConstraint(fields=["name"], name="boat_name")),
        migrations.RemoveField("boat", "crew"),
    ],
    "what is no table": [migrations.AddField("rank", "place", models.BigIntegerField(default=0))],
    "a column that may stay empty": [adds(models.IntegerField(null=True))],
    "a column that the database fills": [adds(models.IntegerField(db_default=0))],
    "a foreign key with its index afterwards": [
        adds(models.ForeignKey("game.guild", models.PROTECT, null=True, db_index=False), "guild"),
        AddIndexConcurrently("stall", models.Index(fields=["guild"], name="stall_guild")),
    ],
    "a table between two": [adds(models.ManyToManyField("game.guild"), "guilds")],
    "NULL is allowed": [alters("price", models.IntegerField(null=True))],
    "the database gets a default": [alters("price", models.IntegerField(db_default=1))],
    "what the database does not know": [alters("price", models.IntegerField(default=3, help_text="Coins."))],
    "longer text": [alters("town", models.CharField(max_length=50))],
    "an index beside the writers": [AddIndexConcurrently("stall", BY_TOWN)],
    "names that people see": [migrations.AlterModelOptions("stall", {"verbose_name": "booth"})],
    "the models alone": [migrations.SeparateDatabaseAndState([], [migrations.RemoveField("stall", "note")])],
}


@pytest.mark.parametrize("case", HARMLESS)
def test_what_the_version_before_does_not_notice_passes(case: str) -> None:
    assert refusals(*HARMLESS[case]) == []


def test_two_things_wrong_are_two_lines() -> None:
    assert len(refusals(adds(models.IntegerField(unique=True)))) == 2


# --- The migrations that there are ------------------------------------------------------------------------


def test_what_came_after_the_release_can_run_beside_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert beside.main() == 0
    assert capsys.readouterr().out == ""


def test_what_is_refused_is_said_and_fails(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setitem(beside.RELEASED, "market", "0005_moves")

    assert beside.main() == 1

    line, last, *rest = capsys.readouterr().out.splitlines()
    assert line.startswith("market.0006_listing_active_made: ")
    assert beside.INDEX in line
    assert "docs/upgrading.md" in last
    assert rest == []


def test_only_what_came_after_the_release_is_looked_at() -> None:
    plan, state = beside.since({**NEWEST, "market": "0004_buy"})

    assert [str(migration) for migration in plan] == ["market.0005_moves", "market.0006_listing_active_made"]
    assert ("market", "listing") in state.models


def test_an_app_that_no_release_has_is_new_as_a_whole() -> None:
    without = {app: name for app, name in NEWEST.items() if app != "leaderboard"}

    plan, state = beside.since(without)

    assert {migration.app_label for migration in plan} == {"leaderboard"}
    assert ("leaderboard", "leaderboardrow") not in state.models
