"""What makes a player's or a resource's place in the log stale: every write that their lagging reads would show."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connection, connections
from django.db.utils import ConnectionRouter

import accounts.cache
import inventory.cache
import market.cache
from accounts import selectors as accounts_reads
from accounts.models import LedgerEntry, Player
from bcraftd import replicas
from bcraftd.cache import invalidation
from bcraftd.postgresql import lagging
from bcraftd.replicas import PLAYER, RESOURCE, WRITTEN
from environment.models import Season
from inventory import selectors as inventory_reads
from inventory.models import Resource
from market import selectors as market_reads
from market import services as market_services
from market.models import Listing
from tests.coverage_scenarios import overdue
from tests.operators import Operator
from tests.support import Api, profession_id, queries, recipe_id, resource_id, setting

LOG = "mutterwood-log"
Subject = tuple[str, int]


@pytest.fixture(autouse=True)
def _watched(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The apps' rows as they are where DATABASE_REPLICA_URLS is set."""
    table = invalidation.table()
    for row in [*accounts.cache.LAGGING, *inventory.cache.LAGGING, *market.cache.LAGGING]:
        # Somebody listens to each of the models already.
        table[row.model].append(row)
    monkeypatch.setattr(invalidation, "_table", table)
    with setting(DATABASE_REPLICAS=["replica-1"]):
        yield


def subjects() -> list[Subject]:
    players = Player.objects.order_by("pk").values_list("pk", flat=True)
    return [
        *((PLAYER, pk) for pk in players),
        (RESOURCE, resource_id(LOG)),
        (RESOURCE, resource_id("mutterwood-plank")),
    ]


def shown(subject: Subject) -> list[Any]:
    """All lagging reads about somebody, here from the primary."""
    kind, pk = subject
    with setting(DATABASE_REPLICAS=[]):
        if kind == RESOURCE:
            return [market_reads.resource_history(resource_id=pk, interval="hour", limit=10)]
        return [
            accounts_reads.wallet_page(player_id=pk, limit=50),
            accounts_reads.profile_get(player_id=pk),
            inventory_reads.movements_page(player_id=pk, limit=50),
            market_reads.trades_page(player_id=pk, limit=50),
        ]


def outcome(subject: Subject) -> str:
    """How its place is read: HIT as long as nothing was written."""
    answer = WRITTEN.get({"kind": subject[0], "id": subject[1]})
    assert answer is not None
    return answer.outcome


def rename(model: type[Any], pk: int, **columns: Any) -> None:
    row = model.objects.get(pk=pk)
    for name, value in columns.items():
        setattr(row, name, value)
    row.save(update_fields=list(columns))


WRITES: dict[str, Callable[[Api, Api], object]] = {
    # Ten times, since it may find nothing.
    "gather": lambda ada, bob: [ada.post("/api/gather", resource_id=resource_id(LOG)) for _ in range(10)],
    "craft": lambda ada, bob: ada.post("/api/craft", recipe_id=recipe_id("saw-mutterwood-planks"), quantity=1),
    "list": lambda ada, bob: ada.sells(LOG, 1, 3),
    "buy": lambda ada, bob: bob.post(f"/api/market/listings/{offer()}/buy", quantity=1),
    "cancel": lambda ada, bob: ada.post(f"/api/market/listings/{offer()}/cancel"),
    "expire": lambda ada, bob: [write() for write in (overdue, market_services.listings_expire)],
    "grant": lambda ada, bob: ada.grant(coins=5, mutterwood_log=1),
    "block": lambda ada, bob: rename(Player, ada.id, is_active=False),
    "rename a player": lambda ada, bob: Player.objects.filter(pk=ada.id).update(login="Ada-the-second"),
    "register": lambda ada, bob: Api.signed_up("carol", "correct horse battery"),
}


def offer() -> int:
    return Listing.objects.values_list("pk", flat=True).get()


@pytest.mark.parametrize("name", WRITES)
def test_a_write_makes_stale_the_place_of_everybody_whose_reads_it_changes(name: str, ada: Api, bob: Api) -> None:
    for slug in ("timberhand", "sawyer"):
        ada.post(f"/api/professions/{profession_id(slug)}/join")
    ada.grant(mutterwood_log=50)
    ada.sells(LOG, 5, 10)
    told = [*subjects(), (PLAYER, bob.id + 1)]
    before = {subject: shown(subject) for subject in told}
    for subject in told:
        outcome(subject)
    assert {outcome(subject) for subject in told} == {"HIT"}

    WRITES[name](ada, bob)

    seen = {subject: outcome(subject) for subject in told}
    changed = {subject for subject in told if shown(subject) != before[subject]}
    assert changed
    assert {seen[subject] for subject in changed} <= {"MISS"}
    assert "HIT" in seen.values(), "and it does not make everything stale"


def test_a_new_place_lies_behind_everything_that_was_committed(ada: Api) -> None:
    subject = {"kind": PLAYER, "id": ada.id}
    first = WRITTEN.get(subject)
    ada.grant(coins=1)
    second = WRITTEN.get(subject)
    assert first is not None
    assert second is not None
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT %s::pg_lsn < %s::pg_lsn AND %s::pg_lsn <= pg_current_wal_insert_lsn()",
            [first.data()["lsn"], second.data()["lsn"], second.data()["lsn"]],
        )
        assert cursor.fetchone() == (True,)
    assert second.data()["timeline"] == 1


def test_what_an_operator_does_makes_the_operators_place_stale(world: None) -> None:
    from accounts.models import Role

    olga = Operator.make("Olga", Role.ADMIN)
    operator = Player.objects.get(login="Olga")
    mine, others = (PLAYER, operator.pk), (PLAYER, operator.pk + 1)
    assert [outcome(mine), outcome(mine), outcome(others), outcome(others)] == ["MISS", "HIT", "MISS", "HIT"]
    season = Season.objects.order_by("pk").first()
    assert season is not None
    assert olga.client.get("/admin/").status_code == 200
    assert outcome(mine) == "HIT"
    olga.client.post(f"/admin/environment/season/{season.pk}/change/", {})
    assert (outcome(mine), outcome(others)) == ("MISS", "HIT")


def test_without_replicas_nothing_is_asked_and_nothing_kept(ada: Api) -> None:
    with setting(DATABASE_REPLICAS=[]), queries() as asked:
        assert replicas.where_used(accounts.cache.LAGGING) == []
        assert replicas.entries() == []
        replicas.written(ada.id)
        accounts_reads.wallet_page(player_id=ada.id, limit=5)
    assert len(asked) == 1


# --- The router -------------------------------------------------------------------------------------------


def test_only_the_models_that_a_read_names_go_to_a_replica_and_no_write_does() -> None:
    router = ConnectionRouter(["bcraftd.postgresql.lagging.Router"])
    assert router.db_for_read(LedgerEntry) == "default"
    with lagging.asking("replica-1", frozenset({LedgerEntry})):
        assert router.db_for_read(LedgerEntry) == "replica-1"
        assert router.db_for_write(LedgerEntry) == "default"
        assert router.db_for_read(Player) == "default"
        assert lagging.connection_for(Player) is connections["default"]
    there = LedgerEntry()
    there._state.db = "replica-1"
    assert router.db_for_read(LedgerEntry, instance=there) == "default", "a row leads nobody back to a replica"
    assert router.db_for_write(LedgerEntry, instance=there) == "default"
    assert router.allow_migrate("default", "accounts")
    assert not router.allow_migrate("replica-1", "accounts")


def test_nothing_is_filled_while_a_replica_is_asked(ada: Api) -> None:
    with lagging.asking("replica-1", frozenset({Resource})):
        answer = inventory_reads.inventory_get(ada.id)
    assert answer is not None
    assert answer.outcome == "BYPASS"
    again = inventory_reads.inventory_get(ada.id)
    assert again is not None
    assert again.outcome == "MISS", "nothing was stored"


# --- Which replica ----------------------------------------------------------------------------------------


def test_a_subject_keeps_to_one_replica_and_one_that_failed_rests(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("bcraftd.replicas.time.monotonic", lambda: now[0])
    monkeypatch.setattr(replicas, "_resting", {})
    with setting(DATABASE_REPLICAS=["replica-1", "replica-2"]):
        assert [replicas._chosen(number) for number in (4, 5, 4)] == ["replica-1", "replica-2", "replica-1"]
        replicas._resting["replica-1"] = 105.0
        assert replicas._chosen(4) == "replica-2"
        now[0] = 105.0
        assert [replicas._chosen(4), replicas._chosen(4)] == ["replica-1", "replica-2"], "one asks whether it is back"
        replicas._resting["replica-2"] = replicas._resting["replica-1"]
        assert replicas._chosen(4) is None
