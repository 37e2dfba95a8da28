"""What must hold of the economy's tables whatever they hold: that what guards them is there, and that keys lead on.

Both are made from the models, so that a new table, constraint or trigger is looked after from its first migration on.
"""

from collections.abc import Sequence
from typing import Any

from django.db.models import ForeignKey, Model

from bcraftd.economy import Check, audited

_BROKEN = """
    SELECT '{table}' AS table_name, source.{row}::text AS id, '{key}' AS column_name, source.{key}::text AS missing
    FROM {table} source LEFT JOIN {target} target ON target.{column} = source.{key}
    WHERE source.{key} IS NOT NULL AND target.{column} IS NULL
"""


def _models() -> list[type[Model]]:
    """What the audited apps keep in tables of their own."""
    return [model for app in audited() for model in app.get_models() if model._meta.managed]


def _guards() -> Sequence[Any]:
    """Tables, and the names of what their models declare: three lists side by side, as unnest takes them."""
    wanted = []
    for model in _models():
        names = [each.name for each in model._meta.constraints]
        names += [trigger.get_pgid(model) for trigger in getattr(model._meta, "triggers", ())]
        wanted += [(model._meta.db_table, name) for name in names]
    tables = [table for table, _ in wanted]
    return [tables, [name for _, name in wanted], [model._meta.db_table for model in _models()]]


def _broken_keys() -> str:
    """The rows of every table whose foreign key leads to no row."""
    return " UNION ALL ".join(
        _BROKEN.format(
            table=model._meta.db_table,
            row=model._meta.pk.column,
            key=key.column,
            target=key.related_model._meta.db_table,
            column=key.target_field.column,
        )
        for model in _models()
        for key in model._meta.concrete_fields
        if isinstance(key, ForeignKey)
    )


CHECKS = [
    Check(
        kind="guard_missing",
        proves="the named constraints and triggers above are there, none is switched off, and each holds for all rows",
        sql="""
            WITH wanted AS (SELECT * FROM unnest(%s::text[], %s::text[]) AS named(table_name, name)),
                 tables AS (SELECT to_regclass(quote_ident(name)) AS oid, name AS table_name
                            FROM unnest(%s::text[]) AS named(name))
            SELECT table_name, name, 'is missing' AS state FROM wanted
            WHERE NOT EXISTS (SELECT FROM pg_constraint JOIN tables ON tables.oid = conrelid
                              WHERE conname = name AND tables.table_name = wanted.table_name)
              AND NOT EXISTS (SELECT FROM pg_trigger JOIN tables ON tables.oid = tgrelid
                              WHERE tgname = name AND tables.table_name = wanted.table_name)
              AND NOT EXISTS (SELECT FROM pg_index JOIN tables ON tables.oid = indrelid
                              JOIN pg_class ON pg_class.oid = indexrelid
                              WHERE relname = name AND tables.table_name = wanted.table_name)
            UNION ALL
            SELECT tables.table_name, coalesce(conname, tgname), 'is switched off'
            FROM pg_trigger JOIN tables ON tables.oid = tgrelid
            LEFT JOIN pg_constraint ON pg_constraint.oid = tgconstraint
            WHERE tgenabled NOT IN ('O', 'A')
            UNION ALL
            SELECT tables.table_name, conname, 'was never validated'
            FROM pg_constraint JOIN tables ON tables.oid = conrelid WHERE NOT convalidated
        """,
        params=_guards(),
        detail="{table_name}: {name} {state}",
    ),
    Check(
        kind="row_orphaned",
        proves="every foreign key of accounts, inventory, market and the project leads to a row that is there",
        sql=_broken_keys(),
        detail="{table_name} {id}: there is no row {missing} for its {column_name}",
    ),
]
