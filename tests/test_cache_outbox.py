"""The outbox: what Redis did not take is a row of the same transaction, replayed before it is served from again.

So is what somebody changed from outside the project, which a trigger of the database notes.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import psycopg2
import pytest
from django.db import DatabaseError, connection, transaction

from accounts.models import Player, PlayerSession
from bcraftd.cache import outbox, scripts, steps, store
from bcraftd.cache.server import Server
from bcraftd.models import OutboxRow
from bcraftd.tracked import INSIDE
from inventory.cache import RESOURCES
from inventory.models import InventoryItem, Profession, Resource
from market.models import Listing
from tests import live, servers
from tests.professions import KEY, read, rename
from tests.programs import environment
from tests.support import Api, queries, redis_commands, redis_is_back, resource_id
from tests.test_cache_races import in_thread


@contextmanager
def redis_hangs() -> Iterator[None]:
    """Redis is stopped by SIGSTOP for the block: what it holds stays what it was."""
    servers.redis_pause()
    try:
        yield
    finally:
        servers.redis_resume()


def outside(*statements: str) -> None:
    """What somebody does in psql: a connection that says nothing of itself."""
    with psycopg2.connect(environment()["DATABASE_URL"]) as session, session.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
    session.close()


def test_a_write_that_redis_did_not_take_leaves_its_keys_in_the_same_transaction(world: None) -> None:
    read()
    with redis_hangs():
        rename("Renamed")
        assert [row.names for row in OutboxRow.objects.all()] == [{KEY: "catalogue"}]
        assert outbox.depth_by_family() == {"catalogue": 1}


def test_a_write_that_is_rolled_back_leaves_nothing(world: None) -> None:
    with redis_hangs():
        with transaction.atomic():
            rename("Renamed")
            transaction.set_rollback(True)
        assert outbox.depth() == 0


def test_who_reconnects_replays_before_it_serves(world: None) -> None:
    read()
    assert read()[0] == "HIT"
    with redis_hangs():
        rename("Renamed")
        assert read() == ("BYPASS", "Renamed")
    # Redis holds the old value still, and answers; nothing is served from it before the replay.
    answers = []
    deadline = time.monotonic() + 30
    while (answer := read())[0] != "HIT":
        answers.append(answer)
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert {name for _, name in [*answers, answer]} == {"Renamed"}
    assert "MISS" in [outcome for outcome, _ in answers]
    assert outbox.depth() == 0


def test_a_fence_that_a_hung_redis_takes_when_it_goes_on_is_lifted_with_the_replay(world: None) -> None:
    """Its call timed out and lay in the socket: nobody waits ten seconds for a mark whose writer is long through."""
    read()
    with redis_hangs():
        rename("Renamed")
        assert OutboxRow.objects.exclude(mark="").count() == 1
    redis_is_back()
    assert store.client().exists(store.fence_key(KEY)) == 0
    assert [read()[0], read()[0]] == ["MISS", "HIT"]


def test_while_the_breaker_is_open_a_write_asks_redis_nothing_and_a_reader_neither(world: None) -> None:
    store.breaker.trip("for the test")
    with redis_commands() as commands:
        rename("Renamed")
        assert read() == ("BYPASS", "Renamed")
    assert commands == []
    assert outbox.depth() == 1


def test_nobody_probes_inside_a_transaction(world: None, monkeypatch: pytest.MonkeyPatch) -> None:
    store.breaker.trip("for the test")
    monkeypatch.setattr(store.breaker, "_probe_at", 0.0)
    assert store.breaker.state == "half-open"
    with transaction.atomic():
        assert not store.recovered()
    assert store.recovered()
    assert store.breaker.state == "closed"


def test_a_fence_that_was_flushed_away_and_a_drop_that_failed_leave_nothing_old(world: None) -> None:
    """Somebody empties Redis between fence and commit, a reader stores the old value, and the breaker opens for
    another reason: the drop is not even sent."""

    def lose_the_fence(step: str) -> None:
        if step == "fenced":
            store.client().flushdb()
            assert in_thread(read)[0] == "MISS"
        if step == "committed":
            store.breaker.trip("for the test")

    steps.watch(lose_the_fence)
    try:
        rename("Renamed")
    finally:
        steps.watch(None)
    assert outbox.depth() == 1
    assert read() == ("BYPASS", "Renamed")
    redis_is_back()
    assert read() == ("MISS", "Renamed")


def test_a_row_that_commits_while_the_outbox_is_replayed_is_replayed_too(
    world: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the breaker would close over it, and this process would serve what its own write made stale."""
    read()
    rounds = []

    def replay() -> int:
        done = outbox.replay()
        rounds.append(done)
        if len(rounds) == 1:
            in_thread(lambda: rename("Renamed"))
        return done

    store.breaker.trip("for the test")
    monkeypatch.setattr(store.breaker, "_probe_at", 0.0)
    monkeypatch.setattr(store, "recovery", [replay])
    assert store.recovered()
    assert rounds == [0, 1]
    assert read() == ("MISS", "Renamed")


def test_who_asked_the_old_redis_and_is_slow_to_say_so_does_not_bring_its_run_back() -> None:
    server = Server()
    server._learn("newer", 2)
    server._learn("older", 1)
    assert server.run == "newer"


def test_an_outbox_that_cannot_be_read_keeps_the_breaker_open(world: None, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails() -> int:
        raise DatabaseError("on purpose")

    monkeypatch.setattr(store, "recovery", [fails])
    store.breaker.trip("for the test")
    monkeypatch.setattr(store.breaker, "_probe_at", 0.0)
    assert not store.recovered()
    assert store.breaker.is_open
    assert read()[0] == "BYPASS"


def test_a_thousand_rows_are_replayed_in_few_calls(world: None) -> None:
    OutboxRow.objects.bulk_create(OutboxRow(names={f"inventory:user:{n}": "inventory"}) for n in range(1000))
    with redis_commands() as commands:
        assert outbox.replay() == 1000
    assert [words[1] for words in commands] == [scripts.DROP.sha] * (1000 // outbox.BATCH)
    assert outbox.depth() == 0


def test_a_replay_that_fails_loses_no_row(world: None) -> None:
    OutboxRow.objects.create(names={KEY: "catalogue"})
    with redis_hangs():
        outbox.relay_once()
        assert outbox.depth() == 1
    redis_is_back()
    assert outbox.depth() == 0


def test_a_thousand_writes_with_redis_stopped_leave_nothing_old_here_or_elsewhere(world: None) -> None:
    """Redis comes back from its append-only file, with every value that it had. Elsewhere is a process that did not
    notice: nobody asked it anything meanwhile."""
    path = "/api/resources"
    with live.server() as elsewhere:
        for _ in range(2):
            assert _base_value(elsewhere, path) == Resource.objects.get(slug="mutterwood-log").base_value
        RESOURCES.get()
        servers.redis_stop()
        try:
            for number in range(1000):
                Resource.objects.filter(slug="mutterwood-log").update(base_value=1000 + number)
            assert outbox.depth() > 0
        finally:
            servers.redis_start()
        assert cast("Any", store.client()).exists("catalogue:resources") == 1, "the old file was not loaded"
        for _ in range(20):
            found = RESOURCES.get()
            assert found is not None
            assert (
                next(row for row in found.data()["resources"] if row["slug"] == "mutterwood-log")["base_value"] == 1999
            )
            assert _base_value(elsewhere, path) == 1999
        redis_is_back()


def _base_value(api: str, path: str) -> int:
    rows = live.get(f"{api}{path}")["resources"]
    return int(next(row for row in rows if row["slug"] == "mutterwood-log")["base_value"])


def test_where_only_the_writer_did_not_reach_redis_others_are_old_for_two_seconds_at_most(world: None) -> None:
    """Redis hangs and goes on as it was: nothing tells a process that asked nothing meanwhile. Its relay does."""
    with live.server() as elsewhere:
        for _ in range(2):
            _base_value(elsewhere, "/api/resources")
        with redis_hangs():
            Resource.objects.filter(slug="mutterwood-log").update(base_value=4711)
        time.sleep(2)
        assert _base_value(elsewhere, "/api/resources") == 4711
        assert outbox.depth() == 0


# --- From outside -----------------------------------------------------------------------------------------


def test_our_own_connections_say_who_they_are_and_leave_no_row(world: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('bcraftd.writer')")
        assert cursor.fetchone() == (INSIDE,)
    rename("Renamed")
    assert outbox.depth() == 0


def test_a_change_from_outside_is_seen_within_five_seconds(world: None) -> None:
    with live.server() as api:
        for _ in range(2):
            _base_value(api, "/api/resources")
        outside("UPDATE inventory_resource SET base_value = 4711 WHERE slug = 'mutterwood-log'")
        deadline = time.monotonic() + 5
        while _base_value(api, "/api/resources") != 4711:
            assert time.monotonic() < deadline
            time.sleep(0.1)


def test_a_change_from_outside_names_the_row_as_it_was_and_as_it_is_and_no_password(ada: Api) -> None:
    outside(f"UPDATE accounts_player SET login = 'lovelace' WHERE id = {ada.id}")
    rows = list(OutboxRow.objects.order_by("pk"))
    assert [row.table_name for row in rows] == ["accounts_player"] * 2
    changed = [row.changed or {} for row in rows]
    assert [row["login"] for row in changed] == ["ada", "lovelace"]
    assert all("password" not in row for row in changed)
    assert f"session:{ada.session['session_id']}" in outbox.names_of(rows[0])


def test_each_kind_of_change_from_outside_drops_what_it_makes_stale(ada: Api, bob: Api) -> None:
    ada.grant(mutterwood_log=5)
    listing = ada.sells("mutterwood-log", 2, 10)
    log = resource_id("mutterwood-log")
    changes = [
        ("/api/inventory", f"UPDATE inventory_inventoryitem SET quantity = 77 WHERE player_id = {ada.id}"),
        ("/api/inventory", f"UPDATE inventory_resource SET name = 'Log of Psql' WHERE id = {log}"),
        (
            f"/api/market/listings?resource_id={log}",
            f"UPDATE market_listing SET remaining = 1 WHERE id = {listing['id']}",
        ),
        ("/api/market/listings", f"UPDATE accounts_player SET login = 'ada-of-psql' WHERE id = {ada.id}"),
        ("/api/environment/current", "UPDATE environment_weather SET gathering_multiplier = 3.5"),
        ("/api/professions", "INSERT INTO inventory_profession (slug, name, kind) VALUES ('psql', 'P', 'crafting')"),
        ("/api/professions", "DELETE FROM inventory_profession WHERE slug = 'psql'"),
        ("/api/recipes", "TRUNCATE inventory_recipeingredient"),
    ]
    for path, statement in changes:
        ada.get(path)
        before = ada.get(path)
        assert before["X-Cache"] == "HIT", path
        outside(statement)
        outbox.relay_once()
        after = ada.get(path)
        assert after["X-Cache"] == "MISS", statement
        assert after["ETag"] != before["ETag"], statement


def test_a_session_deleted_from_outside_is_dead(ada: Api) -> None:
    assert ada.get("/api/inventory").status_code == 200
    outside("DELETE FROM accounts_playersession")
    outbox.relay_once()
    assert ada.get("/api/inventory").json()["code"] == "session_expired"


def test_a_row_of_an_unknown_table_is_let_go(world: None) -> None:
    OutboxRow.objects.create(table_name="of_a_model_that_was_removed", changed={"id": 1})
    outbox.relay_once()
    assert outbox.depth() == 0


def test_what_a_data_migration_changes_counts_as_from_outside(world: None) -> None:
    """Its models are those of its time and send no signal that we hear."""
    from bcraftd import migrating

    migrating.as_from_outside(using="default")
    try:
        with connection.cursor() as cursor:
            cursor.execute("UPDATE inventory_profession SET name = name || '!'")
    finally:
        migrating.as_before(using="default")
    assert outbox.depth_by_family()["catalogue"] == 2 * Profession.objects.count()
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('bcraftd.writer'), current_setting('transaction_timeout')")
        assert cursor.fetchone() == (INSIDE, "8s")


# --- Ways that send no signal of Django's own -------------------------------------------------------------


def test_an_update_locks_the_rows_that_it_looked_at_and_changes_no_others(ada: Api) -> None:
    InventoryItem.objects.create(player_id=ada.id, resource_id=resource_id("yawnwort"), quantity=1)
    assert InventoryItem.objects.filter(quantity=1).update(quantity=2) == 1
    assert InventoryItem.objects.filter(quantity=1).update(quantity=3) == 0
    assert InventoryItem.objects.filter(resource__slug="yawnwort").order_by("-quantity").update(quantity=5) == 1
    with pytest.raises(TypeError):
        InventoryItem.objects.all()[:1].update(quantity=9)


def test_an_update_of_what_nothing_shows_looks_at_no_row(ada: Api) -> None:
    with queries() as sql:
        PlayerSession.objects.update(user_agent="of the test")
        Listing.objects.update(views=3)
    assert [words.split()[0] for words in sql] == ["UPDATE", "UPDATE"]


def test_a_role_a_password_or_a_closed_account_ends_sessions_also_without_save(ada: Api, bob: Api) -> None:
    Player.objects.filter(pk=ada.id).update(is_active=False)
    assert ada.get("/api/inventory").json()["code"] == "session_expired"
    Player.objects.bulk_update([Player(pk=bob.id, role="moderator")], ["role"])
    assert bob.get("/api/inventory").json()["code"] == "session_expired"
