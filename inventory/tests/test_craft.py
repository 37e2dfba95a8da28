"""POST /api/craft: a batch of attempts at a recipe."""

from decimal import Decimal
from typing import Any

import pytest

from accounts.models import Player
from bcraftd import randomness
from inventory.models import MAX_AMOUNT, ItemMovement, PlayerProfession, Recipe, Resource
from inventory.tests.support import (
    NO_BODIES,
    NO_IDS,
    assert_conserved,
    conditions,
    everything,
    join,
    practise,
)
from tests.support import Api, assert_problem, queries, recipe_id, resource_id, written

CRAFT = "/api/craft"
PLANKS = "saw-mutterwood-planks"
GLUE = "boil-resin-into-grudge-glue"


@pytest.fixture
def sawyer(ada: Api) -> Api:
    """A player who has joined the Sawyers, in neutral weather, with three hundred logs: a hundred attempts."""
    conditions()
    join(ada, "sawyer")
    ada.grant(mutterwood_log=300)
    return ada


def rate(value: str, slug: str = PLANKS) -> None:
    """The recipe succeeds this often from now on."""
    recipe = Recipe.objects.get(slug=slug)
    recipe.success_rate = Decimal(value)
    recipe.save()


def craft(player: Api, slug: str = PLANKS, quantity: int = 1, seed: int = 1) -> dict[str, Any]:
    with randomness.fixed(seed):
        answer = player.post(CRAFT, recipe_id=recipe_id(slug), quantity=quantity)
    assert answer.status_code == 200, answer.content
    return dict(answer.json())


def produced(answer: dict[str, Any]) -> int:
    return sum(row["quantity"] for row in answer["produced"])


def test_it_says_what_it_took_and_what_it_made(sawyer: Api) -> None:
    rate("1")
    assert craft(sawyer, quantity=4) == {
        "status": "success", "recipe_id": recipe_id(PLANKS), "attempts": 4, "successes": 4,
        "produced": [{"resource_id": resource_id("mutterwood-plank"), "quantity": 8}],
        "consumed": [{"resource_id": resource_id("mutterwood-log"), "quantity": 12}],
        "experience_gained": 40, "profession_level": 1, "level": 1,
    }  # fmt: skip
    assert (sawyer.holds("mutterwood-log"), sawyer.holds("mutterwood-plank")) == (288, 8)
    me = sawyer.get("/api/auth/me").json()
    assert (me["experience"], me["professions"][0]["experience"]) == (40, 40)
    assert me["statistics"]["items_crafted"] == 8
    moved = ItemMovement.objects.filter(player_id=sawyer.id).order_by("pk")
    recipe = f"recipe:{recipe_id(PLANKS)}"
    assert list(moved.values_list("reason", "quantity", "reference")) == [
        ("grant", 300, ""), ("craft_in", -12, recipe), ("craft_out", 8, recipe),
    ]  # fmt: skip
    assert_conserved()


def test_one_attempt_is_made_where_no_quantity_is_named(sawyer: Api) -> None:
    answer = sawyer.post(CRAFT, recipe_id=recipe_id(PLANKS)).json()
    assert (answer["attempts"], answer["consumed"][0]["quantity"]) == (1, 3)


def test_every_ingredient_is_consumed_and_none_of_another_recipe(sawyer: Api) -> None:
    practise(sawyer, "sawyer", 4)
    sawyer.grant(amberweep_resin=5, gossip_birch_bark=10)
    assert craft(sawyer, GLUE, 5)["consumed"] == [
        {"resource_id": resource_id("amberweep-resin"), "quantity": 5},
        {"resource_id": resource_id("gossip-birch-bark"), "quantity": 10},
    ]
    held = [sawyer.holds(slug) for slug in ("amberweep-resin", "gossip-birch-bark", "mutterwood-log")]
    assert held == [0, 0, 300]
    assert_conserved()


def test_failed_attempts_consume_too_and_teach_and_make_nothing(sawyer: Api) -> None:
    rate("0.001")
    answer = craft(sawyer, quantity=10)
    assert answer["successes"] == 0
    assert answer["status"] == "success"
    assert answer["produced"] == []
    assert answer["consumed"] == [{"resource_id": resource_id("mutterwood-log"), "quantity": 30}]
    assert answer["experience_gained"] == 0
    assert (sawyer.holds("mutterwood-log"), sawyer.holds("mutterwood-plank")) == (270, 0)
    me = sawyer.get("/api/auth/me").json()
    assert (me["experience"], me["statistics"]["items_crafted"]) == (0, 0)
    assert not ItemMovement.objects.filter(reason="craft_out").exists()
    assert_conserved()


def test_the_success_rate_decides_each_attempt_by_itself(sawyer: Api) -> None:
    rate("0.5")
    with randomness.fixed(11) as chance:
        successes = sum(chance.random() < 0.5 for _ in range(100))
    assert 0 < successes < 100
    answer = craft(sawyer, quantity=100, seed=11)
    assert (answer["successes"], produced(answer)) == (successes, 2 * successes)
    assert answer["consumed"][0]["quantity"] == 300
    assert answer["experience_gained"] == 10 * successes
    assert sawyer.holds("mutterwood-log") == 0


@pytest.mark.parametrize(
    ("season", "weather", "level", "factor"),
    [("2", "1", 1, 2), ("1", "3", 1, 3), ("2", "3", 1, 6), ("1", "1", 50, 2), ("2", "3", 50, 12), ("2", "2", 25, 5)],
)
def test_season_weather_and_mastery_multiply_what_is_made_and_nothing_else(
    sawyer: Api, season: str, weather: str, level: int, factor: int
) -> None:
    rate("1")
    conditions(season=season, crafting=weather, gathering="9")
    practise(sawyer, "sawyer", level)
    answer = craft(sawyer, quantity=3)
    assert produced(answer) == 3 * 2 * factor
    assert answer["consumed"][0]["quantity"] == 9
    assert answer["experience_gained"] == 30


def test_amounts_are_whole_and_the_fraction_is_the_chance_of_one_more(sawyer: Api) -> None:
    rate("1")
    conditions(crafting="0.25")
    amounts = set()
    for seed in range(12):
        with randomness.fixed(seed) as chance:
            chance.random()
            expected = int(chance.random() < 0.5)
        answer = craft(sawyer, seed=seed)
        assert produced(answer) == expected
        assert (answer["produced"] == []) == (expected == 0)
        amounts.add(expected)
    assert amounts == {0, 1}
    assert_conserved()


def test_what_is_made_of_itself_comes_out_right(sawyer: Api) -> None:
    rate("1")
    recipe = Recipe.objects.get(slug=PLANKS)
    recipe.output_resource_id = resource_id("mutterwood-log")
    recipe.save()
    craft(sawyer, quantity=100)
    assert sawyer.holds("mutterwood-log") == 200
    assert_conserved()


def test_a_level_is_gained_at_its_experience_and_works_from_the_next_batch_on(sawyer: Api) -> None:
    rate("1")
    assert craft(sawyer, quantity=9)["profession_level"] == 1
    answer = craft(sawyer, quantity=1)
    assert (answer["profession_level"], answer["level"]) == (2, 2)
    practise(sawyer, "sawyer", 14)
    conditions(crafting="10")
    recipe = Recipe.objects.get(slug=PLANKS)
    recipe.base_experience = 1400
    recipe.save()
    novice = craft(sawyer, quantity=1)
    assert (produced(novice), novice["profession_level"]) == (20, 15)
    assert produced(craft(sawyer, quantity=1)) == 22


def test_a_batch_asks_postgresql_no_more_than_it_needs(sawyer: Api) -> None:
    rate("1")
    sawyer.grant(mutterwood_plank=1)
    recipe = recipe_id(PLANKS)

    # The player locked; the recipe; the profession; the ingredients; weather and season; what goes in and
    # what comes out moved; the statistics; both experiences.
    with queries() as sql:
        sawyer.post(CRAFT, recipe_id=recipe)

    assert len(sql) == 11, "\n".join(sql)


def test_the_experience_of_a_failed_batch_is_not_even_written(sawyer: Api) -> None:
    rate("0.001")
    with queries() as sql:
        craft(sawyer, quantity=10)
    assert written(sql, PlayerProfession) == written(sql, Player) == []


def test_a_recipe_may_teach_as_little_as_one(sawyer: Api) -> None:
    rate("1")
    recipe = Recipe.objects.get(slug=PLANKS)
    recipe.base_experience = 1
    recipe.save()
    craft(sawyer)
    me = sawyer.get("/api/auth/me").json()
    assert (me["experience"], me["professions"][0]["experience"]) == (1, 1)


# --- Refusals: nothing has happened --------------------------------------------------------------------------


@pytest.mark.parametrize("quantity", [0, -1, 101, True, "1", 1.0, 1.5, None, [], 10**30, "\x00", "\ud800"], ids=repr)
def test_a_batch_has_one_to_a_hundred_attempts(sawyer: Api, quantity: Any) -> None:
    before = everything()
    answer = sawyer.post(CRAFT, recipe_id=recipe_id(PLANKS), quantity=quantity)
    assert_problem(answer, 400, "invalid", "quantity")
    assert everything() == before


@pytest.mark.parametrize("quantity", [1, 100])
def test_one_and_a_hundred_attempts_are_fine(sawyer: Api, quantity: int) -> None:
    assert craft(sawyer, quantity=quantity)["attempts"] == quantity


def test_a_batch_is_paid_for_whole_or_not_at_all(sawyer: Api) -> None:
    practise(sawyer, "sawyer", 4)
    sawyer.grant(amberweep_resin=3, gossip_birch_bark=5)
    before = everything()
    answer = sawyer.post(CRAFT, recipe_id=recipe_id(GLUE), quantity=3)
    bark = resource_id("gossip-birch-bark")
    assert_problem(answer, 409, "insufficient_items", says=f"takes 6 of resource {bark}; 5 are there")
    assert everything() == before
    assert craft(sawyer, GLUE, 2)["attempts"] == 2


def test_nobody_crafts_from_what_is_listed_on_the_market(sawyer: Api) -> None:
    sawyer.sells("mutterwood-log", 298, 1)
    before = everything()
    assert_problem(sawyer.post(CRAFT, recipe_id=recipe_id(PLANKS)), 409, "insufficient_items")
    assert everything() == before


@pytest.mark.parametrize(
    ("slug", "code"),
    [("whittle-a-mutterwood-mallet", "profession_required"), ("press-gossip-paper", "level_too_low")],
)
def test_what_the_player_has_not_learned_is_refused(sawyer: Api, bob: Api, slug: str, code: str) -> None:
    join(bob, "toolwright", "sawyer")
    practise(bob, "sawyer", 50)
    sawyer.grant(gossip_birch_bark=3)
    before = everything()
    recipe = Recipe.objects.get(slug=slug)
    answer = sawyer.post(CRAFT, recipe_id=recipe.pk)
    assert_problem(answer, 409, code, says="level 3; yours is 1" if code == "level_too_low" else recipe.profession_id)
    assert everything() == before


def test_the_required_level_itself_is_enough(sawyer: Api) -> None:
    sawyer.grant(gossip_birch_bark=3)
    practise(sawyer, "sawyer", 2)
    assert_problem(sawyer.post(CRAFT, recipe_id=recipe_id("press-gossip-paper")), 409, "level_too_low")
    practise(sawyer, "sawyer", 3)
    assert craft(sawyer, "press-gossip-paper")["attempts"] == 1


def test_an_unknown_recipe_is_not_found(sawyer: Api) -> None:
    before = everything()
    for unknown in (Recipe.objects.latest("pk").pk + 1, 2**63 - 1):
        assert_problem(sawyer.post(CRAFT, recipe_id=unknown), 404, "not_found", says=unknown)
    assert everything() == before


def test_a_holding_that_would_pass_its_limit_is_refused_and_nothing_is_consumed(sawyer: Api) -> None:
    rate("1")
    sawyer.grant(mutterwood_plank=MAX_AMOUNT - 1)
    before = everything()
    assert_problem(sawyer.post(CRAFT, recipe_id=recipe_id(PLANKS)), 409, "balance_limit")
    assert everything() == before


@pytest.mark.parametrize("value", NO_IDS, ids=repr)
def test_what_is_no_id_is_refused(ada: Api, value: Any) -> None:
    assert_problem(ada.post(CRAFT, recipe_id=value), 400, "invalid", "recipe_id")


@pytest.mark.parametrize(("raw", "code"), NO_BODIES, ids=lambda value: repr(value)[:20])
def test_what_is_no_body_is_refused(ada: Api, raw: bytes, code: str) -> None:
    assert_problem(ada.call("POST", CRAFT, raw=raw), 400, code)


def test_unknown_fields_parameters_and_malformed_keys_are_refused(sawyer: Api, api: Api) -> None:
    recipe = recipe_id(PLANKS)
    before = everything()
    assert_problem(sawyer.post(CRAFT, recipe_id=recipe, attempts=5), 400, "invalid", "attempts")
    assert_problem(sawyer.post(f"{CRAFT}?quantity=2", recipe_id=recipe), 400, "invalid", "quantity")
    for key in ("", "a b", "x" * 256):
        answer = sawyer.call("POST", CRAFT, {"recipe_id": recipe}, Idempotency_Key=key)
        assert_problem(answer, 400, "invalid", "Idempotency-Key")
    assert_problem(api.post(CRAFT, recipe_id=recipe), 401, "not_authenticated")
    assert everything() == before
    assert sawyer.call("POST", CRAFT, {"recipe_id": recipe}, Idempotency_Key="x" * 255).status_code == 200


def test_a_resource_that_cannot_be_traded_can_be_made(ada: Api) -> None:
    conditions()
    join(ada, "galleykeep")
    practise(ada, "galleykeep", 10)
    rate("1", "simmer-clam-chowder")
    ada.grant(mumble_clam=2, puddle_sprat=1, kneesalt=1)
    assert not Resource.objects.get(slug="clam-chowder").tradeable
    assert produced(craft(ada, "simmer-clam-chowder")) == 1
