"""Migrations that the version before can still run beside: `make lint` refuses all others.

During a rolling restart old processes serve on the new schema, for a minute or for a day. Each operation that is newer
than the last release is looked at, by what it does to the tables that the release knows. What is refused may stand all
the same, where it says why the version before does not mind: `bcraftd.migrating.beside`. docs/upgrading.md has the
ways. No database is needed. Run as `python -m tests.beside`.
"""

import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import django
from django.apps import apps
from django.contrib.postgres import operations as postgres
from django.db import migrations, models
from django.db.migrations import Migration
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.operations.base import Operation
from django.db.migrations.operations.models import AlterTogetherOptionOperation, IndexOperation, ModelOperation
from django.db.migrations.state import ProjectState
from django.db.models import NOT_PROVIDED
from pgtrigger.migrations import AddTrigger, RemoveTrigger

ROOT = Path(__file__).resolve().parent.parent

# The last migration of each app in the newest release. Whoever makes a release names its own here.
RELEASED = {
    "accounts": "0005_grant_permission",
    "bcraftd": "0005_backups",
    "environment": "0002_outside_changes",
    "inventory": "0004_items_move",
    "leaderboard": "0002_places",
    "market": "0006_listing_active_made",
}

Table = tuple[str, str]  # the app's label, the model's name in small letters
Field = Any  # the stubs' own lacks what every column has

REMOVES = "the version before reads it. Stop using it in one release, remove it in the next"
RENAMES = "the version before knows the old name only. Add the new one, write both, remove the old one a release later"
NOT_NULL = "the version before writes rows without it. Give it a db_default, or null=True"
TIGHTENS = "the version before writes NULL there. Give it a db_default first, and take NULL away a release later"
LOSES_DEFAULT = "the version before leaves it to the db_default. Take that away a release after the code names it"
RETYPES = "the version before reads and writes the old type. Add a column, write both, remove the old one later"
INDEX = "building it keeps writers out. Use AddIndexConcurrently, in a migration with atomic = False"
UNIQUE = (
    "building it keeps writers out, and the version before may write what it refuses. Let the code keep to it for a"
    " release, then use RunSQL with CREATE UNIQUE INDEX CONCURRENTLY"
)
CONSTRAINT = (
    "the version before may write what it refuses. Let the code keep to it for a release, then use"
    " AddConstraintNotValid, and ValidateConstraint in the next migration"
)
TRIGGER = "it changes what the version before writes, or what happens then"
UNSEEN = "what it does is not seen from here"

# What the version before does not notice, and what takes no lock for long.
HARMLESS = (
    migrations.CreateModel,
    migrations.AlterModelOptions,
    migrations.AlterModelManagers,
    migrations.AlterModelTableComment,
    migrations.RemoveIndex,
    migrations.RenameIndex,
    migrations.RemoveConstraint,
    migrations.AlterConstraint,
    postgres.AddIndexConcurrently,
    postgres.ValidateConstraint,
)
REFUSED: list[tuple[tuple[type[Operation], ...], str]] = [
    ((migrations.DeleteModel, migrations.RemoveField), REMOVES),
    ((migrations.RenameModel, migrations.RenameField, migrations.AlterModelTable), RENAMES),
    ((migrations.AlterOrderWithRespectTo,), NOT_NULL),
    ((migrations.AddIndex,), INDEX),
    ((AlterTogetherOptionOperation,), UNIQUE),
    ((AddTrigger, RemoveTrigger), TRIGGER),
]


def _changes_nothing(field: Field) -> set[str]:
    """The arguments of a field that its column does not have, or that have a rule of their own."""
    return {*field.non_db_attrs, "db_comment", "db_default", "db_index", "default", "null", "unique"}


def _kind(field: Field) -> tuple[str, dict[str, object]]:
    """What makes a field's type."""
    _, path, _, words = field.deconstruct()
    return path, {name: value for name, value in words.items() if name not in _changes_nothing(field)}


def _fits(before: Field, after: Field) -> bool:
    """Whether the type stays, or all that changes is that longer text fits in: that costs nothing."""
    (old, were), (new, are) = _kind(before), _kind(after)
    lengths = were.pop("max_length", None), are.pop("max_length", None)
    if (old, were) != (new, are):
        return False
    return lengths[0] == lengths[1] or (None not in lengths and before.max_length < after.max_length)


def _indexed(field: Field) -> list[str]:
    """Why a new column, or one that was without, may not have its index at once."""
    return [UNIQUE] if field.unique else [INDEX] if field.db_index else []


def _added(field: Field) -> list[str]:
    if field.many_to_many:
        return []  # a table of its own
    given = field.null or field.db_default is not NOT_PROVIDED or field.generated
    return ([] if given else [NOT_NULL]) + _indexed(field)


def _altered(before: Field, after: Field) -> Iterator[str]:
    if before.db_column != after.db_column:
        yield RENAMES
    if not _fits(before, after):
        yield RETYPES
    if before.null and not after.null:
        yield TIGHTENS
    if before.db_default is not NOT_PROVIDED and after.db_default is NOT_PROVIDED and not after.null:
        yield LOSES_DEFAULT
    if (after.unique, after.db_index) > (before.unique, before.db_index):
        yield from _indexed(after)


def _reasons(operation: Operation, app: str, state: ProjectState) -> Iterable[str]:
    """Why an operation on a table that the release knows is refused; nothing where it is not."""
    if isinstance(operation, HARMLESS):
        return []
    if isinstance(operation, migrations.AddField):
        return _added(operation.field)
    if isinstance(operation, migrations.AlterField):
        return _altered(state.models[app, operation.model_name_lower].fields[operation.name], operation.field)
    if isinstance(operation, migrations.AddConstraint):
        unique = isinstance(operation.constraint, models.UniqueConstraint)
        return [UNIQUE if unique else CONSTRAINT]
    return [why for kinds, why in REFUSED if isinstance(operation, kinds)] or [UNSEEN]


def _table(operation: Operation, app: str) -> Table | None:
    """The one that an operation is about, where it is about one."""
    if isinstance(operation, IndexOperation) or hasattr(operation, "model_name"):
        return app, operation.model_name.lower()
    if isinstance(operation, migrations.RenameModel):
        return app, operation.old_name_lower
    if isinstance(operation, ModelOperation):
        return app, operation.name_lower
    return None


def _refusals(operation: Operation, app: str, state: ProjectState, new: set[Table]) -> Iterator[str]:
    """Why an operation may not run beside the version before. `new` are the tables that came after the release, and
    those that are no tables of ours: views."""
    if getattr(operation, "beside", ""):
        return
    if isinstance(operation, migrations.SeparateDatabaseAndState):
        for inner in operation.database_operations:
            yield from _refusals(inner, app, state, new)
        return
    table = _table(operation, app)
    if table in new or (table in state.models and state.models[table].options.get("managed") is False):
        return
    for why in _reasons(operation, app, state):
        yield f"{operation.describe()}: {why}."


def refused(plan: Iterable[Migration], state: ProjectState) -> list[str]:
    """One line for each thing that the version before could not run beside. `plan` are the migrations since the
    release, in their order; `state` is the release's, and is changed."""
    found, new = [], set[Table]()
    for migration in plan:
        app = migration.app_label
        for operation in migration.operations:
            if isinstance(operation, migrations.CreateModel):
                new.add((app, operation.name_lower))
            found += [f"{app}.{migration.name}: {why}" for why in _refusals(operation, app, state, new)]
            operation.state_forwards(app, state)
    return found


def since(released: Mapping[str, str]) -> tuple[list[Migration], ProjectState]:
    """Our own migrations after those, in order, and the models as those left them."""
    loader = MigrationLoader(None)
    ours = {config.label for config in apps.get_app_configs() if Path(config.path).parent == ROOT}
    old = {node for leaf in released.items() for node in loader.graph.forwards_plan(leaf)}
    # Of the packages everything is there: they have their own releases.
    old |= {node for node in loader.graph.nodes if node[0] not in ours}
    whole = dict.fromkeys(node for leaf in loader.graph.leaf_nodes() for node in loader.graph.forwards_plan(leaf))
    state = ProjectState()
    for node in whole:
        if node in old:
            state = loader.graph.nodes[node].mutate_state(state, preserve=False)
    return [loader.graph.nodes[node] for node in whole if node not in old], state


def main() -> int:
    """Say what is refused; returns the exit status."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "bcraftd.settings")
    django.setup()
    found = refused(*since(RELEASED))
    for line in found:
        sys.stdout.write(f"{line}\n")
    if found:
        sys.stdout.write("The version before cannot run beside this: docs/upgrading.md has the ways.\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
