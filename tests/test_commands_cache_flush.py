"""manage.py cache_flush: drops what it is told to, and nothing else."""

import io
import json
from typing import Any

import pytest
from django.core.management import CommandError

from bcraftd.cache import background, families, stats, store
from market.cache import LISTINGS
from tests.programs import command, manage
from tests.servers import redis_start, redis_stop
from tests.support import Api, queries, resource_id, setting


def _flush(*words: str) -> int:
    report = json.loads(command("cache_flush", "--json", "--yes", *words))
    assert set(report) == {"deleted"}
    return int(report["deleted"])


def _keys(family: str) -> set[str]:
    return set(families.keys(family))


def _everything() -> dict[str, set[str]]:
    return {family: _keys(family) for family in families.all_names()}


@pytest.fixture
def busy(ada: Api, bob: Api) -> Api:
    """Two players have filled every family."""
    ada.grant(mutterwood_log=2)
    made = ada.sells("mutterwood-log", 1, 5)
    for player in (ada, bob):
        with setting(RATE_LIMIT_DEFAULT=(60, 60)):
            player.get(f"/api/market/listings/{made['id']}")
        for path in (
            "market/listings",
            "environment/current",
            "leaderboard",
            "inventory",
            "recipes/known",
            "professions",
        ):
            assert player.get(f"/api/{path}").status_code == 200
    background.flush()
    assert all(_everything().values()), "every family has keys"
    return ada


def test_a_family_goes_and_the_others_stay(busy: Api) -> None:
    before = _everything()

    assert _flush("--family", "market") == len(before["market"])

    assert _everything() == {**before, "market": set()}
    assert busy.get("/api/market/listings")["X-Cache"] == "MISS"
    assert busy.get("/api/inventory")["X-Cache"] == "HIT"


def test_several_families_may_be_named(busy: Api) -> None:
    before = _everything()

    deleted = _flush("--family", "leaderboard", "--family", "inventory", "--family", "inventory")

    assert deleted == len(before["leaderboard"]) + len(before["inventory"]) == 3
    assert _everything() == {**before, "leaderboard": set(), "inventory": set()}


def test_all_keeps_sessions_rate_limits_and_activity(busy: Api) -> None:
    kept = {"sessions", "rate_limits", "activity"}
    before = _everything()
    store.client().set("foreign:key", "1")

    assert _flush("--all") == sum(len(keys) for family, keys in before.items() if family not in kept)

    assert _everything() == {family: keys if family in kept else set() for family, keys in before.items()}
    assert store.client().get("foreign:key") == b"1", "never FLUSHDB"
    with queries() as sql:
        assert busy.get("/api/environment/weather").status_code == 200
    assert not any("playersession" in query for query in sql)


def test_sessions_go_where_they_are_named_and_come_back_from_postgresql(busy: Api) -> None:
    assert _flush("--family", "sessions") == 2

    assert _keys("sessions") == set()
    assert busy.get("/api/auth/me").status_code == 200
    assert _keys("sessions") == {f"session:{busy.session['session_id']}"}


def test_one_key_goes_by_its_name(busy: Api) -> None:
    before = _everything()

    assert _flush("--key", "market:listings:active:all", "--key", "env:current") == 2
    assert _flush("--key", "env:current") == 0

    gone = {"market:listings:active:all", "env:current"}
    assert _everything() == {family: keys - gone for family, keys in before.items()}


@pytest.mark.parametrize("key", ["foreign:key", "stats:market", "market", "*", "env:*:x", ""])
def test_a_key_of_no_family_is_refused_and_nothing_is_dropped(busy: Api, key: str) -> None:
    before = _everything()
    store.client().set("foreign:key", "1")

    with pytest.raises(CommandError, match="Of no family"):
        _flush("--key", "env:current", "--key", key)

    assert _everything() == before
    assert store.client().get("foreign:key") == b"1"


def test_what_is_cached_of_one_player_goes_and_the_session_stays(busy: Api) -> None:
    before = _everything()
    own = {f"inventory:user:{busy.id}", f"recipes:user:{busy.id}"}
    assert own <= before["inventory"] | before["recipes"]

    assert _flush("--user", str(busy.id)) == 2
    assert _flush("--user", "999999") == 0

    assert _everything() == {family: keys - own for family, keys in before.items()}


def test_a_fill_that_runs_meanwhile_is_refused(busy: Api) -> None:
    read = LISTINGS._filler[0]

    def read_slowly(**variant: Any) -> Any:
        fresh = read(**variant)
        assert _flush("--family", "market") == 1, "the key of everything that is for sale"
        return fresh

    LISTINGS.filler(read_slowly)
    try:
        page = f"/api/market/listings?resource_id={resource_id('mutterwood-log')}"
        assert busy.get(page)["X-Cache"] == "MISS"
    finally:
        LISTINGS.filler(read)

    assert _keys("market") == set()
    assert stats.read("market")["refused_fills"] == 1
    assert list(store.scan("lease:market:*")) == []


def test_it_asks_first_where_somebody_is_there(busy: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    before = _everything()
    for answer, dropped in (("\n", False), ("n\n", False), ("all of it\n", False), ("y\n", True)):
        terminal = io.StringIO(answer)
        monkeypatch.setattr(terminal, "isatty", lambda: True)
        monkeypatch.setattr("sys.stdin", terminal)
        if dropped:
            command("cache_flush", "--family", "market")
        else:
            with pytest.raises(CommandError, match="Nothing was dropped"):
                command("cache_flush", "--family", "market")
            assert _everything() == before
    assert _keys("market") == set()


def test_without_yes_and_without_a_terminal_it_refuses(busy: Api) -> None:
    before = _everything()

    done = manage("cache_flush", "--all")

    assert done.returncode == 1
    assert "--yes" in done.stderr
    assert "Traceback" not in done.stderr
    assert _everything() == before


def test_it_wants_to_be_told_what(world: None) -> None:
    with pytest.raises(CommandError, match="Nothing to flush"):
        _flush()
    with pytest.raises(CommandError, match="invalid choice"):
        _flush("--family", "coins")
    with pytest.raises(CommandError, match="invalid int"):
        _flush("--user", "ada")


def test_for_people_it_says_how_many(busy: Api) -> None:
    assert command("cache_flush", "--family", "leaderboard", "--yes") == "deleted: 1\n"


def test_without_redis_it_says_so(world: None) -> None:
    redis_stop()
    try:
        for words in (["--all"], ["--key", "env:current"], ["--user", "1"]):
            with pytest.raises(CommandError, match="Redis does not answer"):
                _flush(*words)
    finally:
        redis_start()
