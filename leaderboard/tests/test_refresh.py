"""manage.py leaderboard_refresh and the task that the schedule runs: mv_leaderboard brought up to date."""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime, timedelta
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from accounts.models import Player
from inventory.models import PlayerProfession
from leaderboard import tasks
from leaderboard.models import LeaderboardRow
from leaderboard.services import LOCK
from leaderboard.tests.support import logins, player, refresh
from tests.processes import wait_until
from tests.servers import redis_start, redis_stop
from tests.support import Api

PATH = "/api/leaderboard"


def _command(*words: str) -> str:
    out = StringIO()
    call_command("leaderboard_refresh", *words, stdout=out)
    return out.getvalue()


def _closing(call: Callable[[], Any]) -> Any:
    try:
        return call()
    finally:
        connection.close()


@contextmanager
def _elsewhere() -> Iterator[Any]:
    """A cursor of another connection, in a transaction of its own."""
    other = connection.copy()
    try:
        other.set_autocommit(False)
        with other.cursor() as cursor:
            yield cursor
            other.commit()
    finally:
        other.close()


def test_the_command_refreshes_the_view_and_says_what_it_shows(api: Api) -> None:
    player("ada")
    player("bob")
    assert LeaderboardRow.objects.count() == 0
    before = timezone.now()

    report = json.loads(_command("--json"))

    assert set(report) == {"rows", "as_of"}
    assert report["rows"] == 2 == LeaderboardRow.objects.count()
    assert before - timedelta(seconds=5) < datetime.fromisoformat(report["as_of"]) <= timezone.now()
    assert {row.as_of for row in LeaderboardRow.objects.all()} == {datetime.fromisoformat(report["as_of"])}
    assert _command().startswith("rows: 2, as_of: ")


def test_with_nobody_there_it_says_so(world: None) -> None:
    assert json.loads(_command("--json")) == {"rows": 0, "as_of": None}


def test_the_task_tells_how_many_rows_there_are(world: None) -> None:
    player("ada")

    assert tasks.leaderboard_refresh() == 1
    assert LeaderboardRow.objects.get().login == "ada"


def test_the_score_is_the_formulas_over_all_that_a_player_has_done(world: None) -> None:
    records: list[dict[str, Any]] = [
        {},
        {"level": 100, "crafted": 7, "sales": 3},
        {"level": 12, "professions": (34, 14)},
        {"level": 12, "professions": (35, 1, 49)},
        {"level": 12, "professions": (50, 50, 35), "crafted": 123_457, "sales": 98_765_432_199},
        {"level": 55, "crafted": 10**12 + 1, "sales": 2**53 - 1},
    ]
    for number, record in enumerate(records):
        player(f"player-{number}", **record)
    refresh()

    expected = {}
    for row in Player.objects.select_related("statistics"):
        levels = list(PlayerProfession.objects.filter(player=row).values_list("level", flat=True))
        masters = sum(level >= 50 for level in levels)
        experts = sum(35 <= level < 50 for level in levels)
        score = 10 * row.level + 5 * sum(levels) + 500 * masters + 250 * experts
        exact = score + Decimal(row.statistics.items_crafted) / 10 + Decimal(row.statistics.sales_value) / 100
        expected[row.pk] = (len(levels), sum(levels), experts, masters, exact)
    found = LeaderboardRow.objects.values_list(
        "player_id",
        "profession_count",
        "total_profession_level",
        "expert_professions",
        "master_professions",
        "global_score",
    )
    assert {row[0]: row[1:] for row in found} == expected
    in_order = sorted(expected, key=lambda pk: (-expected[pk][4], pk))
    assert list(LeaderboardRow.objects.order_by("rank").values_list("player_id", flat=True)) == in_order
    assert list(LeaderboardRow.objects.order_by("rank").values_list("rank", flat=True)) == list(range(1, 7))


def test_closed_accounts_leave_the_board_and_the_ranks_close_up(world: None) -> None:
    for number in (3, 2, 1):
        player(f"player-{number}", level=number)
    refresh()
    second = Player.objects.get(login="player-2")
    second.is_active = False
    second.save()

    refresh()

    assert list(LeaderboardRow.objects.values_list("rank", "login")) == [(1, "player-3"), (2, "player-1")]


def test_the_cached_boards_are_replaced_right_after(api: Api) -> None:
    player("ada", level=2)
    refresh()
    for query in ("", "?sort=coins", "?limit=5"):
        api.get(PATH + query)
        assert api.get(PATH + query)["X-Cache"] == "HIT"
    player("bob", level=9)

    _command()

    first = api.get(PATH)
    assert (first["X-Cache"], logins(first)) == ("HIT", ["bob", "ada"]), "the first page is filled at once"
    assert logins(api.get(f"{PATH}?limit=5")) == ["bob", "ada"]
    assert api.get(f"{PATH}?sort=coins").json()["total"] == 2


def test_a_refresh_without_redis_shows_as_soon_as_redis_is_back(api: Api) -> None:
    player("ada")
    refresh()
    api.get(PATH)
    player("bob", level=9)
    redis_stop()
    try:
        assert refresh().rows == 2
        assert logins(api.get(PATH)) == ["bob", "ada"]
    finally:
        redis_start()

    wait_until(lambda: api.get(PATH)["X-Cache"] == "HIT", "reads come from Redis again")
    assert logins(api.get(PATH)) == ["bob", "ada"]


def test_the_task_leaves_where_another_refresh_runs(world: None) -> None:
    player("ada")
    with _elsewhere() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])

        assert tasks.leaderboard_refresh() is None
        assert LeaderboardRow.objects.count() == 0

    assert tasks.leaderboard_refresh() == 1


def test_the_command_waits_for_another_refresh_and_then_does_its_own(world: None) -> None:
    player("ada")
    with ThreadPoolExecutor(1) as thread:
        with _elsewhere() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
            report = thread.submit(_closing, lambda: json.loads(_command("--json")))
            wait_until(_somebody_waits_for_the_lock, "the command waits for the lock")
            assert not report.done()
            assert LeaderboardRow.objects.count() == 0
            # What happens while it waits is in its refresh.
            player("bob")

        assert report.result(timeout=60)["rows"] == 2


def _somebody_waits_for_the_lock() -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = %s AND NOT granted", [LOCK]
        )
        return bool(cursor.fetchone()[0])


def test_many_refreshes_at_once_are_one_after_the_other(world: None) -> None:
    player("ada")
    with ThreadPoolExecutor(6) as threads:
        tries = [threads.submit(_closing, tasks.leaderboard_refresh) for _ in range(4)]
        tries += [threads.submit(_closing, lambda: refresh().rows) for _ in range(2)]

    assert {each.result() for each in tries} <= {1, None}
    assert [each.result() for each in tries[4:]] == [1, 1]


def test_readers_see_the_old_board_until_the_new_one_is_committed(api: Api) -> None:
    player("ada")
    refresh()
    player("bob", level=9)

    with _elsewhere() as cursor:
        cursor.execute("REFRESH MATERIALIZED VIEW CONCURRENTLY mv_leaderboard")
        # Not in the cache, so that it must be read while the refresh is under way; it would wait, and fail, if locked.
        assert logins(api.get(f"{PATH}?limit=7")) == ["ada"]

    assert logins(api.get(f"{PATH}?limit=8")) == ["bob", "ada"]


def test_a_unique_index_lets_it_refresh_concurrently(world: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT indexdef FROM pg_indexes WHERE tablename = 'mv_leaderboard' AND indexdef LIKE 'CREATE UNIQUE%'"
        )
        unique = [row[0].rsplit("(", 1)[1] for row in cursor.fetchall()]
        cursor.execute("SELECT relkind FROM pg_class WHERE relname = 'mv_leaderboard'")
        assert cursor.fetchone()[0] == "m"

    assert sorted(unique) == ["player_id)", "rank)"]


def test_the_command_knows_no_other_words(world: None) -> None:
    with pytest.raises(CommandError, match="unrecognized arguments"):
        _command("--concurrently")
