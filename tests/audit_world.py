"""Worlds for the economy's audit: one in which everything happened that can happen, and ways to spoil it by hand."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from accounts import services as accounts
from accounts.models import Player
from bcraftd import economy
from bcraftd.randomness import fixed
from inventory import services as inventory
from market import services as market
from market.models import Listing
from tests.support import Api, clean_world, profession_id, recipe_id, resource_id

LOG = "mutterwood-log"


@dataclass(frozen=True, kw_only=True)
class Corruption:
    """Something done by hand that a kind of check has to find.

    `named` is the beginning of the problem's sentence, with what `sql` returns of its first row. `without` is a CHECK
    constraint (table, name) that would not let it happen; `undo` puts back what is no row.
    """

    kind: str
    what: str
    sql: str
    named: str
    without: tuple[str, str] | None = None
    undo: str = ""

    def __str__(self) -> str:
        return f"{self.kind}: {self.what}"


def register(login: str) -> Api:
    """A player, who is not signed in: that would take longer than most of these tests."""
    player = accounts.player_register(login=login, email=f"{login}@example.org", password="correct horse battery")
    return Api(id=player.pk, login=login)


def everything_happens(ada: Api, bob: Api) -> None:
    """Every write of the economy, through its services: each listing has another end, and one goes on.

    Olga is an operator who has neither coins nor entries.
    """
    Player.objects.create_superuser("olga", "olga@example.org", "correct horse battery")
    for slug in ("timberhand", "sawyer"):
        inventory.profession_join(player_id=ada.id, profession_id=profession_id(slug))
    with fixed(7):
        while inventory.resource_gather(player_id=ada.id, resource_id=resource_id(LOG))["quantity"] == 0:
            pass
        ada.grant(coins=50, mutterwood_log=60)
        inventory.recipe_craft(player_id=ada.id, recipe_id=recipe_id("saw-mutterwood-planks"), attempts=5)
    sold, cancelled, expired, active = (offer(ada, quantity) for quantity in (5, 4, 3, 6))
    for listing, quantity in ((sold, 2), (sold, None), (cancelled, 1), (active, 1)):
        market.listing_buy(buyer_id=bob.id, listing_id=listing, quantity=quantity)
    market.listing_cancel(player_id=ada.id, listing_id=cancelled)
    Listing.objects.filter(pk=expired).update(expires_at=timezone.now())
    assert market.listings_expire() == 1


def offer(seller: Api, quantity: int, unit_price: int = 15) -> int:
    """A listing of logs: at 15, one of them is too little for a fee."""
    made = market.listing_create(
        seller_id=seller.id, resource_id=resource_id(LOG), quantity=quantity, unit_price=unit_price
    )
    return made.pk


def by_hand(statements: str) -> tuple[Any, ...]:
    """SQL of somebody who turned triggers and foreign keys off. Returns the first row that it gives."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(statements)
        return (cursor.fetchone() or ()) if cursor.description else ()


@contextmanager
def done(corruption: Corruption) -> Iterator[str]:
    """The corruption, and the beginning of the sentence that must name it. What is no row is as before afterwards."""
    definition = _dropped(*corruption.without) if corruption.without else ""
    try:
        yield corruption.named.format(*by_hand(corruption.sql))
    finally:
        if corruption.without:
            # No row may stand against the constraint when it comes back.
            clean_world()
            by_hand("ALTER TABLE {} ADD CONSTRAINT {} {}".format(*corruption.without, definition))
        if corruption.undo:
            by_hand(corruption.undo)


def _dropped(table: str, name: str) -> str:
    """Drops a constraint; returns its definition."""
    (definition,) = by_hand(f"SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = '{name}'")
    by_hand(f"ALTER TABLE {table} DROP CONSTRAINT {name}")
    return str(definition)


def problems(kind: str) -> list[str]:
    """What an audit says of a kind."""
    return [problem["detail"] for problem in economy.audit().problems if problem["kind"] == kind]
