"""GET /api/market/trades: what the player bought and sold, newest first."""

from collections.abc import Callable
from typing import Any

from market.models import Trade
from tests.support import Api, assert_problem, queries

PATH = "/api/market/trades"
LISTINGS = "/api/market/listings"


def _buy(buyer: Api, listing: dict[str, Any], quantity: int) -> dict[str, Any]:
    answer = buyer.post(f"{LISTINGS}/{listing['id']}/buy", quantity=quantity)
    assert answer.status_code == 200, answer.content
    return dict(answer.json()["trade"])


def test_buyer_and_seller_see_a_trade_and_nobody_else_does(ada: Api, bob: Api, sign_up: Callable[..., Api]) -> None:
    ada.grant(mutterwood_log=9)
    bob.grant(yawnwort=9)
    eve = sign_up("eve")
    logs, herbs = ada.sells("mutterwood-log", 9, 10), bob.sells("yawnwort", 9, 20)
    first = _buy(bob, logs, 2)
    second = _buy(ada, herbs, 1)
    third = _buy(eve, logs, 3)

    # Query: the page. The session comes from Redis.
    with queries() as sql:
        answer = ada.get(PATH)

    assert len(sql) == 1
    assert answer["Cache-Control"] == "no-store"
    assert answer.json() == {"trades": [third, second, first], "next": None}
    assert bob.get(PATH).json()["trades"] == [second, first]
    assert eve.get(PATH).json()["trades"] == [third]
    assert (first["buyer_id"], first["seller_id"], second["buyer_id"]) == (bob.id, ada.id, ada.id)


def test_who_has_not_traded_has_an_empty_list(ada: Api) -> None:
    assert ada.get(PATH).json() == {"trades": [], "next": None}


def test_pages_hold_each_trade_once_whatever_is_bought_in_between(ada: Api, bob: Api) -> None:
    ada.grant(mutterwood_log=50)
    listing = ada.sells("mutterwood-log", 50, 1)
    made = [_buy(bob, listing, 1)["id"] for _ in range(5)]

    seen: list[int] = []
    cursor = ""
    while True:
        page = ada.get(f"{PATH}?limit=2{cursor}").json()
        seen += [row["id"] for row in page["trades"]]
        _buy(bob, listing, 1)
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"

    assert seen == made[::-1]
    assert Trade.objects.count() == 5 + 3


def test_a_bad_query_is_refused(ada: Api) -> None:
    for query, field in [
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("limit=ten", "limit"),
        ("limit=" + "9" * 31, "limit"),
        ("cursor=nonsense", "cursor"),
        ("cursor=%00", "cursor"),
        ("player_id=1", "player_id"),
        ("limit=1&limit=2", "limit"),
    ]:
        assert_problem(ada.get(f"{PATH}?{query}"), 400, "invalid", field)


def test_nobody_signed_in_has_none(api: Api) -> None:
    assert_problem(api.get(PATH), 401, "not_authenticated")
