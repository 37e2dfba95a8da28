"""POST /api/gather: one gathering action."""

from decimal import Decimal
from typing import Any

import pytest

from accounts.models import Player
from bcraftd import randomness
from bcraftd.leveling import experience_for
from inventory.models import MAX_AMOUNT, ItemMovement, PlayerProfession, Rarity, Resource
from inventory.tests.support import (
    NO_BODIES,
    NO_IDS,
    assert_conserved,
    conditions,
    everything,
    join,
    practise,
)
from tests.support import Api, assert_problem, queries, resource_id, written

GATHER = "/api/gather"
LOG = "mutterwood-log"


def roll(seed: int) -> int:
    """What the die shows first where the source of chance is fixed to this seed."""
    with randomness.fixed(seed) as chance:
        return chance.randint(1, 5)


def gather(player: Api, slug: str, seed: int = 1) -> dict[str, Any]:
    with randomness.fixed(seed):
        answer = player.post(GATHER, resource_id=resource_id(slug))
    assert answer.status_code == 200, answer.content
    return dict(answer.json())


def test_it_gives_what_was_rolled_and_says_what_came_of_it(ada: Api) -> None:
    conditions()
    join(ada, "timberhand")
    quantity = roll(7)
    assert gather(ada, LOG, seed=7) == {
        "status": "success", "resource_id": resource_id(LOG), "quantity": quantity,
        "experience_gained": 10, "profession_level": 1, "level": 1,
    }  # fmt: skip
    assert ada.holds(LOG) == quantity
    me = ada.get("/api/auth/me").json()
    assert (me["experience"], me["professions"][0]["experience"]) == (10, 10)
    assert me["statistics"]["items_gathered"] == quantity
    movement = ItemMovement.objects.get(player_id=ada.id)
    assert (movement.quantity, movement.reason, movement.resource_id) == (quantity, "gather", resource_id(LOG))
    assert movement.reference == ""
    assert_conserved()


def test_actions_add_up(ada: Api) -> None:
    conditions()
    join(ada, "timberhand")
    quantities = [gather(ada, LOG, seed)["quantity"] for seed in range(5)]
    assert quantities == [roll(seed) for seed in range(5)]
    assert ada.holds(LOG) == sum(quantities)
    assert ada.get("/api/auth/me").json()["statistics"]["items_gathered"] == sum(quantities)


@pytest.mark.parametrize(
    ("season", "weather", "level", "factor"),
    [("2", "1", 1, 2), ("1", "3", 1, 3), ("2", "3", 1, 6), ("1", "1", 50, 2), ("2", "3", 50, 12), ("2", "2", 25, 5)],
)
def test_season_weather_and_mastery_multiply_the_roll(
    ada: Api, season: str, weather: str, level: int, factor: int
) -> None:
    conditions(season=season, gathering=weather, crafting="9")
    join(ada, "timberhand")
    practise(ada, "timberhand", level)
    for seed in range(3):
        assert gather(ada, LOG, seed)["quantity"] == roll(seed) * factor


def test_the_weather_of_the_moment_counts_and_not_another(ada: Api) -> None:
    from environment.models import Weather
    from environment.services import weather_set

    conditions()
    join(ada, "timberhand")
    windy = Weather.objects.get(name="Windy")
    windy.gathering_multiplier = Decimal(4)
    windy.save()
    weather_set(weather_id=Weather.objects.get(name="Sunny").pk)
    assert gather(ada, LOG, seed=3)["quantity"] == roll(3)
    weather_set(weather_id=windy.pk)
    assert gather(ada, LOG, seed=3)["quantity"] == roll(3) * 4


def test_without_any_weather_or_season_nothing_is_multiplied(ada: Api) -> None:
    from environment.models import Season, Weather

    Season.objects.all().delete()
    Weather.objects.all().delete()
    join(ada, "timberhand")
    assert gather(ada, LOG, seed=3)["quantity"] == roll(3)


def test_the_fraction_is_the_chance_of_one_more(ada: Api) -> None:
    conditions(gathering="0.5")
    join(ada, "timberhand")
    seen = set()
    for seed in range(12):
        with randomness.fixed(seed) as chance:
            exact = Decimal(chance.randint(1, 5)) / 2
            expected = int(exact) + (chance.random() < exact % 1)
        assert gather(ada, LOG, seed)["quantity"] == expected
        seen.add(expected - exact)
    assert seen >= {Decimal("0.5"), Decimal("-0.5")}


def test_a_rarer_thing_is_found_less_often_and_an_empty_search_is_a_success(ada: Api) -> None:
    conditions()
    join(ada, "tidecomber")
    found = gather(ada, "forty-winks-pearl")
    assert (found["status"], found["quantity"], found["experience_gained"]) == ("success", 0, 100)
    assert not ItemMovement.objects.filter(player_id=ada.id).exists()
    assert ada.get("/api/inventory").json()["inventory"] == []
    Rarity.objects.filter(slug="mythic").update(drop_weight=200)
    assert gather(ada, "forty-winks-pearl", seed=2)["quantity"] == roll(2) * 2


@pytest.mark.parametrize(
    ("slug", "experience"),
    [(LOG, 10), ("amberweep-resin", 20), ("lullaby-heartwood", 40)],
)
def test_rarer_things_teach_more(ada: Api, slug: str, experience: int) -> None:
    join(ada, "timberhand")
    assert gather(ada, slug)["experience_gained"] == experience


@pytest.mark.parametrize(("before", "level"), [(80, 1), (89, 1), (90, 2), (289, 2), (290, 3)])
def test_profession_and_player_rise_at_the_same_experience(ada: Api, before: int, level: int) -> None:
    join(ada, "timberhand")
    PlayerProfession.objects.update(experience=before, level=2 if before >= 100 else 1)
    Player.objects.filter(pk=ada.id).update(experience=before, level=2 if before >= 100 else 1)
    answer = gather(ada, LOG)
    assert (answer["profession_level"], answer["level"]) == (level, level)
    me = ada.get("/api/auth/me").json()
    assert (me["level"], me["professions"][0]["level"]) == (level, level)
    assert (me["experience"], me["professions"][0]["experience"]) == (before + 10, before + 10)


def test_levels_end_at_fifty_and_at_a_hundred_while_experience_goes_on(ada: Api) -> None:
    join(ada, "timberhand")
    PlayerProfession.objects.update(experience=experience_for(50) - 10, level=49)
    Player.objects.filter(pk=ada.id).update(experience=experience_for(101) - 10, level=100)
    answer = gather(ada, LOG)
    assert (answer["profession_level"], answer["level"]) == (50, 100)
    PlayerProfession.objects.update(experience=experience_for(51) - 10)
    assert gather(ada, LOG)["profession_level"] == 50
    assert PlayerProfession.objects.get().experience == experience_for(51)


def test_other_professions_of_the_player_and_other_players_learn_nothing(ada: Api, bob: Api) -> None:
    join(ada, "timberhand", "pitdelver")
    join(bob, "timberhand")
    gather(ada, LOG)
    assert [row["experience"] for row in ada.get("/api/auth/me").json()["professions"]] == [10, 0]
    assert bob.get("/api/auth/me").json()["experience"] == 0
    assert bob.holds(LOG) == 0


def test_experience_ends_at_its_limit(ada: Api) -> None:
    join(ada, "timberhand")
    PlayerProfession.objects.update(experience=MAX_AMOUNT - 1, level=50)
    gather(ada, LOG)
    assert PlayerProfession.objects.get().experience == MAX_AMOUNT


@pytest.mark.parametrize(("before", "columns"), [(89, {"experience"}), (90, {"experience", "level"})])
def test_only_a_new_level_is_written_as_one_so_that_what_depends_on_it_stays_cached(
    ada: Api, before: int, columns: set[str]
) -> None:
    join(ada, "timberhand")
    PlayerProfession.objects.update(experience=before)
    with queries() as sql:
        gather(ada, LOG)
    assert written(sql, PlayerProfession) == [columns]


def test_a_gather_asks_postgresql_no_more_than_it_needs(ada: Api) -> None:
    conditions()
    join(ada, "timberhand")
    ada.grant(mutterwood_log=1)
    log = resource_id(LOG)

    # The player locked; the resource with its rarity; the profession; weather and season; the items moved; the
    # statistics; both experiences.
    with queries() as sql:
        ada.post(GATHER, resource_id=log)

    assert len(sql) == 9, "\n".join(sql)


# --- Refusals: nothing has happened --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("slug", "code"),
    [
        ("rustbelly-ore", "profession_required"),
        ("mutterwood-plank", "not_gatherable"),
        ("waking-bell", "not_gatherable"),
    ],
)
def test_what_the_player_cannot_gather_is_refused(ada: Api, bob: Api, slug: str, code: str) -> None:
    join(ada, "timberhand", "sawyer")
    join(bob, "pitdelver")
    before = everything()
    resource = Resource.objects.get(slug=slug)
    says = resource.name if code == "not_gatherable" else f"profession {resource.profession_id}"
    assert_problem(ada.post(GATHER, resource_id=resource.pk), 409, code, says=says)
    assert everything() == before


def test_an_unknown_resource_is_not_found(ada: Api) -> None:
    before = everything()
    for unknown in (Resource.objects.latest("pk").pk + 1, 2**63 - 1):
        assert_problem(ada.post(GATHER, resource_id=unknown), 404, "not_found", says=unknown)
    assert everything() == before


def test_a_holding_that_would_pass_its_limit_is_refused(ada: Api) -> None:
    conditions()
    join(ada, "timberhand")
    ada.grant(mutterwood_log=MAX_AMOUNT)
    before = everything()
    assert_problem(ada.post(GATHER, resource_id=resource_id(LOG)), 409, "balance_limit", says=MAX_AMOUNT)
    assert everything() == before


@pytest.mark.parametrize("value", NO_IDS, ids=repr)
def test_what_is_no_id_is_refused(ada: Api, value: Any) -> None:
    assert_problem(ada.post(GATHER, resource_id=value), 400, "invalid", "resource_id")


@pytest.mark.parametrize(("raw", "code"), NO_BODIES, ids=lambda value: repr(value)[:20])
def test_what_is_no_body_is_refused(ada: Api, raw: bytes, code: str) -> None:
    assert_problem(ada.call("POST", GATHER, raw=raw), 400, code)


def test_unknown_fields_and_parameters_are_refused(ada: Api) -> None:
    join(ada, "timberhand")
    before = everything()
    assert_problem(ada.post(GATHER, resource_id=resource_id(LOG), quantity=5), 400, "invalid", "quantity")
    assert_problem(ada.post(f"{GATHER}?times=2", resource_id=resource_id(LOG)), 400, "invalid", "times")
    assert everything() == before


def test_it_needs_a_player(api: Api) -> None:
    assert_problem(api.post(GATHER, resource_id=resource_id(LOG)), 401, "not_authenticated")
    assert_problem(api.get(GATHER), 401, "not_authenticated")


@pytest.mark.parametrize("key", ["", " ", "a b", "a\tb", "a\x7f", "\xfc", "x" * 256])
def test_a_malformed_idempotency_key_is_refused(ada: Api, key: str) -> None:
    join(ada, "timberhand")
    before = everything()
    answer = ada.call("POST", GATHER, {"resource_id": resource_id(LOG)}, Idempotency_Key=key)
    assert_problem(answer, 400, "invalid", "Idempotency-Key")
    assert everything() == before


@pytest.mark.parametrize("key", ["x", "!~", "4f1c2d9e-0000-4000-8000-000000000000", "x" * 255])
def test_a_well_formed_idempotency_key_is_accepted(ada: Api, key: str) -> None:
    join(ada, "timberhand")
    answer = ada.call("POST", GATHER, {"resource_id": resource_id(LOG)}, Idempotency_Key=key)
    assert answer.status_code == 200
