"""The API with defects built in: what granian serves where a run was asked for any (defects.py)."""

import os
from collections.abc import Callable, Iterable
from typing import Any

from django.db import connection

from bcraftd.wsgi import application

# Only now: bcraftd.wsgi has to set Django up before anything of the project can be imported.
from accounts import services as accounts  # isort: skip
from accounts.models import Player  # isort: skip
from bcraftd import idempotency  # isort: skip
from inventory.sql import ITEMS_MOVE  # isort: skip
from market import services as market  # isort: skip
from market.models import Listing  # isort: skip
from tests.economy.defects import DEFECTS  # isort: skip

__all__ = ["application"]


def _lock() -> None:
    def players(ids: Iterable[int]) -> dict[int, Player]:
        return {player.pk: player for player in Player.objects.filter(pk__in=set(ids)).order_by("pk")}

    accounts.players_lock = players
    with connection.cursor() as cursor:
        cursor.execute(ITEMS_MOVE.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION").replace(" FOR UPDATE", ""))
    market._locked = lambda listing_id: Listing.objects.get(pk=listing_id)


def _key() -> None:
    def once(*, perform: Callable[[], idempotency.Kept], **_: Any) -> idempotency.Kept:
        return perform()

    idempotency.once = once


def _return() -> None:
    give_back = market._give_back

    def everything(listing: Listing, status: str) -> None:
        listing.remaining = listing.quantity
        give_back(listing, status)

    market._give_back = everything


_HOW: dict[str, Callable[[], None]] = {"lock": _lock, "key": _key, "return": _return}
assert _HOW.keys() == DEFECTS.keys()
for _name in os.environ["ECONOMY_BROKEN"].split(","):
    _HOW[_name]()
