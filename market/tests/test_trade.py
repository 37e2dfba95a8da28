"""A whole trade across two players, seen from every side at the very next read."""

from tests.support import Api, resource_id


def test_a_trade_changes_everything_that_it_should_and_nothing_else(ada: Api, bob: Api) -> None:
    ada.grant(mutterwood_log=20)
    bob.grant(coins=500)
    wood = resource_id("mutterwood-log")
    pages = (f"/api/market/listings?resource_id={wood}", "/api/market/listings")
    for page in pages:
        assert bob.get(page).json()["listings"] == []

    listing = ada.sells("mutterwood-log", 20, 30)

    assert ada.holds("mutterwood-log") == 0
    for page in pages:
        assert [row["remaining"] for row in bob.get(page).json()["listings"]] == [20]
    assert bob.holds("mutterwood-log") == 0

    bought = bob.post(f"/api/market/listings/{listing['id']}/buy", quantity=7).json()

    assert bought["trade"]["total_price"] == 210
    assert bought["trade"]["fee"] == 10
    assert bought["coins"] == 1000 + 500 - 210 == bob.coins()
    assert ada.coins() == 1000 + 210 - 10
    assert bob.holds("mutterwood-log") == 7
    assert ada.holds("mutterwood-log") == 0
    for page in pages:
        assert [row["remaining"] for row in bob.get(page).json()["listings"]] == [13]

    rest = bob.post(f"/api/market/listings/{listing['id']}/buy").json()

    assert rest["trade"]["quantity"] == 13
    for page in pages:
        assert bob.get(page).json()["listings"] == []
    assert ada.get(f"/api/market/listings/{listing['id']}").json()["status"] == "sold"
    statistics = ada.get("/api/auth/me").json()["statistics"]
    assert (statistics["sales_count"], statistics["sales_value"]) == (2, 600)
