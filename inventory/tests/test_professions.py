"""GET /api/professions and POST /api/professions/{id}/join."""

import pytest
from django.db import IntegrityError

from inventory.models import PlayerProfession, Profession
from inventory.tests.support import assert_read_once, at_once, everything, join, life_ms, practise, stored
from tests.support import Api, assert_problem, profession_id

PROFESSIONS = "/api/professions"


def joined(player: Api) -> list[str]:
    return [row["slug"] for row in player.get("/api/auth/me").json()["professions"]]


# --- The list ------------------------------------------------------------------------------------------------


def test_it_lists_every_profession(api: Api) -> None:
    # Query of a miss: the professions.
    answer = assert_read_once(api, PROFESSIONS, budget=1)
    assert list(answer) == ["source", "professions"]
    rows = answer["professions"]
    assert len(rows) == Profession.objects.count() >= 12
    assert {row["kind"] for row in rows} == {"gathering", "crafting", "processing"}
    assert rows[0] == {
        "id": profession_id("timberhand"), "slug": "timberhand", "name": "Timberhand", "kind": "gathering",
    }  # fmt: skip


def test_redis_holds_the_list_as_json_for_at_most_an_hour(api: Api) -> None:
    shown = api.get(PROFESSIONS).json()["professions"]
    assert stored("catalogue:professions") == {"{}": {"professions": shown}}
    assert 0 < life_ms("catalogue:professions") <= 3_600_000


def test_a_new_and_a_renamed_profession_are_in_the_very_next_read(api: Api) -> None:
    api.get(PROFESSIONS)
    made = Profession.objects.create(slug="napper", name="Napper", kind="crafting")
    assert api.get(PROFESSIONS).json()["professions"][-1]["name"] == "Napper"
    made.name = "Dozer"
    made.save()
    assert api.get(PROFESSIONS).json()["professions"][-1]["name"] == "Dozer"
    made.delete()
    assert "napper" not in [row["slug"] for row in api.get(PROFESSIONS).json()["professions"]]


def test_the_list_takes_no_parameter(api: Api) -> None:
    assert_problem(api.get(f"{PROFESSIONS}?kind=crafting"), 400, "invalid", "kind")


# --- Joining -------------------------------------------------------------------------------------------------


def test_joining_begins_at_level_one_as_a_novice(ada: Api) -> None:
    sawyer = profession_id("sawyer")
    answer = ada.call("POST", f"{PROFESSIONS}/{sawyer}/join")
    assert answer.status_code == 201
    shown = {"id": sawyer, "slug": "sawyer", "name": "Sawyer", "level": 1, "experience": 0, "rank": "Novice"}
    assert answer.json() == shown
    assert ada.get("/api/auth/me").json()["professions"] == [shown]


def test_joining_again_changes_nothing_and_tells_how_far_one_is(ada: Api) -> None:
    join(ada, "sawyer")
    practise(ada, "sawyer", 15)
    before = everything()
    again = ada.post(f"{PROFESSIONS}/{profession_id('sawyer')}/join")
    assert again.status_code == 200
    assert (again.json()["level"], again.json()["experience"], again.json()["rank"]) == (15, 10_500, "Apprentice")
    assert everything() == before


def test_the_fourth_profession_is_refused_but_the_third_may_be_joined_again(ada: Api, bob: Api) -> None:
    join(ada, "sawyer", "timberhand", "toolwright")
    before = everything()
    assert_problem(
        ada.post(f"{PROFESSIONS}/{profession_id('furnacer')}/join"), 409, "profession_limit", says="at most 3"
    )
    assert everything() == before
    assert ada.post(f"{PROFESSIONS}/{profession_id('toolwright')}/join").status_code == 200
    assert joined(ada) == ["sawyer", "timberhand", "toolwright"]
    join(bob, "furnacer")


def test_a_slot_that_was_freed_is_used_again(ada: Api) -> None:
    join(ada, "sawyer", "timberhand", "toolwright")
    PlayerProfession.objects.get(player_id=ada.id, profession__slug="timberhand").delete()
    join(ada, "furnacer")
    assert joined(ada) == ["sawyer", "furnacer", "toolwright"]


def test_of_four_that_are_joined_at_once_three_are(ada: Api) -> None:
    ids = [profession_id(slug) for slug in ("sawyer", "timberhand", "toolwright", "furnacer")]
    answers = at_once(*(lambda number=number: ada.post(f"{PROFESSIONS}/{number}/join") for number in ids))
    assert sorted(answer.status_code for answer in answers) == [201, 201, 201, 409]
    assert len(joined(ada)) == 3


def test_one_that_is_joined_twice_at_once_is_joined_once(ada: Api) -> None:
    path = f"{PROFESSIONS}/{profession_id('sawyer')}/join"
    answers = at_once(*[lambda: ada.post(path)] * 3)
    assert sorted(answer.status_code for answer in answers) == [200, 200, 201]
    assert joined(ada) == ["sawyer"]


@pytest.mark.parametrize("slot", [1, 2, 3, 4, 0, -1])
def test_the_database_itself_refuses_a_fourth(ada: Api, slot: int) -> None:
    join(ada, "sawyer", "timberhand", "toolwright")
    with pytest.raises(IntegrityError, match="playerprofession_slot"):
        PlayerProfession.objects.create(player_id=ada.id, profession_id=profession_id("furnacer"), slot=slot)


@pytest.mark.parametrize("path", ["0", "x", str(2**31), str(2**63 - 1), str(2**63), "%00"])
def test_an_unknown_profession_is_not_found(ada: Api, path: str) -> None:
    before = everything()
    assert_problem(ada.post(f"{PROFESSIONS}/{path}/join"), 404, "not_found")
    assert everything() == before


def test_joining_needs_a_player_and_takes_neither_body_nor_parameter(ada: Api, api: Api) -> None:
    path = f"{PROFESSIONS}/{profession_id('sawyer')}/join"
    before = everything()
    assert_problem(api.post(path), 401, "not_authenticated")
    assert_problem(ada.post(path, slot=1), 400, "invalid", "slot")
    assert_problem(ada.post(f"{path}?level=50"), 400, "invalid", "level")
    assert_problem(ada.call("POST", path, []), 400, "invalid")
    assert_problem(ada.get(path), 405, "method_not_allowed")
    assert everything() == before
