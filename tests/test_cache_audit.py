"""cache_audit: what Redis would serve against what PostgreSQL says."""

import time
from collections.abc import Iterator
from typing import Any, cast

import psycopg2
import pytest

from accounts.cache import SESSION
from bcraftd.cache import Fresh, audit, families, store
from inventory.cache import INVENTORY, PROFESSIONS
from market.cache import LISTINGS
from tests import programs
from tests.cache_audits import HOT, audited, raw, values
from tests.support import Api, resource_id, setting


def test_a_world_in_which_everything_was_written_by_the_project_has_no_difference(busy: Api) -> None:
    report, failure = audited()

    assert report == {"checked": values(), "differences": [], "problems": [], "repaired": 0}
    assert report["checked"] >= len(HOT) + 1, "each path's value, and the session"
    assert failure == ""


def test_an_empty_redis_has_none(world: None) -> None:
    assert audited() == ({"checked": 0, "differences": [], "problems": [], "repaired": 0}, "")


# A change that the cache is not told of, and what is then said: family, key and variant, the beginning of the detail.
CHANGES: list[tuple[str, str, str, str, str]] = [
    (
        "UPDATE inventory_inventoryitem SET quantity = 77 WHERE player_id = {ada}",
        "inventory", "inventory:user:{ada}", "",
        "inventory[0].quantity: 3 in Redis, 77 in PostgreSQL",
    ),
    (
        "UPDATE inventory_resource SET name = 'Log of Psql' WHERE id = {log}",
        "catalogue", "catalogue:resources", '{{"id":{log}}}',
        'name: "Mutterwood Log" in Redis, "Log of Psql" in PostgreSQL',
    ),
    (
        "UPDATE inventory_profession SET name = 'Psql' WHERE slug = 'timberhand'",
        "catalogue", "catalogue:professions", "{{}}",
        "professions[",
    ),
    (
        "DELETE FROM inventory_playerprofession WHERE player_id = {ada}",
        "recipes", "recipes:user:{ada}", "{{}}",
        "recipes: ",
    ),
    (
        "UPDATE market_listing SET remaining = 1",
        "market", "market:listings:active:{log}", '{{"limit":50,"ordering":"unit_price"}}',
        "listings[0].remaining: 2 in Redis, 1 in PostgreSQL",
    ),
    (
        "UPDATE environment_weather SET gathering_multiplier = 3.5",
        "environment", "env:weather:current", "",
        "gathering_multiplier: ",
    ),
    (
        "UPDATE accounts_playersession SET role = 'admin' WHERE player_id = {ada}",
        "sessions", "session:{session}", "",
        'role: "player" in Redis, "admin" in PostgreSQL',
    ),
    (
        "REFRESH MATERIALIZED VIEW mv_leaderboard",
        "leaderboard", "leaderboard:board", '{{"limit":100,"offset":0,"sort":"score"}}',
        "as_of: ",
    ),
]  # fmt: skip


@pytest.mark.parametrize(
    ("statement", "family", "key", "variant", "detail"), CHANGES, ids=[f"{row[1]} {row[2]}" for row in CHANGES]
)
def test_a_change_that_the_cache_is_not_told_of_is_found(
    busy: Api, statement: str, family: str, key: str, variant: str, detail: str
) -> None:
    places = {"ada": busy.id, "log": resource_id("mutterwood-log"), "session": busy.session["session_id"]}
    raw(statement.format(**places))

    report, failure = audited("--family", family)

    row = next(
        row
        for row in report["differences"]
        if row["key"] == key.format(**places) and (row["variant"] or "") == variant.format(**places)
    )
    assert set(row) == {"key", "family", "variant", "detail", "age_seconds"}
    assert row["family"] == family
    assert row["detail"].startswith(detail)
    assert 0 <= row["age_seconds"] < 60
    assert failure == f"Values that differ: {len(report['differences'])}. --repair drops their keys."
    assert report["checked"] >= len(report["differences"])
    assert report["problems"] == []


def test_a_change_that_somebody_makes_in_psql_is_found(busy: Api) -> None:
    statement = f"UPDATE inventory_inventoryitem SET quantity = 77 WHERE player_id = {busy.id}"
    with psycopg2.connect(programs.environment()["DATABASE_URL"]) as session, session.cursor() as cursor:
        cursor.execute(statement)
    session.close()

    report, _ = audited()

    assert {row["key"] for row in report["differences"]} == {f"inventory:user:{busy.id}"}


def test_a_value_whose_row_is_gone_is_a_difference(busy: Api) -> None:
    raw("DELETE FROM accounts_playersession")

    report, failure = audited()

    assert [(row["key"], row["variant"], row["detail"]) for row in report["differences"]] == [
        (f"session:{busy.session['session_id']}", None, "PostgreSQL has nothing to show")
    ]
    assert failure != ""


def test_what_a_reader_would_not_be_served_is_no_difference(busy: Api) -> None:
    """Of another Redis, of another generation, without a generation, without a stamp."""
    redis = cast("Any", store.client())
    raw("UPDATE inventory_inventoryitem SET quantity = 77")
    key = INVENTORY.name({"player_id": busy.id})
    stored = redis.get(key)
    other_run = stored.replace(store.server.run.encode(), b"0" * 8)
    for change in (
        lambda: redis.set(key, other_run, ex=3600),
        lambda: redis.set(key, b'{"inventory":[]}', ex=3600),
        lambda: (redis.set(key, stored, ex=3600), redis.set(INVENTORY.generation_key, "0" * 16)),
        lambda: redis.delete(INVENTORY.generation_key),
    ):
        change()
        report, failure = audited("--family", "inventory")
        assert report == {"checked": 0, "differences": [], "problems": [], "repaired": 0}
        assert failure == ""


def test_the_age_is_that_of_the_value(busy: Api) -> None:
    redis = cast("Any", store.client())
    key = INVENTORY.name({"player_id": busy.id})
    hour_ago = int((time.time() - 3600) * 1000)
    redis.set(key, redis.get(key)[:-15] + b'%013d"}' % hour_ago, ex=3600)
    raw("UPDATE inventory_inventoryitem SET quantity = 77")

    report, _ = audited("--family", "inventory")

    (row,) = report["differences"]
    assert 3600 <= row["age_seconds"] < 3660


def test_a_value_that_ends_in_a_moment_is_let_go(busy: Api) -> None:
    raw("UPDATE inventory_inventoryitem SET quantity = 77")
    cast("Any", store.client()).pexpire(INVENTORY.name({"player_id": busy.id}), audit.LAST_MS - 500)

    report, failure = audited("--family", "inventory")

    assert (report["differences"], failure) == ([], "")


def test_a_session_that_is_in_use_is_alive_although_its_use_is_written_later(busy: Api) -> None:
    with setting(CACHE_SESSION_TTL=3600):
        raw("UPDATE accounts_playersession SET last_seen_at = now() - interval '2 hours'")
        assert busy.get("/api/inventory").status_code == 200

        report, failure = audited("--family", "sessions")

    assert (report["checked"], report["differences"], failure) == (1, [], "")


def test_a_detail_is_short_and_names_three_members_at_most(busy: Api) -> None:
    raw("UPDATE inventory_resource SET name = 'x' || id, slug = 's' || id, base_value = 4711, stack_size = 4711")
    short = _details("catalogue:resources")
    raw("UPDATE inventory_resource SET name = repeat('x', 50) || id, slug = repeat('s', 50) || id")
    long = _details("catalogue:resources")

    assert len(short) == len(long) == 2
    for detail in short:
        assert [words.split(": ")[0].rsplit(".")[-1] for words in detail.split("; ")] == ["slug", "name", "base_value"]
    assert all(len(detail) == 200 and detail.endswith("…") for detail in long)


def _details(key: str) -> list[str]:
    return [row["detail"] for row in audited()[0]["differences"] if row["key"] == key]


def test_one_family_is_audited_alone(busy: Api) -> None:
    raw("UPDATE inventory_inventoryitem SET quantity = 77")
    raw("UPDATE market_listing SET remaining = 1")

    report, _ = audited("--family", "market", "--repair")

    assert {row["family"] for row in report["differences"]} == {"market"}
    assert {row["family"] for row in audited()[0]["differences"]} == {"inventory"}


def test_a_repair_drops_just_what_differs(busy: Api) -> None:
    raw("UPDATE inventory_inventoryitem SET quantity = 77")
    raw("UPDATE market_listing SET remaining = 1")
    before = {key for family in families.names() for key in families.keys(family)}

    report, failure = audited("--repair")

    differing = {row["key"] for row in report["differences"]}
    log = resource_id("mutterwood-log")
    assert {"market:listings:active:all", f"market:listings:active:{log}", f"inventory:user:{busy.id}"} <= differing
    assert report["repaired"] == len(differing)
    assert failure == ""
    assert {key for family in families.names() for key in families.keys(family)} == before - differing
    assert busy.get("/api/inventory").json()["inventory"][0]["quantity"] == 77
    report, failure = audited()
    assert (report["differences"], failure) == ([], "")


def test_a_repair_refuses_the_fill_that_runs_and_leaves_a_writers_fence(busy: Api) -> None:
    raw("UPDATE accounts_playersession SET role = 'admin'")
    key = SESSION.name({"session_id": busy.session["session_id"]})
    redis = cast("Any", store.client())
    redis.hset(store.lease_key(key), "{}", "99999999999999 token")
    redis.hset(store.fence_key(key), "mark", "99999999999999")

    assert audited("--family", "sessions", "--repair")[0]["repaired"] == 1

    assert not redis.exists(key, store.lease_key(key))
    assert redis.hgetall(store.fence_key(key)) == {b"mark": b"99999999999999"}


@pytest.fixture
def broken() -> Iterator[None]:
    """The filler of the professions fails."""
    original = PROFESSIONS._filler[0]

    def fails(**places: Any) -> Fresh | None:
        raise RuntimeError("on purpose")

    PROFESSIONS._filler[0] = fails
    yield
    PROFESSIONS._filler[0] = original


def test_a_filler_that_fails_is_a_problem_and_no_difference(busy: Api, broken: None) -> None:
    report, failure = audited("--repair")

    assert report["problems"] == [
        {
            "key": "catalogue:professions",
            "family": "catalogue",
            "variant": "{}",
            "detail": "RuntimeError: on purpose",
        }
    ]
    assert (report["differences"], report["repaired"]) == ([], 0)
    assert failure == "Values that could not be compared: 1."
    assert store.client().exists("catalogue:professions")


def test_a_key_of_another_type_is_a_problem(busy: Api) -> None:
    redis = store.client()
    redis.delete("catalogue:professions", "env:current")
    redis.set("catalogue:professions", "by hand", ex=3600)
    redis.hset("env:current", "by", "hand")

    report, failure = audited()

    assert {row["key"] for row in report["problems"]} == {"catalogue:professions", "env:current"}
    assert all("WRONGTYPE" in row["detail"] for row in report["problems"])
    assert failure == "Values that could not be compared: 2."


@pytest.mark.parametrize(
    ("key", "parameters"),
    [
        ("inventory:user:17", {"player_id": 17}),
        ("inventory:user:017", {"player_id": "017"}),
        ("inventory:user:" + "9" * 5000, {"player_id": "9" * 5000}),
        ("inventory:user:", None),
        ("inventory:user", None),
    ],
)
def test_a_key_is_read_back(key: str, parameters: dict[str, int | str] | None) -> None:
    assert audit.parameters_of(INVENTORY, key) == parameters


def test_a_place_that_is_no_number_stays_a_word() -> None:
    assert audit.parameters_of(LISTINGS, "market:listings:active:all") == {"resource_id": "all"}
    assert audit.parameters_of(SESSION, "session:" + "1" * 32) == {"session_id": "1" * 32}
