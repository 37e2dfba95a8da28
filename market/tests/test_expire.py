"""manage.py listings_expire and the task that the schedule runs: what nobody bought in time goes back."""

import json
import re
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from accounts.models import MAX_AMOUNT
from inventory.models import InventoryItem, ItemMovement
from inventory.tests.support import at_once
from market import services, tasks
from market.models import Listing
from market.tests.support import assert_conserved, closing, ids, row_locked, runs_out, waiting_for_locks
from tests.processes import wait_until
from tests.support import Api, locks, queries

PATH = "/api/market/listings"


def _command(*words: str) -> str:
    out = StringIO()
    call_command("listings_expire", *words, stdout=out)
    return out.getvalue()


@pytest.fixture
def overdue(ada: Api, bob: Api) -> dict[str, Any]:
    """Twenty logs of which eight were sold before the time ran out."""
    ada.grant(mutterwood_log=25)
    made = ada.sells("mutterwood-log", 20, 30)
    bob.post(f"{PATH}/{made['id']}/buy", quantity=8)
    runs_out(made["id"], seconds=-1)
    return made


@pytest.mark.parametrize("by", ["command", "task"])
def test_what_remains_goes_back_and_the_number_is_kept(overdue: dict[str, Any], ada: Api, by: str) -> None:
    assert ada.holds("mutterwood-log") == 5

    if by == "command":
        assert json.loads(_command("--json")) == {"expired": 1}
    else:
        assert tasks.listings_expire() == 1

    assert ada.holds("mutterwood-log") == 17
    listing = Listing.objects.get()
    assert (listing.status, listing.remaining) == ("expired", 12)
    assert listing.closed_at is not None
    last = ItemMovement.objects.latest("pk")
    assert (last.quantity, last.reason, last.reference) == (12, "escrow_return", f"listing:{overdue['id']}")
    assert_conserved()


def test_a_second_sweep_finds_nothing(overdue: dict[str, Any], ada: Api) -> None:
    assert services.listings_expire() == 1
    assert services.listings_expire() == 0
    assert _command() == "expired: 0\n"
    assert ada.holds("mutterwood-log") == 17


def test_what_still_has_time_stays(ada: Api, bob: Api) -> None:
    ada.grant(mutterwood_log=3)
    made = [ada.sells("mutterwood-log", 1, price)["id"] for price in (1, 2, 3)]
    runs_out(made[0], seconds=3600)
    runs_out(made[1], seconds=-3600)
    bob.post(f"{PATH}/{made[2]}/buy")
    runs_out(made[2], seconds=-3600)

    assert services.listings_expire() == 1

    assert [row.status for row in Listing.objects.order_by("pk")] == ["active", "expired", "sold"]


def test_more_than_one_batch_is_swept_in_one_go(ada: Api, bob: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(services, "SWEEP_BATCH", 3)
    ada.grant(mutterwood_log=4)
    bob.grant(yawnwort=4)
    for number in range(1, 5):
        runs_out(ada.sells("mutterwood-log", 1, number)["id"], seconds=-number)
        runs_out(bob.sells("yawnwort", 1, number)["id"], seconds=-number)
    assert ids(bob.get(PATH)) == []

    assert services.listings_expire() == 8

    assert set(Listing.objects.values_list("status", flat=True)) == {"expired"}
    assert (ada.holds("mutterwood-log"), bob.holds("yawnwort")) == (4, 4)
    assert_conserved()


def named(statement: str) -> set[int]:
    """The ids of `IN (5, 7)`."""
    return {int(number) for number in re.findall(r"\d+", statement.split(" IN (")[1].split(")")[0])}


def test_the_longest_overdue_are_closed_first_and_locked_as_everywhere(
    ada: Api, bob: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(services, "SWEEP_BATCH", 2)
    ada.grant(mutterwood_log=2)
    bob.grant(yawnwort=2)
    late, later = ada.sells("mutterwood-log", 1, 1)["id"], ada.sells("mutterwood-log", 1, 2)["id"]
    latest, too = bob.sells("yawnwort", 1, 1)["id"], bob.sells("yawnwort", 1, 2)["id"]
    for listing_id, seconds in ((late, 10), (later, 20), (latest, 30), (too, 20)):
        runs_out(listing_id, seconds=-seconds)

    with queries() as sql:
        services.listings_expire()

    sweep = next(statement for statement in sql if "LIMIT 2" in statement)
    assert 'ORDER BY "market_listing"."expires_at" ASC, "market_listing"."id" ASC' in sweep
    sellers, listings = locks(sql)[:2]
    assert named(sellers) == {ada.id, bob.id}
    assert named(listings) == {latest, later}
    assert listings.endswith('ORDER BY "market_listing"."id" ASC FOR UPDATE')


def test_a_seller_who_can_hold_no_more_does_not_stop_the_sweep(
    ada: Api, bob: Api, caplog: pytest.LogCaptureFixture
) -> None:
    ada.grant(mutterwood_log=1)
    bob.grant(mutterwood_log=1)
    stuck, other = ada.sells("mutterwood-log", 1, 5)["id"], bob.sells("mutterwood-log", 1, 5)["id"]
    ada.grant(mutterwood_log=MAX_AMOUNT)
    runs_out(stuck, seconds=-2)
    runs_out(other, seconds=-1)

    assert services.listings_expire() == 1

    told = [record for record in caplog.records if record.name == services.log.name]
    assert {(record.levelname, record.__dict__["listing"]) for record in told} == {("ERROR", stuck)}
    assert all(re.match(rf"an overdue .* {MAX_AMOUNT} pieces\.$", record.getMessage()) for record in told)
    assert Listing.objects.get(pk=stuck).status == "active", "its items are still in escrow, not lost"
    assert Listing.objects.get(pk=other).status == "expired"
    assert bob.holds("mutterwood-log") == 1
    assert_conserved()


@pytest.mark.parametrize(("bought", "given_back"), [(2, 3), (5, 0)])
def test_a_sweep_that_meets_a_purchase_gives_back_what_that_leaves(
    ada: Api, bob: Api, monkeypatch: pytest.MonkeyPatch, bought: int, given_back: int
) -> None:
    ada.grant(mutterwood_log=5)
    bob.grant(mutterwood_log=1)
    made = ada.sells("mutterwood-log", 5, 1)["id"]

    def buy() -> int:
        return int(bob.post(f"{PATH}/{made}/buy", quantity=bought).status_code)

    with ThreadPoolExecutor(2) as threads, row_locked(InventoryItem, InventoryItem.objects.get(player_id=bob.id).pk):
        # The purchase has looked at the time and holds the listing; it waits for the buyer's holding.
        purchase = threads.submit(closing, buy)
        wait_until(lambda: waiting_for_locks() == 1, "the purchase waits")
        monkeypatch.setattr(services, "timezone", _InEightDays)
        sweep = threads.submit(closing, services.listings_expire)
        wait_until(lambda: waiting_for_locks() == 2, "the sweep waits for the purchase")

    assert (purchase.result(), sweep.result()) == (200, 1 if given_back else 0)
    assert (bob.holds("mutterwood-log"), ada.holds("mutterwood-log")) == (1 + bought, given_back)
    listing = Listing.objects.get()
    assert (listing.status, listing.remaining) == ("expired" if given_back else "sold", given_back)
    assert_conserved()


class _InEightDays:
    """A clock that is ahead of every listing made today."""

    @staticmethod
    def now() -> datetime:
        return timezone.now() + timedelta(days=8)


def test_two_sweeps_and_a_cancel_at_the_same_time_give_back_once(ada: Api) -> None:
    ada.grant(mutterwood_log=6)
    made = [ada.sells("mutterwood-log", 1, 5)["id"] for _ in range(6)]
    for listing_id in made:
        runs_out(listing_id, seconds=-1)

    def cancel() -> int:
        return sum(ada.post(f"{PATH}/{listing_id}/cancel").status_code == 200 for listing_id in reversed(made))

    closed = at_once(services.listings_expire, services.listings_expire, cancel)

    assert sum(closed) + services.listings_expire() == 6
    assert ada.holds("mutterwood-log") == 6
    assert_conserved()


def test_the_command_knows_no_other_words(world: None) -> None:
    with pytest.raises(CommandError, match="unrecognized arguments"):
        _command("--all")
