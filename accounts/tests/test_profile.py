"""GET /api/players/{id}"""

import pytest
from django.core.management import call_command

from accounts.models import Player
from tests.support import Api, assert_problem, queries


def test_before_the_first_refresh_there_is_no_rank(api: Api, ada: Api) -> None:
    answer = api.get(f"/api/players/{ada.id}")

    assert answer.status_code == 200
    assert answer.json() == {
        "id": ada.id, "login": "ada", "level": 1, "badge": "newcomer", "global_score": None, "rank": None,
    }  # fmt: skip


def test_after_a_refresh_rank_score_and_badge_are_the_leaderboards(api: Api, ada: Api, bob: Api) -> None:
    Player.objects.filter(pk=bob.id).update(level=30)
    call_command("leaderboard_refresh")

    first, second = api.get(f"/api/players/{bob.id}").json(), api.get(f"/api/players/{ada.id}").json()

    assert first == {
        "id": bob.id, "login": "bob", "level": 30, "badge": "champion", "global_score": 300.0, "rank": 1,
    }  # fmt: skip
    assert (second["rank"], second["badge"], second["global_score"]) == (2, "legend", 10.0)


def test_a_profile_shows_nothing_private(api: Api, ada: Api) -> None:
    assert b"example.org" not in api.get(f"/api/players/{ada.id}").content


def test_a_closed_account_has_no_page(api: Api, ada: Api) -> None:
    Player.objects.update(is_active=False)

    assert_problem(api.get(f"/api/players/{ada.id}"), 404, "not_found")


@pytest.mark.parametrize(
    "player_id", ["0", "-1", "1.0", "ada", "9223372036854775807", "9223372036854775808", "1" * 40, "%00", "٣"]
)
def test_an_id_that_names_nobody_is_not_found(api: Api, ada: Api, player_id: str) -> None:
    assert_problem(api.get(f"/api/players/{player_id}"), 404, "not_found")


def test_it_needs_two_queries(api: Api, ada: Api) -> None:
    with queries() as seen:
        api.get(f"/api/players/{ada.id}")

    # The player; its row of the leaderboard.
    assert len(seen) == 2, seen
