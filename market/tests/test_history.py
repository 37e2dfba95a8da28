"""GET /api/market/resources/{id}/history: trades as candles."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from market.models import Listing
from market.tests.support import traded
from tests.support import Api, assert_problem, queries, resource_id

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)


def _path(slug: str = "mutterwood-log") -> str:
    return f"/api/market/resources/{resource_id(slug)}/history"


@pytest.fixture
def listing(ada: Api) -> Listing:
    """What the trades are out of."""
    ada.grant(mutterwood_log=9)
    return Listing.objects.get(pk=ada.sells("mutterwood-log", 9, 12)["id"])


def _candle(time: str, *numbers: int) -> dict[str, Any]:
    return {"time": f"{time}.000000Z", **dict(zip(("open", "high", "low", "close", "volume"), numbers, strict=True))}


@pytest.fixture
def three_days(listing: Listing, bob: Api) -> None:
    """Trades written in another order than they happened in, the last two at the same moment."""
    for minutes, quantity, price in [
        (59.99, 1, 30),
        (0, 2, 20),
        (30, 3, 50),
        (31, 4, 10),
        (60, 5, 60),
        (24 * 60, 6, 70),
        (47 * 60, 7, 90),
        (47 * 60, 8, 80),
    ]:
        traded(listing, bob, quantity, price, NOON + timedelta(minutes=minutes))


def test_each_hour_with_trades_has_a_candle_oldest_first(three_days: None, api: Api) -> None:
    path = _path()
    # Queries: whether the resource exists, the candles.
    with queries() as sql:
        answer = api.get(path)

    assert len(sql) == 2
    assert answer.json() == {
        "resource_id": resource_id("mutterwood-log"),
        "interval": "hour",
        "candles": [
            # Opened by the first and closed by the last by time, whatever was written first.
            _candle("2026-03-10T12:00:00", 20, 50, 10, 30, 10),
            _candle("2026-03-10T13:00:00", 60, 60, 60, 60, 5),
            _candle("2026-03-11T12:00:00", 70, 70, 70, 70, 6),
            # At the same moment the id decides.
            _candle("2026-03-12T11:00:00", 90, 90, 80, 80, 15),
        ],
    }


def test_a_day_begins_at_midnight_utc(three_days: None, listing: Listing, bob: Api) -> None:
    traded(listing, bob, 1, 99, datetime(2026, 3, 10, 23, 59, 59, 999999, tzinfo=UTC))
    traded(listing, bob, 1, 1, datetime(2026, 3, 11, tzinfo=UTC))

    answer = bob.get(f"{_path()}?interval=day").json()

    assert answer["interval"] == "day"
    assert answer["candles"] == [
        _candle("2026-03-10T00:00:00", 20, 99, 10, 99, 16),
        _candle("2026-03-11T00:00:00", 1, 70, 1, 70, 7),
        _candle("2026-03-12T00:00:00", 90, 90, 80, 80, 15),
    ]


def test_the_limit_keeps_the_newest(three_days: None, api: Api) -> None:
    for limit, expected in ((1, [12]), (2, [11, 12]), (100, [10, 11, 12])):
        candles = api.get(f"{_path()}?interval=day&limit={limit}").json()["candles"]
        assert [int(candle["time"][8:10]) for candle in candles] == expected


def test_fifty_are_given_unless_said_otherwise(listing: Listing, bob: Api) -> None:
    for hour in range(52):
        traded(listing, bob, 1, hour + 1, NOON + timedelta(hours=hour))

    candles = bob.get(_path()).json()["candles"]

    assert [candle["open"] for candle in candles] == list(range(3, 53))


def test_a_sale_is_in_the_very_next_answer(listing: Listing, bob: Api) -> None:
    assert bob.get(_path()).json()["candles"] == []

    bob.post(f"/api/market/listings/{listing.pk}/buy", quantity=2)

    (candle,) = bob.get(_path()).json()["candles"]
    assert (candle["open"], candle["close"], candle["volume"]) == (12, 12, 2)


def test_other_resources_have_their_own(three_days: None, api: Api) -> None:
    assert api.get(_path("yawnwort")).json()["candles"] == []


def test_an_unknown_resource_is_not_found(api: Api) -> None:
    for unknown in ("999999", "9223372036854775807", "9223372036854775808", "0", "x"):
        assert_problem(api.get(f"/api/market/resources/{unknown}/history"), 404, "not_found")


def test_a_bad_query_is_refused(api: Api) -> None:
    for query, field in [
        ("interval=minute", "interval"),
        ("interval=", "interval"),
        ("interval=day'--", "interval"),
        ("interval=%00", "interval"),
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("limit=" + "9" * 31, "limit"),
        ("cursor=x", "cursor"),
        ("limit=1&limit=1", "limit"),
    ]:
        assert_problem(api.get(f"{_path()}?{query}"), 400, "invalid", field)
