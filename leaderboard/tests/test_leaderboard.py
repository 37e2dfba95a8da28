"""GET /api/leaderboard: the boards, as of the last refresh."""

import json
from datetime import datetime
from typing import Any

import pytest
from django.db import connection

from accounts.models import Player
from bcraftd.cache import scripts, store
from inventory.tests.support import assert_read_once, life_ms, stored
from leaderboard import selectors
from leaderboard.models import LeaderboardRow
from leaderboard.tests.support import logins, player, refresh
from tests.servers import redis_start, redis_stop
from tests.support import Api, assert_problem, queries

PATH = "/api/leaderboard"
KEY = "leaderboard:board"


def test_before_the_first_player_it_is_empty(api: Api) -> None:
    assert api.get(PATH).json() == {"source": "database", "as_of": None, "total": 0, "leaderboard": []}


def test_a_row_shows_all_that_the_view_knows(api: Api) -> None:
    ada = player("ada", level=7, coins=900, crafted=15, sales=1234, professions=(35, 50, 3))
    refreshed = refresh()

    body = api.get(PATH).json()

    as_of = body["as_of"]
    assert datetime.fromisoformat(as_of) == refreshed.as_of
    assert body["total"] == 1
    assert body["leaderboard"] == [
        {
            "rank": 1,
            "player_id": ada.pk,
            "login": "ada",
            "level": 7,
            "experience": 350,
            "coins": 900,
            "profession_count": 3,
            "total_profession_level": 88,
            "expert_professions": 1,
            "master_professions": 1,
            "total_items_crafted": 15,
            "total_sales_value": 1234,
            # 10 x 7 + 5 x 88 + 500 + 250 + 0.1 x 15 + 0.01 x 1234
            "global_score": 1273.84,
            "as_of": as_of,
        }
    ]


def test_the_order_is_total_by_score_and_then_by_player(api: Api) -> None:
    made = [player(f"player-{number}", level=level) for number, level in enumerate((3, 9, 3, 9, 3), start=1)]
    refresh()

    rows = api.get(PATH).json()["leaderboard"]

    assert [row["rank"] for row in rows] == [1, 2, 3, 4, 5]
    assert [row["player_id"] for row in rows] == [made[number].pk for number in (1, 3, 0, 2, 4)]


def test_every_sort_has_its_own_order_and_the_rank_by_score(api: Api) -> None:
    player("best", level=90)
    player("rich", level=2, coins=500)
    player("handy", level=2, crafted=70, coins=20)
    player("trader", level=2, sales=500, coins=500)
    player("nobody")
    refresh()
    by_score = ["best", "handy", "trader", "rich", "nobody"]

    for sort, expected in [
        ("score", by_score),
        # Equal ones in the order of their ids.
        ("coins", ["rich", "trader", "handy", "best", "nobody"]),
        ("level", ["best", "rich", "handy", "trader", "nobody"]),
        ("crafted", ["handy", "best", "rich", "trader", "nobody"]),
        ("sales", ["trader", "best", "rich", "handy", "nobody"]),
    ]:
        answer = api.get(f"{PATH}?sort={sort}")
        assert logins(answer) == expected, sort
        assert {row["login"]: row["rank"] for row in answer.json()["leaderboard"]} == {
            login: rank for rank, login in enumerate(by_score, start=1)
        }
        # Pages of a sort follow each other in the same order.
        pages = [logins(api.get(f"{PATH}?sort={sort}&limit=2&offset={offset}")) for offset in (0, 2, 4, 6)]
        assert pages == [expected[:2], expected[2:4], expected[4:], []]


def test_it_is_for_every_active_player_and_no_top_100(api: Api) -> None:
    Player.objects.bulk_create(
        Player(login=f"player-{number}", email=f"{number}@example.org", level=1 + number % 100)
        for number in range(1005)
    )
    player("gone", level=100, active=False)
    refresh()

    first = api.get(PATH).json()
    assert (len(first["leaderboard"]), first["total"]) == (100, 1005)
    assert len(api.get(f"{PATH}?limit=1000").json()["leaderboard"]) == 1000
    last = api.get(f"{PATH}?limit=1000&offset=1000").json()
    assert (len(last["leaderboard"]), last["leaderboard"][-1]["rank"], last["total"]) == (5, 1005, 1005)
    assert "gone" not in logins(api.get(f"{PATH}?limit=1"))


@pytest.mark.parametrize("sort", selectors.SORTS)
def test_a_page_far_down_reads_no_row_above_it(api: Api, sort: str) -> None:
    Player.objects.bulk_create(
        Player(login=f"player-{number}", email=f"{number}@example.org", level=1 + number % 100, coins=number % 7)
        for number in range(5000)
    )
    refresh()
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE mv_leaderboard")
    with queries() as sql:
        selectors._board(sort=sort, limit=10, offset=4900)

    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql[0]}")
        found = nodes(cursor.fetchone()[0][0]["Plan"])

    # Ten rows of the page, and the last row of all for the total.
    assert sum(node["Actual Rows"] for node in found if node.get("Relation Name") == "mv_leaderboard") <= 11
    assert not any("Rows Removed by Filter" in node for node in found)


def test_a_player_and_those_around_are_found_by_index(api: Api) -> None:
    Player.objects.bulk_create(
        Player(login=f"player-{number}", email=f"{number}@example.org", level=1 + number % 100)
        for number in range(5000)
    )
    refresh()
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE mv_leaderboard")
    last = LeaderboardRow.objects.get(rank=4990).player_id
    with queries() as sql:
        selectors.board_around(player_id=last, around=5)

    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql[0]}")
        found = nodes(cursor.fetchone()[0][0]["Plan"])

    assert not any(node["Node Type"] == "Seq Scan" for node in found)
    assert sum(node["Actual Rows"] for node in found if node["Node Type"].startswith("Index")) <= 11 + 2


def nodes(plan: dict[str, Any]) -> list[dict[str, Any]]:
    """A plan's nodes, from the top."""
    return [plan, *(node for part in plan.get("Plans", []) for node in nodes(part))]


def test_past_the_end_there_is_nothing_but_the_total(api: Api) -> None:
    player("ada")
    as_of = refresh().as_of

    # Queries of a miss: the page, and the board's length where the page is empty.
    with queries() as sql:
        body = api.get(f"{PATH}?offset=1").json()

    assert len(sql) == 2
    assert (body["leaderboard"], body["total"]) == ([], 1)
    assert datetime.fromisoformat(body["as_of"]) == as_of
    assert api.get(f"{PATH}?offset=1000000000").json()["leaderboard"] == []


def test_what_happens_after_a_refresh_shows_with_the_next_one(api: Api) -> None:
    ada = player("ada", level=2)
    refresh()
    api.get(PATH)

    ada.level = 3
    ada.save()
    player("bob", level=50)

    assert logins(api.get(PATH)) == ["ada"]
    refresh()
    assert logins(api.get(PATH)) == ["bob", "ada"]


def test_the_second_reader_is_answered_from_redis(api: Api) -> None:
    for number in range(3):
        player(f"player-{number}")
    refresh()

    # Query of a miss: the page, with the board's length.
    assert len(assert_read_once(api, f"{PATH}?limit=2", budget=1)["leaderboard"]) == 2
    assert assert_read_once(api, f"{PATH}?sort=coins", budget=1)["total"] == 3


def test_an_empty_board_is_a_value_and_hits(api: Api) -> None:
    # Queries of a miss: the page, and the first row where it is empty.
    assert assert_read_once(api, PATH, budget=2)["leaderboard"] == []


def test_the_key_is_a_hash_of_readable_pages_that_lives_five_minutes_at_most(api: Api) -> None:
    player("ada")
    refresh()
    api.get(f"{PATH}?sort=coins&limit=3&offset=0")

    pages = {name: page["total"] for name, page in stored(KEY).items()}
    assert [json.loads(name) for name in pages] == [
        {"limit": 100, "offset": 0, "sort": "score"},
        {"limit": 3, "offset": 0, "sort": "coins"},
    ]
    assert list(pages.values()) == [1, 1]
    assert store.client().type(KEY) == b"hash"
    assert 0 < life_ms(KEY) <= 300_000


def test_made_up_pages_fill_the_hash_to_its_cap_and_no_further(api: Api) -> None:
    for offset in range(scripts.MAX_VARIANTS + 5):
        assert api.get(f"{PATH}?offset={offset}").status_code == 200

    assert store.client().hlen(KEY) == scripts.MAX_VARIANTS


def test_without_redis_it_is_read_from_postgresql(api: Api) -> None:
    player("ada")
    refresh()
    redis_stop()
    try:
        answer = api.get(PATH)
        assert (answer["X-Cache"], answer.json()["source"], logins(answer)) == ("BYPASS", "database", ["ada"])
    finally:
        redis_start()


def test_a_bad_query_is_refused(api: Api) -> None:
    for query, field in [
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("limit=1.5", "limit"),
        ("limit=" + "9" * 31, "limit"),
        ("limit=1&limit=1", "limit"),
        ("offset=-1", "offset"),
        ("offset=1000000001", "offset"),
        ("offset=x", "offset"),
        ("sort=rank", "sort"),
        ("sort=", "sort"),
        ("sort=-score", "sort"),
        ("sort=score%00", "sort"),
        ("cursor=x", "cursor"),
        ("around=5", "around"),
    ]:
        assert_problem(api.get(f"{PATH}?{query}"), 400, "invalid", field)
    assert LeaderboardRow.objects.count() == 0


def test_a_token_is_not_looked_at(api: Api) -> None:
    assert Api("nonsense").get(PATH).status_code == 200
    assert_problem(api.post(PATH), 405, "method_not_allowed")
