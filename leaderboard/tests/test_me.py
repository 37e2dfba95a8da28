"""GET /api/leaderboard/me: the player's place and those around it."""

from datetime import datetime

import pytest

from accounts.models import Player
from leaderboard.tests.support import player, refresh
from tests.support import Api, assert_problem, queries

PATH = "/api/leaderboard/me"


def test_before_the_first_refresh_there_is_no_place(ada: Api) -> None:
    # Queries: the player's surroundings, and the time of the last refresh. The session comes from Redis.
    with queries() as sql:
        answer = ada.get(PATH)

    assert len(sql) == 2
    assert answer.json() == {"as_of": None, "rank": None, "row": None, "around": []}


def test_whom_the_last_refresh_did_not_know_has_no_place_yet(ada: Api) -> None:
    Player.objects.filter(pk=ada.id).update(is_active=False)
    player("bob")
    as_of = refresh().as_of
    Player.objects.filter(pk=ada.id).update(is_active=True)
    ada = Api.signed_in(ada.login, ada.password)

    body = ada.get(PATH).json()

    assert (body["rank"], body["row"], body["around"]) == (None, None, [])
    assert datetime.fromisoformat(body["as_of"]) == as_of

    refresh()
    assert ada.get(PATH).json()["rank"] == 1


@pytest.mark.parametrize(
    ("level", "rank", "around"),
    [
        (100, 1, [1, 2, 3, 4, 5, 6]),
        (47, 6, list(range(1, 12))),
        (39, 14, list(range(9, 17))),
        (37, 16, [11, 12, 13, 14, 15, 16]),
    ],
    ids=["first", "in the middle", "near the end", "last"],
)
def test_it_shows_the_players_around(ada: Api, level: int, rank: int, around: list[int]) -> None:
    """Fifteen others, of levels 52 to 38; of two with the same score, who came first is before."""
    Player.objects.filter(pk=ada.id).update(level=level)
    for number in range(15):
        player(f"player-{number}", level=52 - number)
    refresh()

    # Query: the player's surroundings, from one refresh.
    with queries() as sql:
        answer = ada.get(PATH)

    assert len(sql) == 1
    assert answer["Cache-Control"] == "no-store"
    body = answer.json()
    board = ada.get("/api/leaderboard").json()["leaderboard"]
    assert body["rank"] == rank
    assert body["row"] == board[rank - 1]
    assert body["row"]["login"] == "ada"
    assert body["around"] == [row for row in board if row["rank"] in around]
    assert body["as_of"] == body["row"]["as_of"]


def test_the_number_of_those_around_may_be_said(ada: Api) -> None:
    Player.objects.filter(pk=ada.id).update(level=50)
    Player.objects.bulk_create(
        Player(login=f"player-{number}", email=f"{number}@example.org", level=1 + number % 100) for number in range(200)
    )
    refresh()
    rank = ada.get(PATH).json()["rank"]

    for around in (0, 1, 50):
        found = [row["rank"] for row in ada.get(f"{PATH}?around={around}").json()["around"]]
        assert found == list(range(rank - around, rank + around + 1))


def test_a_bad_query_is_refused(ada: Api) -> None:
    for query, field in [
        ("around=-1", "around"),
        ("around=51", "around"),
        ("around=x", "around"),
        ("around=", "around"),
        ("around=" + "9" * 31, "around"),
        ("limit=5", "limit"),
        ("around=1&around=1", "around"),
    ]:
        assert_problem(ada.get(f"{PATH}?{query}"), 400, "invalid", field)


def test_nobody_signed_in_has_no_place(api: Api) -> None:
    assert_problem(api.get(PATH), 401, "not_authenticated")
