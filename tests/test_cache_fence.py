"""The fence around a commit: before it nobody may fill, after a crash it ends by itself, and each writer has its own.

Real servers and real commits; a process that dies is a process that dies.
"""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any, cast

import pytest
from django.db import IntegrityError, connection, transaction

from accounts.models import LedgerEntry, LedgerTransfer, SystemAccount
from bcraftd.cache import scripts, steps, store
from bcraftd.postgresql import base
from inventory.cache import INVENTORY, RESOURCES
from inventory.models import InventoryItem, Resource
from tests.professions import KEY, read, rename
from tests.programs import ROOT, environment
from tests.support import Api, redis_commands, resource_id
from tests.test_cache_races import in_thread


@pytest.fixture
def at_step() -> Iterator[dict[str, Any]]:
    """Functions by the step at which they are called; empty again afterwards."""
    calls: dict[str, Any] = {}
    steps.watch(lambda step: calls[step]() if step in calls else None)
    yield calls
    steps.watch(None)


def outcome() -> str:
    """How the professions were read just now."""
    return read()[0]


def first_name() -> str:
    return read()[1]


def marks(key: str = KEY) -> dict[bytes, bytes]:
    """The writers' marks at a key."""
    return cast("dict[bytes, bytes]", store.client().hgetall(store.fence_key(key)))


def test_before_the_commit_the_value_is_gone_and_nobody_fills_until_the_writer_is_through(
    world: None, at_step: dict[str, Any]
) -> None:
    outcome()
    seen: list[tuple[str, bool, int]] = []

    def look() -> None:
        read = in_thread(lambda: (outcome(), first_name() == "Renamed"))
        seen.append((*read, len(marks())))

    at_step |= {"fenced": look, "committed": look}
    rename("Renamed")

    # Behind the fence readers go to PostgreSQL: before the commit they see the old name, after it the new one.
    assert seen == [("BYPASS", False, 1), ("BYPASS", True, 1)]
    assert marks() == {}
    assert (outcome(), first_name(), outcome()) == ("MISS", "Renamed", "HIT")


def test_a_mark_ends_by_itself_in_ten_seconds_at_most_which_is_longer_than_any_transaction(
    world: None, at_step: dict[str, Any]
) -> None:
    lives: list[Any] = []
    at_step["fenced"] = lambda: lives.append(store.client().pttl(store.fence_key(KEY)))
    rename("Renamed")
    assert 0 < lives[0] <= store.FENCE_MS == 10_000
    with connection.cursor() as cursor:
        for limit in ("transaction_timeout", "statement_timeout", "idle_in_transaction_session_timeout"):
            cursor.execute("SELECT setting::int, unit FROM pg_settings WHERE name = %s", [limit])
            assert cursor.fetchone()[0] in (7000, base.TRANSACTION_TIMEOUT * 1000)
    assert base.TRANSACTION_TIMEOUT * 1000 < store.FENCE_MS


def test_one_writers_end_does_not_lift_anothers_mark(world: None) -> None:
    outcome()
    store.fence([KEY], "another")
    rename("Renamed")
    assert set(marks()) == {b"another"}
    assert outcome() == "BYPASS"
    store.lift([KEY], "another")
    assert outcome() == "MISS"


def test_a_mark_that_has_run_out_holds_nobody_though_its_key_is_there(world: None) -> None:
    store.client().hset(store.fence_key(KEY), "of long ago", "1000")
    assert outcome() == "MISS"
    assert outcome() == "HIT"


def test_a_rollback_before_the_commit_fences_nothing_and_leaves_the_value(world: None) -> None:
    outcome()

    class OnPurposeError(Exception):
        pass

    @transaction.atomic
    def fails() -> None:
        rename("Renamed")
        raise OnPurposeError

    with pytest.raises(OnPurposeError):
        fails()
    assert marks() == {}
    assert outcome() == "HIT"
    # What the rolled-back transaction had collected is forgotten, not left for the next one.
    with redis_commands() as commands, transaction.atomic():
        InventoryItem.objects.filter(quantity=-1).exists()
    assert commands == []


def test_a_commit_that_fails_lifts_only_its_own_mark(world: None) -> None:
    store.fence([KEY], "another")

    @transaction.atomic
    def fails() -> None:
        rename("Renamed")
        # One side of a transfer alone: found out when the transaction commits.
        transfer = LedgerTransfer.objects.create(reason="broken")
        LedgerEntry.objects.create(transfer=transfer, system_account=SystemAccount.MINT, amount=5)

    with pytest.raises(IntegrityError):
        fails()
    assert set(marks()) == {b"another"}
    store.lift([KEY], "another")
    assert first_name() != "Renamed"


def test_a_commit_of_which_nobody_knows_keeps_its_mark(world: None, at_step: dict[str, Any]) -> None:
    """The connection is lost while it commits: it may have taken place, so that the fence has to end by itself."""

    def cut() -> None:
        pid = connection.connection.info.backend_pid
        in_thread(lambda: connection.cursor().execute("SELECT pg_terminate_backend(%s)", [pid]))

    at_step["fenced"] = cut
    with pytest.raises(Exception, match=r"terminat|closed|connection"):
        rename("Renamed")
    connection.close()
    assert len(marks()) == 1


def test_what_a_savepoint_took_back_is_not_fenced(world: None) -> None:
    outcome()
    RESOURCES.get()
    with transaction.atomic():
        try:
            with transaction.atomic():
                rename("Renamed")
                raise RuntimeError
        except RuntimeError:
            Resource.objects.filter(slug="mutterwood-log").update(base_value=77)
        with transaction.atomic():
            Resource.objects.filter(slug="yawnwort").update(base_value=78)
    assert outcome() == "HIT"
    found = RESOURCES.get()
    assert found is not None
    assert found.outcome == "MISS"


def test_a_write_takes_two_round_trips_however_many_keys_it_touches(ada: Api, bob: Api) -> None:
    for resource in Resource.objects.all():
        for player in (ada, bob):
            InventoryItem.objects.create(player_id=player.id, resource=resource, quantity=0)
    with redis_commands() as commands, transaction.atomic():
        for item in InventoryItem.objects.all():
            item.save()
        rename("Renamed")
    known = {scripts.FENCE.sha: "fence", scripts.DROP.sha: "drop"}
    assert [known[words[1]] for words in commands] == ["fence", "drop"]


def test_a_save_outside_a_transaction_is_fenced_too(world: None) -> None:
    reached: list[str] = []
    steps.watch(reached.append)
    try:
        rename("Renamed")
    finally:
        steps.watch(None)
    assert [step for step in reached if step in steps.WRITE_STEPS] == list(steps.WRITE_STEPS)


def test_a_family_that_is_stale_as_a_whole_is_fenced_as_a_whole(ada: Api, at_step: dict[str, Any]) -> None:
    ada.get("/api/inventory")
    seen: list[str] = []

    def read() -> None:
        answer = INVENTORY.get({"player_id": ada.id})
        assert answer is not None
        seen.append(answer.outcome)

    at_step["fenced"] = lambda: in_thread(read)
    resource = Resource.objects.get(slug="mutterwood-log")
    resource.name = "Whispering Log"
    resource.save()
    assert seen == ["BYPASS"]
    assert ada.get("/api/inventory")["X-Cache"] == "MISS"


DYING = """
import os, signal, django
django.setup()
from bcraftd.cache import steps
from inventory.models import Profession
from inventory.cache import PROFESSIONS
steps.watch(lambda step: os.kill(os.getpid(), signal.SIGKILL) if step == {step!r} else None)
first = Profession.objects.order_by("pk")[0]
first.name = "Renamed"
first.save()
"""


@pytest.mark.parametrize(("step", "new"), [("fence", False), ("fenced", False), ("committed", True)])
def test_a_writer_killed_at_any_step_leaves_nothing_old(world: None, step: str, new: bool) -> None:
    before = first_name()
    assert outcome() == "HIT"
    died = subprocess.run(
        [sys.executable, "-c", DYING.format(step=step)], cwd=ROOT, env=environment(), check=False, timeout=120
    )
    assert died.returncode == -signal.SIGKILL
    assert first_name() == ("Renamed" if new else before)
    if step == "fence":
        assert outcome() == "HIT"
        return
    # The dead writer's mark stands: everybody reads PostgreSQL until it has run out.
    assert len(marks()) == 1
    assert outcome() == "BYPASS"
    (mark,) = marks()
    store.client().hset(store.fence_key(KEY), mark.decode(), str(int(time.time() * 1000) - 1))
    assert outcome() == "MISS"
    assert first_name() == ("Renamed" if new else before)


def test_a_fill_that_began_before_the_fence_is_refused_though_the_writer_died(world: None) -> None:
    """The lease goes with the fence, not with the drop."""
    token = "0123456789abcdef"
    lease = store.lease(KEY, "{}", token, hashed=True)
    assert lease.granted
    store.fence([KEY], "of a writer that dies")
    taken = store.fill(KEY, "{}", token, b'{"professions":[]}', 1000, hashed=True, generation_key="", lease=lease)
    assert not taken


def test_nothing_is_switched_off_by_itself() -> None:
    assert all(steps.is_on(mechanism) for mechanism in ("fence", "lease", "drop"))


def test_an_unknown_player_has_a_fence_like_any_other(ada: Api) -> None:
    """A key that nobody has read yet is fenced too: its first reader may be on the way."""
    item = InventoryItem(player_id=ada.id, resource_id=resource_id("yawnwort"), quantity=0)
    with redis_commands() as commands:
        item.save()
    assert f"inventory:user:{ada.id}" in [word for words in commands for word in words]
