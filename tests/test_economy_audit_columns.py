"""Nothing can be changed by hand without the audit's finding it: each column of each row, each row gone or doubled.

The columns are found, not listed: a new one that no check looks at fails, or stands in UNSEEN with its reason.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import IntegrityError, connection
from django.db.models import ForeignKey, Model

from accounts.models import LedgerEntry, LedgerTransfer, Player, PlayerStatistics
from bcraftd import economy
from inventory.models import InventoryItem, ItemMovement
from market.models import Listing, Trade
from tests.audit_world import by_hand, everything_happens, register

MODELS: list[type[Model]] = [LedgerTransfer, LedgerEntry, PlayerStatistics, InventoryItem, ItemMovement, Listing, Trade]

# What stands nowhere else, so that nothing can tell that it was another value; or what has no weight.
UNSEEN: dict[tuple[type[Model], str], str] = {
    (LedgerTransfer, "operation_id"): "A name.",
    (LedgerTransfer, "created_at"): "A time.",
    (ItemMovement, "created_at"): "A time.",
    (Listing, "created_at"): "A time.",
    (Listing, "expires_at"): "A time.",
    (Listing, "closed_at"): "A time; that it is there, a constraint holds.",
    (Listing, "views"): "A count of looks.",
    (Trade, "created_at"): "A time.",
}
COLUMNS = [
    (model, field.attname)
    for model in MODELS
    for field in model._meta.concrete_fields
    if not field.primary_key and (model, field.attname) not in UNSEEN
]
OTHER_TEXT = {"status": "expired", "reason": "grant", "system_account": "mint", "reference": "trade:1000000"}


@pytest.fixture(autouse=True)
def _played(world: None) -> None:
    everything_happens(register("ada"), register("bob"))


def pks(model: type[Model]) -> list[Any]:
    return list(model._default_manager.order_by("pk").values_list("pk", flat=True))


def run(statement: str, *values: Any) -> None:
    """SQL without triggers and foreign keys; raises IntegrityError where a CHECK or UNIQUE refuses even that."""
    with connection.cursor() as cursor:
        sql = cursor.mogrify(statement, values).decode()
    by_hand(sql)


@contextmanager
def put_back(model: type[Model], pk: Any) -> Iterator[None]:
    """The row is again what it was."""
    table, key = model._meta.db_table, model._meta.pk.column
    (row,) = by_hand(f"SELECT to_jsonb(kept)::text FROM {table} kept WHERE {key} = {pk}")
    try:
        yield
    finally:
        run(f"DELETE FROM {table} WHERE {key} = %s", pk)
        run(f"INSERT INTO {table} SELECT * FROM jsonb_populate_record(NULL::{table}, %s)", row)


def other(model: type[Model], column: str, value: Any) -> Any:
    """Another value for a column."""
    field = next(each for each in model._meta.concrete_fields if each.attname == column)
    if isinstance(field, ForeignKey):
        return field.related_model._default_manager.exclude(pk=value).order_by("pk").values_list("pk", flat=True)[0]
    if isinstance(value, int):
        return value + 1
    return OTHER_TEXT[column]


def cannot_be_told(row: Any, column: str) -> bool:
    """What one row alone says, and no other."""
    if column == "reference":
        # A grant has none; which recipe it was is a note.
        return row.reason in ("gather", "grant", "craft_in", "craft_out")
    if isinstance(row, Listing) and column == "unit_price":
        return not row.trades.exists()
    if isinstance(row, Listing) and column == "status":
        # Whether its seller or the clock ended it.
        return row.status in ("cancelled", "expired")
    return bool(getattr(row, column) == OTHER_TEXT.get(column))


@pytest.mark.parametrize(("model", "column"), COLUMNS, ids=[f"{model.__name__}.{column}" for model, column in COLUMNS])
def test_another_value_in_any_row_is_refused_or_found(model: type[Model], column: str) -> None:
    rows = [row for row in model._default_manager.order_by("pk") if not cannot_be_told(row, column)]
    assert rows
    for row in rows:
        with put_back(model, row.pk):
            assert _refused(row, column) or not economy.audit().ok, row.pk
    assert economy.audit().ok


def _refused(row: Model, column: str) -> bool:
    """Writes another value. True where a constraint forbids even that."""
    table, key = row._meta.db_table, row._meta.pk.column
    value = other(type(row), column, getattr(row, column))
    try:
        run(f"UPDATE {table} SET {column} = %s WHERE {key} = %s", value, row.pk)
    except IntegrityError:
        return True
    return False


def test_another_number_of_coins_is_found_in_every_player() -> None:
    for player in Player.objects.all():
        with put_back(Player, player.pk):
            run("UPDATE accounts_player SET coins = coins + 1 WHERE id = %s", player.pk)
            assert economy.audit().counts == {"balance_differs": 1}


@pytest.mark.parametrize("model", MODELS)
def test_any_row_that_is_deleted_is_found(model: type[Model]) -> None:
    for pk in pks(model):
        with put_back(model, pk):
            run(f"DELETE FROM {model._meta.db_table} WHERE {model._meta.pk.column} = %s", pk)
            assert not economy.audit().ok, pk
    assert economy.audit().ok


@pytest.mark.parametrize("model", [LedgerTransfer, LedgerEntry, ItemMovement, Listing, Trade])
def test_any_row_that_is_doubled_is_found(model: type[Model]) -> None:
    table = model._meta.db_table
    names = [field.attname for field in model._meta.concrete_fields if not field.primary_key]
    values = ["gen_random_uuid()" if name == "operation_id" else name for name in names]
    for pk in pks(model):
        run(f"INSERT INTO {table} ({', '.join(names)}) SELECT {', '.join(values)} FROM {table} WHERE id = %s", pk)
        assert not economy.audit().ok, pk
        run(f"DELETE FROM {table} WHERE id = (SELECT max(id) FROM {table})")
    assert economy.audit().ok
