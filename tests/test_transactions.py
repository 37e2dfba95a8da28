"""Transactions that PostgreSQL asks to run again are run again, as a whole, and others are not. Real deadlocks."""

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import OperationalError, connection, transaction

from accounts.models import Player
from bcraftd.transactions import TRIES, atomic
from tests.support import Api


def test_of_two_transactions_that_block_each_other_both_end_well(ada: Api, bob: Api) -> None:
    tries: Counter[int] = Counter()
    both_hold_one = threading.Barrier(2)

    @atomic
    def lock_both(first: int, second: int) -> None:
        tries[first] += 1
        player = Player.objects.select_for_update().get(pk=first)
        if tries[first] == 1:
            both_hold_one.wait(30)
        Player.objects.select_for_update().get(pk=second)
        player.experience += 1
        player.save(update_fields=["experience"])

    def run(first: int, second: int) -> None:
        try:
            lock_both(first, second)
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        for future in [pool.submit(run, ada.id, bob.id), pool.submit(run, bob.id, ada.id)]:
            future.result(60)
    assert sorted(tries.values()) == [1, 2]
    assert list(Player.objects.values_list("experience", flat=True)) == [1, 1]


def _fail_with(state: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"DO $$ BEGIN RAISE EXCEPTION 'on purpose' USING ERRCODE = '{state}'; END $$")


def _tries_of(state: str) -> int:
    tries: list[str] = []

    @atomic
    def fails() -> None:
        tries.append(state)
        _fail_with(state)

    with pytest.raises(OperationalError, match="on purpose"):
        fails()
    return len(tries)


@pytest.mark.parametrize(("state", "tries"), [("40001", TRIES), ("40P01", TRIES), ("57014", 1), ("55P03", 1)])
def test_a_serialization_failure_and_a_deadlock_are_tried_three_times_and_nothing_else_is(
    world: None, state: str, tries: int
) -> None:
    assert _tries_of(state) == tries


def test_inside_another_transaction_nothing_is_tried_again(world: None) -> None:
    """Only the outermost one can be repeated as a whole."""
    with transaction.atomic():
        assert _tries_of("40001") == 1
        transaction.set_rollback(True)
