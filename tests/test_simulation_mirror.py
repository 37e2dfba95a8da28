"""What a bot takes for a violation: whatever contradicts the answers before it, and nothing else."""

from typing import Any

import pytest

from bcraftd.simulation.habits import Action
from bcraftd.simulation.mirror import Mirror
from bcraftd.simulation.tally import Latencies, Tally

ME, INVENTORY, MINE = Action("me", "GET", ""), Action("inventory", "GET", ""), Action("mine", "GET", "")
MARKET = Action("market", "GET", "", about=1)
GATHER = Action("gather", "POST", "", {}, 1)
LIST = Action("list", "POST", "", {"quantity": 4, "unit_price": 9}, 1)
BUY = Action("buy", "POST", "", {"quantity": 2}, 50)
CANCEL = Action("cancel", "POST", "", {}, 60)
CRAFT = Action("craft", "POST", "", {}, 3)


def me(coins: int) -> dict[str, Any]:
    return {"id": 7, "coins": coins, "professions": [{"id": 2}]}


def holding(**quantities: int) -> dict[str, Any]:
    return {"inventory": [{"resource_id": int(name[1:]), "quantity": each} for name, each in quantities.items()]}


def listing(number: int = 60, status: str = "active", remaining: int = 4) -> dict[str, Any]:
    return {"id": number, "resource_id": 1, "quantity": 4, "unit_price": 9, "remaining": remaining, "status": status,
            "seller_id": 7}  # fmt: skip


def bought(coins: int, **other: Any) -> dict[str, Any]:
    trade = {"id": 1, "listing_id": 50, "buyer_id": 7, "resource_id": 1, "quantity": 2, "unit_price": 10,
             "total_price": 20, **other}  # fmt: skip
    return {"trade": trade, "coins": coins}


@pytest.fixture
def mirror() -> Mirror:
    """Of a bot with 100 coins and ten of resource 1."""
    made = Mirror()
    assert made.look(ME, me(100)) == []
    assert made.look(INVENTORY, holding(r1=10)) == []
    return made


def test_a_game_in_which_all_is_well_has_none(mirror: Mirror) -> None:
    steps: list[tuple[Action, Any]] = [
        (GATHER, {"resource_id": 1, "quantity": 3}),
        (INVENTORY, holding(r1=13)),
        (CRAFT, {"recipe_id": 3, "consumed": [{"resource_id": 1, "quantity": 6}],
                 "produced": [{"resource_id": 2, "quantity": 2}]}),
        (INVENTORY, holding(r1=7, r2=2)),
        (LIST, listing()),
        (INVENTORY, holding(r1=3, r2=2)),
        (MINE, {"listings": [listing(remaining=3)], "next": None}),
        # Somebody has bought one.
        (ME, me(109)),
        (BUY, bought(89)),
        (MARKET, {"listings": [listing(70), listing(remaining=3)], "next": None}),
        (CANCEL, listing(status="cancelled", remaining=3)),
        (INVENTORY, holding(r1=8, r2=2)),
        (MINE, {"listings": [listing(status="cancelled", remaining=3)], "next": None}),
    ]  # fmt: skip
    for action, body in steps:
        assert mirror.look(action, body) == [], action
    assert mirror.seen.coins == 89
    assert mirror.seen.active == []


def test_a_holding_is_exactly_what_the_bots_own_calls_have_made_of_it(mirror: Mirror) -> None:
    mirror.look(GATHER, {"resource_id": 1, "quantity": 3})

    assert mirror.look(INVENTORY, holding(r1=10)) == ["there are 10 of resource 1, and should be 13"]
    # Told once, and then believed.
    assert mirror.look(INVENTORY, holding(r1=10)) == []
    assert mirror.look(INVENTORY, holding(r1=10, r2=1)) == ["there are 1 of resource 2, and should be 0"]
    assert mirror.look(INVENTORY, holding()) == [
        "there are 0 of resource 1, and should be 10", "there are 0 of resource 2, and should be 1"
    ]  # fmt: skip
    assert "there are -1 of resource 1" in mirror.look(INVENTORY, holding(r1=-1))


def test_coins_may_be_more_than_known_and_never_less(mirror: Mirror) -> None:
    assert mirror.look(ME, me(150)) == []
    assert mirror.look(ME, me(149)) == ["there are 149 coins, and should be 150 or more"]
    assert mirror.look(BUY, bought(129)) == []
    assert mirror.look(BUY, bought(108)) == ["there are 108 coins, and should be 109 or more"]
    assert mirror.look(ME, me(-1))[0] == "there are -1 coins"


@pytest.mark.parametrize(
    "other", [{"listing_id": 51}, {"buyer_id": 8}, {"quantity": 3, "total_price": 30}, {"total_price": 21}]
)
def test_a_purchase_is_of_what_was_asked_for(mirror: Mirror, other: dict[str, Any]) -> None:
    found = mirror.look(BUY, bought(70, **other))
    assert any("trade 1 is of" in each for each in found)


def test_own_listings_are_there_and_only_shrink_and_never_open_again(mirror: Mirror) -> None:
    mirror.look(LIST, listing())

    assert mirror.look(MINE, {"listings": [], "next": None}) == ["listing 60 is not there"]
    # Further back than the page goes.
    assert mirror.look(MINE, {"listings": [listing(90)], "next": "more"}) == []
    assert mirror.look(MINE, {"listings": [listing(90), listing(remaining=2)], "next": None}) == []
    told = mirror.look(MINE, {"listings": [listing(90), listing(remaining=3)], "next": None})
    assert told == ["listing 60 is active with 3 left, and was active with 2"]
    mirror.look(MINE, {"listings": [listing(90), listing(status="sold", remaining=0)], "next": None})
    assert mirror.look(MARKET, {"listings": [listing()], "next": None}) == ["listing 60 is for sale, and is sold"]
    told = mirror.look(MINE, {"listings": [listing(90), listing()], "next": None})
    assert told == ["listing 60 is active with 4 left, and was sold with 0"]


def test_a_market_shows_the_cheapest_of_its_resource_first(mirror: Mirror) -> None:
    dear = {**listing(70), "unit_price": 20}
    assert mirror.look(MARKET, {"listings": [dear, listing(71)], "next": None}) == [
        "the cheapest listings do not come first"
    ]
    other = {**listing(72), "resource_id": 2}
    assert mirror.look(MARKET, {"listings": [other], "next": None}) == ["listing 72 is of another resource"]
    empty = listing(73, remaining=0)
    assert mirror.look(MARKET, {"listings": [empty], "next": None}) == ["listing 73 has 0 left"]


@pytest.mark.parametrize("body", [None, [], {}, "text", {"inventory": None}, {"inventory": [{"quantity": "many"}]}])
def test_a_body_that_is_none_of_its_kind_is_told(mirror: Mirror, body: Any) -> None:
    assert mirror.look(INVENTORY, body)[0].startswith("the body is not that of inventory")
    assert (mirror.look(Action("sky", "GET", ""), body) == []) == isinstance(body, dict)


def test_after_an_answer_that_nobody_understands_nothing_is_known_until_the_next_look(mirror: Mirror) -> None:
    mirror.look(LIST, listing())
    mirror.doubt()

    assert mirror.look(INVENTORY, holding(r1=1)) == []
    assert mirror.look(ME, me(1)) == []
    assert mirror.look(MINE, {"listings": [], "next": None}) == []
    assert mirror.look(INVENTORY, holding(r1=2)) == ["there are 2 of resource 1, and should be 1"]


def test_latencies_are_known_to_two_percent() -> None:
    latencies = Latencies()
    assert latencies.percentiles() == {"p50": None, "p95": None, "p99": None}
    for each in range(1, 1001):
        latencies.add(each)
    for name, exact in {"p50": 500, "p95": 950, "p99": 990}.items():
        assert latencies.percentiles()[name] == pytest.approx(exact, rel=0.025)


def test_every_second_is_in_the_timeline_also_an_empty_one() -> None:
    now = [0.0]
    tally = Tally(lambda: now[0])
    tally.answered("me", 200, 0.01, cache="HIT")
    tally.answered("me", 503, 0.01, code="service_unavailable")
    now[0] = 2.5
    tally.answered("buy", 500, 0.01, code="internal_error")
    tally.broken("buy")
    tally.violation("bot", "buy", "a sentence")

    nothing = {"requests": 0, "server_errors": 0, "unavailable": 0, "broken": 0, "violations": 0}
    assert tally.timeline() == [
        {"second": 0, **nothing, "requests": 2, "unavailable": 1},
        {"second": 1, **nothing},
        {"second": 2, **nothing, "requests": 1, "server_errors": 1, "broken": 1, "violations": 1},
    ]
    summary = tally.summary()
    assert summary["hit_rate"] == 1
    assert summary["statuses"] == {"200": 1, "500": 1, "503": 1}
    assert summary["errors"] == {"internal_error": 1, "no_answer": 1, "service_unavailable": 1}
    assert summary["violations"] == [{"second": 2.5, "player": "bot", "action": "buy", "detail": "a sentence"}]
