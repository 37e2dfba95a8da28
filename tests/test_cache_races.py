"""The lease: a reader that read PostgreSQL before a commit and stores after it is refused. Real servers, real
commits, and the reader paused exactly between its SELECT and its store."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection, transaction

from accounts.cache import SESSION
from bcraftd.cache import Entry, Fresh, fill, stats, store
from bcraftd.cache.fill import WriteThrough
from environment import services as environment
from environment.cache import CURRENT, WEATHER
from environment.models import Season, Weather
from inventory.cache import INVENTORY, KNOWN_RECIPES, PROFESSIONS, RECIPES, RESOURCES
from inventory.models import Profession, Recipe, Resource
from market.cache import LISTINGS
from tests.support import Api, profession_id, resource_id

Write = Callable[[Api], Any]


@contextmanager
def paused_fill(entry: Entry) -> Iterator[tuple[threading.Event, threading.Event]]:
    """The entry's next fill stops after it has read PostgreSQL: `read` is set then, and it goes on at `go`."""
    read, go = threading.Event(), threading.Event()
    original = entry._filler[0]
    once = threading.Lock()

    def paused(**places: Any) -> Fresh | None:
        fresh = original(**places)
        if once.acquire(blocking=False):
            read.set()
            assert go.wait(30)
        return fresh

    entry._filler[0] = paused
    try:
        yield read, go
    finally:
        go.set()
        entry._filler[0] = original


def in_thread(call: Callable[[], Any]) -> Any:
    """Runs a call on database connections of its own."""

    def run() -> Any:
        try:
            return call()
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(run).result(60)


def _rename(model: Any) -> Write:
    def write(player: Api) -> None:
        row = model.objects.order_by("pk").first()
        row.name = "Renamed"
        row.save(update_fields=["name"])

    return write


def _set_weather(player: Api) -> None:
    environment.weather_set(weather_id=Weather.objects.filter(is_active=False).values_list("pk", flat=True)[0])


def _join(player: Api) -> None:
    assert player.post(f"/api/professions/{profession_id('sawyer')}/join").status_code == 201


# Entry, the path that reads it, and a write that makes it stale.
RACES: list[tuple[Entry, str, Write]] = [
    (CURRENT, "/api/environment/current", _set_weather),
    (CURRENT, "/api/environment/current", _rename(Season)),
    (WEATHER, "/api/environment/weather", _set_weather),
    (INVENTORY, "/api/inventory", lambda player: player.grant(mutterwood_log=3)),
    (KNOWN_RECIPES, "/api/recipes/known", _join),
    (RESOURCES, "/api/resources", _rename(Resource)),
    (RECIPES, "/api/recipes", _rename(Recipe)),
    (PROFESSIONS, "/api/professions", _rename(Profession)),
    (LISTINGS, "/api/market/listings", lambda player: player.sells("gossip-birch-bark", 1, 5)),
]


@pytest.mark.parametrize(("entry", "path", "write"), RACES, ids=[f"{entry.key}" for entry, _, _ in RACES])
def test_a_fill_that_lost_its_race_is_refused(ada: Api, entry: Entry, path: str, write: Write) -> None:
    ada.grant(gossip_birch_bark=1)
    if entry is CURRENT:
        Season.objects.exclude(pk=Season.objects.order_by("pk").values("pk")[:1]).delete()
        Season.objects.update(start_month=1, end_month=12)
    refused = stats.read(entry.family)["refused_fills"]
    with paused_fill(entry) as (read, go):
        late = ThreadPoolExecutor(1)
        reader = late.submit(in_thread, lambda: Api(ada.token).get(path))
        assert read.wait(30)

        write(ada)

        go.set()
        old = reader.result(60)
        late.shutdown()
    assert old["X-Cache"] == "MISS"
    after = Api(ada.token).get(path)
    assert after["X-Cache"] == "MISS", "the late fill was stored"
    assert after["ETag"] != old["ETag"]
    assert stats.read(entry.family)["refused_fills"] == refused + 1
    assert Api(ada.token).get(path)["X-Cache"] == "HIT"


def test_a_whole_family_that_starts_anew_refuses_the_fills_of_its_old_generation(ada: Api) -> None:
    ada.grant(mutterwood_log=1)
    with paused_fill(INVENTORY) as (read, go):
        late = ThreadPoolExecutor(1)
        reader = late.submit(in_thread, lambda: Api(ada.token).get("/api/inventory"))
        assert read.wait(30)
        log = Resource.objects.get(slug="mutterwood-log")
        log.name = "Whispering Log"
        log.save()
        go.set()
        reader.result(60)
        late.shutdown()
    after = ada.get("/api/inventory")
    assert after["X-Cache"] == "MISS"
    assert [row["name"] for row in after.json()["inventory"]] == ["Whispering Log"]


def _roll_back(write: Callable[[], Any]) -> None:
    """Writes in a transaction (or a savepoint of the one that runs) that does not commit."""

    def attempt() -> None:
        with transaction.atomic():
            write()
            raise RuntimeError("on purpose")

    with pytest.raises(RuntimeError, match="on purpose"):
        attempt()


def test_a_write_that_rolls_back_leaves_the_value_where_it_is(ada: Api) -> None:
    ada.get("/api/environment/weather")
    _roll_back(lambda: _set_weather(ada))
    answer = ada.get("/api/environment/weather")
    assert answer["X-Cache"] == "HIT"


def test_a_write_after_a_savepoint_that_rolled_back_still_drops_its_keys(ada: Api) -> None:
    ada.get("/api/professions")
    with transaction.atomic():
        _roll_back(lambda: _rename(Profession)(ada))
        _rename(Profession)(ada)
    answer = ada.get("/api/professions")
    assert answer["X-Cache"] == "MISS"
    assert answer.json()["professions"][0]["name"] == "Renamed"


def test_nothing_is_dropped_before_the_commit(ada: Api) -> None:
    ada.get("/api/professions")
    with transaction.atomic():
        _rename(Profession)(ada)
        seen = in_thread(lambda: Api().get("/api/professions"))
        assert seen["X-Cache"] == "HIT"
        assert seen.json()["professions"][0]["name"] != "Renamed"
    assert ada.get("/api/professions").json()["professions"][0]["name"] == "Renamed"


def test_a_transaction_that_has_written_reads_past_the_cache(world: None) -> None:
    PROFESSIONS.get()
    with transaction.atomic():
        _rename(Profession)(Api())
        inside = PROFESSIONS.get()
    assert inside is not None
    assert inside.outcome == "BYPASS"
    assert inside.data()["professions"][0]["name"] == "Renamed"


def test_however_many_miss_at_once_one_fills(ada: Api) -> None:
    filled = []
    original = RESOURCES._filler[0]
    start = threading.Barrier(12)

    def counted(**places: Any) -> Fresh | None:
        filled.append(places)
        threading.Event().wait(0.02)
        return original(**places)

    def read() -> str:
        start.wait(30)
        try:
            return str(Api().get("/api/resources")["X-Cache"])
        finally:
            connection.close()

    RESOURCES._filler[0] = counted
    try:
        with ThreadPoolExecutor(12) as pool:
            outcomes = [future.result(60) for future in [pool.submit(read) for _ in range(12)]]
    finally:
        RESOURCES._filler[0] = original
    assert outcomes.count("MISS") == 1
    # A reader that waited in vain reads for itself and does not store.
    assert set(outcomes) <= {"MISS", "HIT", "BYPASS"}
    assert len(filled) == 1 + outcomes.count("BYPASS")


@pytest.mark.parametrize("path", ["/api/environment/weather", "/api/resources", "/api/inventory", "/api/recipes/known"])
def test_a_reader_that_is_slow_to_ask_finds_what_was_filled_meanwhile(
    ada: Api, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It looked before the fill and asks for the lease after it: a string and a hash, without and with a generation."""
    filled = ada.get(path)
    read = fill._read
    monkeypatch.setattr(fill, "_read", lambda entry, *place: read(entry, *place) if entry is SESSION else None)
    answer = ada.get(path)
    assert (answer["X-Cache"], answer["ETag"]) == ("HIT", filled["ETag"])


def test_a_filler_that_fails_gives_its_lease_back(world: None) -> None:
    original = PROFESSIONS._filler[0]

    def fails(**places: Any) -> Fresh | None:
        raise RuntimeError("on purpose")

    PROFESSIONS._filler[0] = fails
    try:
        with pytest.raises(RuntimeError, match="on purpose"):
            PROFESSIONS.get()
    finally:
        PROFESSIONS._filler[0] = original
    answer = PROFESSIONS.get()
    assert answer is not None
    assert answer.outcome == "MISS"


def test_a_write_through_that_was_overtaken_is_refused(world: None) -> None:
    through = WriteThrough(SESSION, {"session_id": "overtaken"})
    assert through.lease.granted
    store.drop(["session:overtaken"])
    through.commit(Fresh({"session_id": "overtaken"}))
    assert store.client().get("session:overtaken") is None


def test_an_unknown_resource_leaves_no_key(world: None) -> None:
    unknown = resource_id("mutterwood-log") + 100_000
    assert Api().get(f"/api/market/listings?resource_id={unknown}").json()["listings"] == []
    assert list(store.scan(f"market:listings:active:{unknown}")) == []
