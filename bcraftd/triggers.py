"""Triggers that several tables share. Each holds against everything: a defect, the admin, a shell, SQL by hand."""

import pgtrigger


def append_only() -> list[pgtrigger.Trigger]:
    """For a history: what is written stays as it is. TRUNCATE fires no trigger of rows, and has one of its own."""
    return [pgtrigger.Protect(name="append_only", operation=pgtrigger.Update | pgtrigger.Delete), no_truncate()]


def no_truncate() -> pgtrigger.Trigger:
    """For a table that may not be emptied at one go."""
    return pgtrigger.Trigger(
        name="no_truncate",
        level=pgtrigger.Statement,
        when=pgtrigger.Before,
        operation=pgtrigger.Truncate,
        func="RAISE EXCEPTION 'Cannot truncate table %', TG_TABLE_NAME;",
    )
