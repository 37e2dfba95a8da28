"""Somebody who makes up query strings fills their own share of a key, not Redis, and pushes nobody else's page out."""

from typing import Any

import pytest

from bcraftd.cache import scripts, store
from inventory.cache import PROFESSIONS, RECIPES, RESOURCES
from leaderboard.cache import BOARD
from market.cache import LISTINGS
from tests.support import Api

pytestmark = pytest.mark.usefixtures("world")

LIST = "/api/market/listings"
KEY = "market:listings:active:all"


def outcome(api: Api, path: str) -> Any:
    """How the second of two reads was answered."""
    api.get(path)
    return api.get(path)["X-Cache"]


def variants() -> int:
    return store.client().hlen(KEY)


@pytest.mark.parametrize(
    ("entry", "variant", "usual"),
    [
        (LISTINGS, {"ordering": "unit_price", "limit": 50}, True),
        (LISTINGS, {"ordering": "-created_at", "limit": 50, "min_price": None, "cursor": None}, True),
        (LISTINGS, {"ordering": "unit_price", "limit": 49}, False),
        (LISTINGS, {"ordering": "unit_price", "limit": 50, "min_price": 0}, False),
        (LISTINGS, {"ordering": "unit_price", "limit": 50, "cursor": "abc"}, False),
        (LISTINGS, {"ordering": "unit_price", "limit": 50, "seller_id": 1}, False),
        (BOARD, {"sort": "coins", "limit": 100, "offset": 0}, True),
        (BOARD, {"sort": "coins", "limit": 100, "offset": 100}, False),
        (RESOURCES, {"kind": "wood", "rarity": None, "gatherable": False}, True),
        (RESOURCES, {"id": 1}, False),
        (RECIPES, {"profession_id": None}, True),
        (RECIPES, {"profession_id": 3}, False),
        (PROFESSIONS, {}, True),
    ],
)
def test_usual_is_what_nobody_has_to_make_up(entry: Any, variant: dict[str, Any], usual: bool) -> None:
    assert entry.is_usual(variant) is usual


def test_made_up_variants_share_a_cap(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scripts, "MAX_VARIANTS", 5)
    made_up = [outcome(api, f"{LIST}?min_price={price}") for price in range(10)]
    assert made_up == ["HIT"] * 5 + ["MISS"] * 5
    assert variants() == 5

    usual = [outcome(api, f"{LIST}?ordering={ordering}") for ordering in ("unit_price", "-unit_price", "created_at")]
    assert usual == ["HIT"] * 3
    assert variants() == 8
    # What is stored already may be stored again.
    assert api.get(f"{LIST}?min_price=0")["X-Cache"] == "HIT"


def test_made_up_variants_share_bytes(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    # An empty page takes some 150 bytes with its name and its stamp.
    monkeypatch.setattr(scripts, "MAX_MADE_UP_BYTES", 1500)
    made_up = [outcome(api, f"{LIST}?max_price={price}") for price in range(20)]
    assert made_up[0] == "HIT"
    assert made_up[-1] == "MISS"
    assert 5 < variants() < 15
    assert outcome(api, LIST) == "HIT"


def test_the_caps_hold_a_key_below_a_few_megabytes() -> None:
    assert scripts.caps(usual=False) == [200, 4 * 1024 * 1024]
    assert scripts.caps(usual=True) == [400, 0]
