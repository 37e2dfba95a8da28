"""The ledger of coins: double entry, append-only, and balances that are always its sum."""

import uuid
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from django.db import IntegrityError, InternalError, connection, transaction
from django.db.models import Sum
from django.db.utils import DatabaseError

from accounts.models import MAX_AMOUNT, LedgerEntry, LedgerTransfer, Player, PlayerStatistics, SystemAccount
from accounts.services import coins_transfer, players_lock
from bcraftd.errors import Refusal
from tests.support import Api, locks, queries

INTO = "transfer_id, player_id, system_account, amount"


def sums() -> dict[int, int]:
    rows = LedgerEntry.objects.filter(player__isnull=False).values_list("player").annotate(Sum("amount"))
    return dict(rows)


def balances() -> dict[int, int]:
    return dict(Player.objects.values_list("pk", "coins"))


def transfer(amounts: Mapping[Any, int], reason: str = "test", **facts: Any) -> LedgerTransfer:
    """A transfer among players (by id) and system accounts."""
    with transaction.atomic():
        locked = players_lock([who for who in amounts if isinstance(who, int)])
        return coins_transfer(
            moves={locked[who] if isinstance(who, int) else who: coins for who, coins in amounts.items()},
            reason=reason,
            **facts,
        )


def sql(statement: str, *values: Any) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement, values)


def test_a_players_coins_are_the_sum_of_its_entries(ada: Api, bob: Api) -> None:
    transfer({ada.id: -300, bob.id: 285, SystemAccount.MARKET_FEE: 15})

    assert balances() == sums() == {ada.id: 700, bob.id: 1285}
    assert LedgerEntry.objects.aggregate(all=Sum("amount"))["all"] == 0


def test_starting_coins_come_from_the_mint(ada: Api) -> None:
    entries = LedgerEntry.objects.select_related("transfer").order_by("amount")

    assert [(entry.system_account, entry.player_id, entry.amount) for entry in entries] == [
        ("mint", None, -1000),
        ("", ada.id, 1000),
    ]
    assert {(entry.transfer.reason, entry.transfer.reference) for entry in entries} == {
        ("starting_coins", f"player:{ada.id}")
    }


def test_a_transfer_keeps_its_reason_its_reference_and_its_operation(ada: Api) -> None:
    operation = uuid.uuid4()
    made = transfer({ada.id: -5, SystemAccount.MARKET_FEE: 5}, "toll", reference="bridge:7", operation_id=operation)

    assert LedgerTransfer.objects.values_list("reason", "reference", "operation_id").get(pk=made.pk) == (
        "toll",
        "bridge:7",
        operation,
    )


def test_a_transfer_without_a_reference_has_none_and_an_operation_of_its_own(ada: Api) -> None:
    made = [transfer({ada.id: -5, SystemAccount.MARKET_FEE: 5}) for _ in range(2)]

    rows = LedgerTransfer.objects.filter(pk__in=[each.pk for each in made])
    assert [row.reference for row in rows] == ["", ""]
    assert len({row.operation_id for row in rows} - {None}) == 2


def test_who_gets_nothing_has_no_entry(ada: Api, bob: Api) -> None:
    made = transfer({ada.id: -5, bob.id: 0, SystemAccount.MARKET_FEE: 5})

    assert set(made.entries.values_list("player_id", "amount")) == {(ada.id, -5), (None, 5)}


def test_a_transfer_writes_a_players_coins_and_nothing_else_of_it(ada: Api, bob: Api) -> None:
    before = {row["id"]: row for row in Player.objects.values()}
    with queries() as sql:
        transfer({ada.id: -300, bob.id: 300})

    after = {row["id"]: row for row in Player.objects.values()}
    assert after == {
        ada.id: {**before[ada.id], "coins": 700},
        bob.id: {**before[bob.id], "coins": 1300},
    }
    assert len(sql) == 2  # the lock and the transfer


def test_a_transfer_that_is_refused_has_changed_nothing_even_before_the_rollback(ada: Api, bob: Api) -> None:
    with transaction.atomic():
        locked = players_lock([ada.id, bob.id])
        with pytest.raises(Refusal, match=r"This takes 1001 coins; 1000 are there\."):
            coins_transfer(moves={locked[bob.id]: 1001, locked[ada.id]: -1001}, reason="test")
        assert balances() == sums() == {ada.id: 1000, bob.id: 1000}
        assert (locked[ada.id].coins, locked[bob.id].coins) == (1000, 1000)


def test_players_are_locked_by_their_ids_and_rows_that_point_at_them_need_not_wait(ada: Api, bob: Api) -> None:
    with queries() as sql, transaction.atomic():
        locked = players_lock([bob.id, ada.id, bob.id])

    assert list(locked) == [ada.id, bob.id]
    (lock,) = locks(sql)
    assert lock.endswith('ORDER BY "accounts_player"."id" ASC FOR NO KEY UPDATE')


@pytest.mark.parametrize("table", ["accounts_ledgerentry", "accounts_ledgertransfer"])
@pytest.mark.parametrize("statement", ["UPDATE {} SET id = id", "DELETE FROM {}"])
def test_the_database_refuses_to_change_history(ada: Api, table: str, statement: str) -> None:
    before = LedgerEntry.objects.count(), LedgerTransfer.objects.count()

    with pytest.raises(DatabaseError, match="Cannot update or delete"):
        sql(statement.format(table))

    assert (LedgerEntry.objects.count(), LedgerTransfer.objects.count()) == before


def test_neither_does_the_orm_change_it(ada: Api) -> None:
    entry = LedgerEntry.objects.earliest("pk")
    entry.amount = 5
    changes: list[Callable[[], Any]] = [
        entry.save,
        entry.delete,
        lambda: LedgerEntry.objects.update(amount=5),
        lambda: LedgerTransfer.objects.update(reason="x"),
    ]
    for change in changes:
        with pytest.raises(InternalError):
            change()


@pytest.mark.parametrize("amounts", [(5, -4), (5, 5), (1, 2, -4)])
def test_a_transfer_that_does_not_sum_to_zero_is_refused_when_it_commits(ada: Api, amounts: tuple[int, ...]) -> None:
    def book() -> None:
        with transaction.atomic():
            made = LedgerTransfer.objects.create(reason="unbalanced")
            for amount in amounts:
                LedgerEntry.objects.create(transfer=made, system_account="mint", amount=amount)

    with pytest.raises(IntegrityError, match="does not sum to zero"):
        book()
    assert LedgerEntry.objects.count() == 2


@pytest.mark.parametrize("amounts", [(), (5,)])
def test_a_transfer_with_fewer_than_two_sides_is_refused_when_it_commits(ada: Api, amounts: tuple[int, ...]) -> None:
    def book() -> None:
        with transaction.atomic():
            made = LedgerTransfer.objects.create(reason="one-sided")
            LedgerEntry.objects.bulk_create(
                LedgerEntry(transfer=made, system_account="mint", amount=amount) for amount in amounts
            )

    with pytest.raises(IntegrityError, match=r"fewer than two entries|does not sum to zero"):
        book()
    assert LedgerTransfer.objects.count() == 1


@pytest.mark.parametrize("table", ["ledgertransfer", "ledgerentry"])
def test_the_history_cannot_be_truncated(ada: Api, table: str) -> None:
    with connection.cursor() as cursor, pytest.raises(InternalError, match="Cannot truncate"):
        cursor.execute(f"TRUNCATE accounts_{table} CASCADE")
    assert LedgerEntry.objects.count() == 2


def test_entries_may_come_one_after_the_other_within_a_transaction(ada: Api) -> None:
    with transaction.atomic():
        made = LedgerTransfer.objects.create(reason="balanced")
        for amount in (7, -3, -4):
            LedgerEntry.objects.create(transfer=made, system_account="mint", amount=amount)

    assert made.entries.count() == 3


def test_an_entry_added_to_a_finished_transfer_is_refused(ada: Api) -> None:
    finished = LedgerTransfer.objects.get()

    with pytest.raises(IntegrityError, match="does not sum to zero"):
        LedgerEntry.objects.create(transfer=finished, system_account="mint", amount=1)


@pytest.mark.parametrize(
    ("columns", "constraint"),
    [
        ("NULL, 'mint', 0", "ledgerentry_amount_not_zero"),
        ("NULL, '', 5", "ledgerentry_one_account"),
        ("NULL, 'casino', 5", "ledgerentry_one_account"),
        ("{ada}, 'mint', 5", "ledgerentry_one_account"),
    ],
)
def test_an_entry_is_of_one_known_account_and_never_zero(ada: Api, columns: str, constraint: str) -> None:
    made = LedgerTransfer.objects.get().pk

    with pytest.raises(IntegrityError, match=constraint):
        sql(f"INSERT INTO accounts_ledgerentry ({INTO}) VALUES ({made}, {columns.format(ada=ada.id)})")  # noqa: S608


@pytest.mark.parametrize(
    "moves",
    [
        {},
        {SystemAccount.MINT: 0},
        {SystemAccount.MINT: 5},
        {SystemAccount.MINT: 5, SystemAccount.MARKET_FEE: -4},
    ],
)
def test_the_service_refuses_what_is_no_transfer(ada: Api, moves: dict[Any, int]) -> None:
    with pytest.raises(ValueError, match="sum to zero"):
        transfer(moves)
    assert LedgerTransfer.objects.count() == 1


@pytest.mark.parametrize("amount", [1001, MAX_AMOUNT])
def test_nobody_spends_what_is_not_there(ada: Api, amount: int) -> None:
    with pytest.raises(Refusal, match=rf"insufficient_coins: .*\b(?<!-){amount} coins; 1000 are there\.$"):
        transfer({ada.id: -amount, SystemAccount.MARKET_FEE: amount})

    assert balances() == sums() == {ada.id: 1000}


def test_the_last_coin_can_be_spent(ada: Api) -> None:
    transfer({ada.id: -1000, SystemAccount.MARKET_FEE: 1000})

    assert balances() == sums() == {ada.id: 0}


def test_a_balance_may_reach_its_limit_and_not_pass_it(ada: Api) -> None:
    transfer({SystemAccount.MINT: 1000 - MAX_AMOUNT, ada.id: MAX_AMOUNT - 1000})
    assert ada.coins() == MAX_AMOUNT

    with pytest.raises(Refusal, match=rf"balance_limit: .*{MAX_AMOUNT} coins\.$"):
        transfer({SystemAccount.MINT: -1, ada.id: 1})
    assert balances() == sums() == {ada.id: MAX_AMOUNT}


@pytest.mark.parametrize(
    ("column", "value", "constraint"),
    [
        ("coins", "-1", "player_coins_range"),
        ("coins", str(MAX_AMOUNT + 1), "player_coins_range"),
        ("experience", "-1", "player_experience_range"),
        ("experience", str(MAX_AMOUNT + 1), "player_experience_range"),
        ("level", "0", "player_level_range"),
        ("level", "101", "player_level_range"),
        ("role", "'king'", "player_role_known"),
        ("login", "'ab'", "player_login_form"),
        ("login", "'a b c'", "player_login_form"),
        ("login", "E'abc\\n'", "player_login_form"),
        ("login", "'BOB'", "player_login_unique"),
        ("email", "'BOB@example.ORG'", "player_email_unique"),
    ],
)
def test_the_database_keeps_a_player_within_bounds(
    ada: Api, bob: Api, column: str, value: str, constraint: str
) -> None:
    with pytest.raises(IntegrityError, match=constraint):
        sql(f"UPDATE accounts_player SET {column} = {value} WHERE id = %s", ada.id)  # noqa: S608


@pytest.mark.parametrize("column", ["items_crafted", "sales_count", "sales_value", "purchases_value"])
def test_statistics_are_never_negative(ada: Api, column: str) -> None:
    with pytest.raises(IntegrityError, match="playerstatistics_not_negative"):
        PlayerStatistics.objects.update(**{column: -1})


def test_a_player_made_by_raw_sql_has_statistics_too(world: None) -> None:
    Player.objects.bulk_create([Player(login="bulk", email="bulk@example.org", password="!")])

    assert PlayerStatistics.objects.get().player.login == "bulk"


def test_a_player_with_history_cannot_be_deleted(ada: Api) -> None:
    with pytest.raises(IntegrityError):
        sql("DELETE FROM accounts_playerstatistics; DELETE FROM accounts_playersession; DELETE FROM accounts_player")
    assert Player.objects.exists()


def test_saving_a_whole_row_that_was_read_earlier_does_not_bring_its_coins_back(ada: Api) -> None:
    read_earlier = Player.objects.get(pk=ada.id)
    ada.grant(coins=500)
    read_earlier.email = "ada@new.example.org"
    read_earlier.save()
    player = Player.objects.get(pk=ada.id)
    assert (player.email, player.coins) == ("ada@new.example.org", 1500)
