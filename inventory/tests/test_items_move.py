"""The one way to move items: what is held and the record of it change together, and rows are locked in one order."""

import pytest
from django.db import IntegrityError, connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from bcraftd.errors import Refusal
from inventory.models import MAX_AMOUNT, InventoryItem, ItemMovement
from inventory.services import items_move
from inventory.tests.support import assert_conserved, everything
from tests.support import Api, queries, resource_id

SLUGS = {"log": "mutterwood-log", "bark": "gossip-birch-bark", "resin": "amberweep-resin"}


def move(player: Api, reason: str, **moves: int) -> dict[str, int]:
    """`log=3` gives three logs, `log=-3` takes them. Returns what the service says is then held, by the same names."""
    ids = {name: resource_id(slug) for name, slug in SLUGS.items()}
    held = items_move(player_id=player.id, moves={ids[name]: n for name, n in moves.items()}, reason=reason)
    return {name: held[ids[name]] for name in SLUGS if ids[name] in held}


def give(player: Api, **gains: int) -> dict[str, int]:
    return move(player, "grant", **gains)


def take(player: Api, **losses: int) -> dict[str, int]:
    return move(player, "craft_in", **{name: -number for name, number in losses.items()})


def holdings(player: Api) -> dict[str, int]:
    rows = dict(InventoryItem.objects.filter(player_id=player.id).values_list("resource__slug", "quantity"))
    return {name: rows.get(slug, 0) for name, slug in SLUGS.items()}


def test_what_is_then_held_is_told_for_each_that_changed(ada: Api, bob: Api) -> None:
    assert give(ada, log=5, resin=2, bark=0) == {"log": 5, "resin": 2}
    assert give(bob, log=1) == {"log": 1}
    assert give(ada, log=1, bark=3) == {"log": 6, "bark": 3}
    assert take(ada, log=4, resin=2) == {"log": 2, "resin": 0}

    assert holdings(ada) == {"log": 2, "bark": 3, "resin": 0}
    assert holdings(bob) == {"log": 1, "bark": 0, "resin": 0}
    assert_conserved()


def test_each_change_is_recorded_with_its_reason_and_no_reference_where_none_is_named(ada: Api) -> None:
    move(ada, "gather", log=5, bark=1)

    rows = ItemMovement.objects.values_list("resource__slug", "quantity", "reason", "reference")
    assert set(rows) == {(SLUGS["log"], 5, "gather", ""), (SLUGS["bark"], 1, "gather", "")}


def test_one_resource_too_few_leaves_all_as_they_were(ada: Api) -> None:
    give(ada, log=5, bark=1)
    before = everything()

    says = rf"takes 2 of resource {resource_id(SLUGS['bark'])}; 1 are there\.$"
    with pytest.raises(Refusal, match=says) as refusal:
        take(ada, log=5, bark=2)

    assert refusal.value.code == "insufficient_items"
    assert everything() == before


def test_a_holding_may_be_filled_to_its_limit_and_emptied_and_not_beyond(ada: Api) -> None:
    give(ada, log=MAX_AMOUNT)
    with pytest.raises(Refusal, match=rf"{MAX_AMOUNT} pieces\.$") as refusal:
        give(ada, log=1)
    assert refusal.value.code == "balance_limit"

    assert take(ada, log=MAX_AMOUNT) == {"log": 0}
    with pytest.raises(Refusal, match=r"takes 1 of .*; 0 are there\.$"):
        take(ada, log=1)


def test_nothing_is_held_where_its_record_cannot_be_kept(ada: Api) -> None:
    with pytest.raises(IntegrityError, match="itemmovement_reason_sign"):
        move(ada, "craft_in", log=1)

    assert holdings(ada)["log"] == 0


def test_only_what_changes_is_locked_and_only_its_quantity_is_written(ada: Api) -> None:
    give(ada, log=5, bark=5, resin=5)
    before = {row["id"]: row for row in InventoryItem.objects.values()}
    other = connection.copy()
    try:
        with transaction.atomic():
            with queries() as sql:
                take(ada, resin=1, log=1)
            with other.cursor() as cursor:
                cursor.execute("SELECT resource_id FROM inventory_inventoryitem FOR UPDATE SKIP LOCKED")
                free = {row[0] for row in cursor.fetchall()}
    finally:
        other.close()

    (call,) = [statement for statement in sql if "items_move" in statement]
    # Locked in the order of their ids, whatever order they were named in.
    ids = sorted((resource_id(SLUGS["log"]), resource_id(SLUGS["resin"])))
    assert f"ARRAY[{ids[0]},{ids[1]}]" in call
    assert free == {resource_id(SLUGS["bark"])}
    after = {row["id"]: row for row in InventoryItem.objects.values()}
    assert {pk: {**row, "quantity": 0} for pk, row in after.items()} == {
        pk: {**row, "quantity": 0} for pk, row in before.items()
    }


def test_what_no_column_holds_is_refused_like_what_is_too_much(ada: Api) -> None:
    with pytest.raises(Refusal, match="may not pass") as refusal:
        give(ada, log=10**30)
    assert refusal.value.code == "balance_limit"
    with pytest.raises(Refusal) as refusal:
        take(ada, log=10**30)
    assert refusal.value.code == "insufficient_items"


steps = some.lists(some.tuples(some.booleans(), some.dictionaries(some.sampled_from(list(SLUGS)), some.integers(0, 4))))


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps)
def test_whatever_is_moved_the_record_sums_to_what_is_held_and_nothing_falls_below_zero(
    ada: Api, steps: list[tuple[bool, dict[str, int]]]
) -> None:
    expected = dict.fromkeys(SLUGS, 0)
    with transaction.atomic():
        for gain, amounts in steps:
            wanted = {name: held + (1 if gain else -1) * amounts.get(name, 0) for name, held in expected.items()}
            if min(wanted.values()) < 0:
                with pytest.raises(Refusal, match="insufficient_items"), transaction.atomic():
                    take(ada, **amounts)
            else:
                give(ada, **amounts) if gain else take(ada, **amounts)
                expected = wanted
            assert holdings(ada) == expected
        assert_conserved()
        transaction.set_rollback(True)
