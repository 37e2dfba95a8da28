"""The economy's audit: a world that was played is whole, and whatever somebody changes by hand is found and named."""

import re
import threading
from typing import Any

import pytest
from django.db import connection, transaction

from bcraftd import economy
from bcraftd.models import EconomyAudit
from inventory.services import player_grant
from market import services as market
from tests.audit_world import Corruption, by_hand, done, everything_happens, offer, problems, register
from tests.corruptions import CORRUPTIONS
from tests.support import Api, setting

GRANTS = """
    INSERT INTO accounts_ledgertransfer (operation_id, reason, reference, created_at)
    SELECT gen_random_uuid(), 'salary', 'month:' || n, now() FROM generate_series(1, {}) n
"""


@pytest.fixture
def played(world: None) -> tuple[Api, Api]:
    """Ada and Bob, in a world in which everything happened."""
    ada, bob = register("ada"), register("bob")
    everything_happens(ada, bob)
    return ada, bob


def test_a_world_that_nobody_has_played_in_is_whole(world: None) -> None:
    report = economy.audit()

    assert (report.ok, report.problems, report.problem_count) == (True, [], 0)
    assert report.totals == dict.fromkeys(report.totals, 0) | {"problems": {}}


def test_a_world_in_which_everything_happened_is_whole(ada: Api, bob: Api) -> None:
    everything_happens(ada, bob)

    report = economy.audit()

    assert report.problems == []
    assert report.ok
    coins = {name: report.totals[f"coins_{name}"] for name in ("minted", "held", "in_market_fee")}
    assert coins["minted"] == 2 * 1000 + 50 == coins["held"] + coins["in_market_fee"]
    assert coins["in_market_fee"] > 0
    assert {name: report.totals[name] for name in ("players", "listings", "trades", "items_in_escrow")} == {
        "players": 3, "listings": 4, "trades": 4, "items_in_escrow": 5,
    }  # fmt: skip
    # Two starts, a grant, four trades of which two were too small for a fee.
    assert (report.totals["transfers"], report.totals["entries"]) == (7, 2 + 2 + 2 + 3 + 3 + 2 + 2)
    assert report.totals["items_held"] == sum(
        row["quantity"] for player in (ada, bob) for row in player.get("/api/inventory").json()["inventory"]
    )


@pytest.mark.parametrize("percent", [0, 100])
def test_a_trade_with_no_fee_or_nothing_but_a_fee_is_whole(ada: Api, bob: Api, percent: int) -> None:
    """Entries of 0 are left out: the buyer's and one more are all there are."""
    ada.grant(mutterwood_log=5)
    with setting(MARKET_FEE_PERCENT=percent):
        market.listing_buy(buyer_id=bob.id, listing_id=offer(ada, 5), quantity=3)

    report = economy.audit()

    assert report.problems == []
    assert report.totals["coins_in_market_fee"] == 45 * percent // 100


# --- What is done by hand ---------------------------------------------------------------------------------


@pytest.mark.parametrize("corruption", CORRUPTIONS, ids=str)
def test_what_is_done_by_hand_is_found_and_named(played: Any, corruption: Corruption) -> None:
    with done(corruption) as named:
        found = problems(corruption.kind)

    assert found
    assert any(detail.startswith(named) for detail in found), (named, found)


def test_every_check_has_something_done_by_hand_that_it_finds() -> None:
    kinds = [check.kind for check in economy.declared()]

    assert len(kinds) == len(set(kinds))
    assert set(kinds) == {corruption.kind for corruption in CORRUPTIONS}, "tests/corruptions has one for each."
    assert all(re.fullmatch(r"[a-z_]+", kind) for kind in kinds)


def test_one_coin_of_a_player_is_one_problem(played: tuple[Api, Api]) -> None:
    by_hand(f"UPDATE accounts_player SET coins = coins + 1 WHERE id = {played[1].id}")

    report = economy.audit()

    assert (report.ok, report.problem_count, report.counts) == (False, 1, {"balance_differs": 1})
    assert [(each["kind"], each["detail"].split(":")[0]) for each in report.problems] == [
        ("balance_differs", f"player {played[1].id}")
    ]


def test_one_piece_of_a_player_is_found_twice_where_it_is_and_in_the_sum(played: tuple[Api, Api]) -> None:
    by_hand(f"UPDATE inventory_inventoryitem SET quantity = quantity - 1 WHERE player_id = {played[1].id}")

    assert economy.audit().counts == {"holding_differs": 1, "resource_not_conserved": 1}


def test_of_very_many_problems_the_first_are_named_and_all_are_counted(played: Any) -> None:
    by_hand(GRANTS.format(economy.NAMED + 5))

    report = economy.audit()

    many = {"reason_unknown": economy.NAMED + 5, "transfer_unbalanced": economy.NAMED + 5}
    assert (report.counts, report.problem_count) == (many, 2 * (economy.NAMED + 5))
    assert report.shown()["totals"]["problems"] == many
    assert len(report.problems) == 2 * economy.NAMED
    first = [each["detail"] for each in report.problems if each["kind"] == "reason_unknown"][:3]
    assert [re.search(r"month:\d+", detail).group() for detail in first] == ["month:1", "month:2", "month:3"]  # type: ignore[union-attr]


# --- How it looks -----------------------------------------------------------------------------------------


def _elsewhere(act: Any) -> None:
    """On another connection, to its end."""

    def run() -> None:
        try:
            act()
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()


def test_it_sees_one_moment_while_the_game_goes_on(played: tuple[Api, Api], monkeypatch: pytest.MonkeyPatch) -> None:
    """Between any two of its statements somebody plays: each of them sees the world before all of that."""
    ada, bob = played
    before = economy.audit().totals
    look, plays = economy._found, []

    def played_meanwhile(cursor: Any, check: economy.Check) -> Any:
        found = look(cursor, check)
        _elsewhere(lambda: player_grant(login="ada", coins=5, items={"mutterwood-log": 2}))
        _elsewhere(lambda: market.listing_buy(buyer_id=bob.id, listing_id=offer(ada, 2), quantity=1))
        plays.append(check)
        return found

    monkeypatch.setattr(economy, "_found", played_meanwhile)
    report = economy.audit()

    assert plays == economy.declared()
    assert report.problems == []
    assert report.totals == before
    monkeypatch.undo()
    after = economy.audit()
    assert after.ok
    assert after.totals["trades"] == before["trades"] + len(plays)


def test_it_can_write_nothing_and_is_not_hurried(world: None, monkeypatch: pytest.MonkeyPatch) -> None:
    names = ("transaction_isolation", "transaction_read_only", "statement_timeout", "lock_timeout", "jit")
    sql = "SELECT " + ", ".join(f"current_setting('{name}') AS {name}" for name in names)
    check = economy.Check(kind="settings", proves="", sql=sql, detail=", ".join(f"{{{name}}}" for name in names))
    monkeypatch.setattr(economy, "declared", lambda: [check])

    assert problems("settings") == ["repeatable read, on, 0, 0, off"]


def test_it_begins_no_audit_inside_a_transaction(world: None) -> None:
    """There it could neither see one moment nor be sure to write nothing."""
    with transaction.atomic(), pytest.raises(RuntimeError):
        economy.audit()


# --- What is kept -----------------------------------------------------------------------------------------


def test_what_was_found_is_kept_with_the_first_of_each_kind(played: Any) -> None:
    by_hand(GRANTS.format(economy.KEPT_OF_A_KIND + 3))
    report = economy.audit()

    row = economy.record(report)

    row.refresh_from_db()
    assert (row.ok, row.problem_count, row.totals) == (False, report.problem_count, report.totals)
    assert (row.started_at, row.seconds) == (report.started_at, report.seconds)
    assert [each["kind"] for each in row.problems] == (
        ["transfer_unbalanced"] * economy.KEPT_OF_A_KIND + ["reason_unknown"] * economy.KEPT_OF_A_KIND
    )


def test_the_oldest_audits_go(world: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(economy, "KEPT_AUDITS", 3)

    kept = [economy.record(economy.audit()).pk for _ in range(5)]

    assert list(EconomyAudit.objects.values_list("pk", flat=True)) == kept[:1:-1]
