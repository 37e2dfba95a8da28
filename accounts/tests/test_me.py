"""GET /api/auth/me"""

from accounts.models import Player
from tests.support import Api, assert_problem, profession_id, queries


def test_a_player_sees_everything_about_itself(ada: Api) -> None:
    answer = ada.get("/api/auth/me")

    assert answer.status_code == 200
    assert answer["Cache-Control"] == "no-store"
    assert answer.json() == {
        "id": ada.id,
        "login": "ada",
        "email": "ada@example.org",
        "role": "player",
        "coins": 1000,
        "level": 1,
        "experience": 0,
        "professions": [],
        "statistics": {
            "items_crafted": 0,
            "items_gathered": 0,
            "sales_count": 0,
            "sales_value": 0,
            "purchases_count": 0,
            "purchases_value": 0,
        },
    }


def test_professions_are_listed_with_level_and_rank(ada: Api) -> None:
    joined = [ada.post(f"/api/professions/{profession_id(slug)}/join").json() for slug in ("pitdelver", "sawyer")]

    professions = ada.get("/api/auth/me").json()["professions"]

    assert sorted(professions, key=lambda row: row["id"]) == sorted(joined, key=lambda row: row["id"])
    assert set(professions[0]) == {"id", "slug", "name", "level", "experience", "rank"}
    assert {row["rank"] for row in professions} == {"Novice"}


def test_what_happens_is_seen_at_once(ada: Api) -> None:
    ada.grant(coins=7)

    assert ada.get("/api/auth/me").json()["coins"] == 1007


def test_everybody_sees_only_their_own(ada: Api, bob: Api) -> None:
    assert (ada.get("/api/auth/me").json()["id"], bob.get("/api/auth/me").json()["id"]) == (ada.id, bob.id)


def test_a_role_is_told(ada: Api) -> None:
    Player.objects.update(role="moderator")

    # A new role ends every session, also where no save() was called.
    assert_problem(ada.get("/api/auth/me"), 401, "session_expired")
    again = Api.signed_in(ada.login, ada.password)
    assert again.get("/api/auth/me").json()["role"] == "moderator"


def test_it_needs_two_queries(ada: Api) -> None:
    with queries() as seen:
        ada.get("/api/auth/me")

    # The player with its statistics; its professions. The session is in Redis.
    assert len(seen) == 2, seen


def test_an_unknown_parameter_is_refused(ada: Api) -> None:
    assert_problem(ada.get("/api/auth/me?full=1"), 400, "invalid", "full")
