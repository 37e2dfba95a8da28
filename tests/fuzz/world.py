"""What the fuzzer plays in: a player with coins, items and professions, others to trade with, and tokens.

Requests hold stand-ins of fixed texts; the door puts in the real ones as they pass. So what is drawn from a seed does
not depend on tokens, and nobody's token ends with a logout that was drawn.
"""

import hashlib
import time
from typing import Any

from django.contrib.auth.hashers import make_password
from django.db import connection
from django.db.models import QuerySet

from accounts import services as accounts
from accounts.models import Player
from accounts.tokens import TokenPair
from bcraftd import schedules
from bcraftd.cache import store
from environment.seeding import environment_seed
from inventory import services as inventory
from inventory.models import Profession, Recipe, RecipeIngredient, Resource
from inventory.seeding import catalogue_seed
from leaderboard.services import leaderboard_refresh
from market import services as market
from market.models import Listing
from tests.support import clean_world

PASSWORD = "correct horse battery staple"
TOKEN = "stand-in.for.an-access-token"
REFRESH_TOKEN = "stand-in.for.a-refresh-token"
SESSION = "stand-in-for-a-session-of-the-players-own-_"
# An access token lives 15 minutes.
TOKEN_SECONDS = 300.0
MUCH = 10**6

# What a refused call must not have changed: every table that a call writes, by its rows. Views and last use are
# written behind, and the session of a good token is slid on by every call.
_TABLES = (
    "accounts_ledgerentry", "accounts_ledgertransfer", "accounts_playerstatistics", "inventory_inventoryitem",
    "inventory_itemmovement", "inventory_playerprofession", "market_trade", "bcraftd_idempotencykey",
)  # fmt: skip
_STATE = " UNION ALL ".join(
    [f"SELECT md5(string_agg(t::text, ',' ORDER BY t::text)) FROM {name} t" for name in _TABLES]
    + [
        "SELECT md5(string_agg((to_jsonb(t) - 'views')::text, ',' ORDER BY id)) FROM market_listing t",
        "SELECT md5(string_agg((to_jsonb(t) - 'last_seen_at')::text, ',' ORDER BY id)) FROM accounts_playersession t",
        "SELECT md5(string_agg(t::text, ',' ORDER BY id)) FROM accounts_player t",
    ]
)


def snapshot() -> str:
    """A digest of everything that calls change."""
    with connection.cursor() as cursor:
        cursor.execute(_STATE)
        return hashlib.sha256(repr(cursor.fetchall()).encode()).hexdigest()


def next_transaction() -> str:
    """The number that the next writing transaction will have: while it stays, nothing was written."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_snapshot_xmax(pg_current_snapshot())::text")
        return str(cursor.fetchone()[0])


def _start_anew() -> None:
    """An empty world whose ids begin at 1 again, so that a seed draws the same requests everywhere."""
    clean_world()
    with connection.cursor() as cursor:
        cursor.execute("SELECT quote_ident(sequencename) FROM pg_sequences WHERE schemaname = 'public'")
        for (name,) in cursor.fetchall():
            cursor.execute(f"ALTER SEQUENCE {name} RESTART")
    catalogue_seed()
    environment_seed()
    schedules.upsert()
    store.client().flushdb()


def _player(login: str, professions: list[Profession]) -> Player:
    player = accounts.player_register(login=login, email=f"{login}@example.org", password=PASSWORD)
    for profession in professions:
        inventory.profession_join(player_id=player.pk, profession_id=profession.pk)
    items = {resource.slug: MUCH for resource in Resource.objects.all()}
    inventory.player_grant(login=login, coins=10**12, items=items)
    return player


class World:
    """The players, what is good to name in a request, and the way to live tokens."""

    def __init__(self) -> None:
        _start_anew()
        self.recipe = Recipe.objects.order_by("required_level", "pk")[0]
        self.gathered = Resource.objects.filter(gatherable=True).order_by("pk")[0]
        trades = [self.recipe.profession, self.gathered.profession]
        self.player = _player("fuzzer", [trade for trade in trades if trade is not None])
        self.other = _player("trader", [])
        # Whose password changes, and whose sessions end with it.
        self.changeling = _player("changeling", [])
        self._trade()
        leaderboard_refresh(wait=True)
        ingredients = RecipeIngredient.objects.filter(recipe=self.recipe).values_list("resource_id", flat=True)
        # By the names that the schema gives them: what names something in this world, the best for a good call first.
        self.values: dict[str, list[Any]] = {
            "listing_id": [*self.offers, *self.own],
            "resource_id": [self.gathered.pk, *ingredients],
            "recipe_id": [self.recipe.pk],
            "profession_id": [trade.pk for trade in Profession.objects.order_by("pk")],
            "player_id": [self.player.pk, self.other.pk],
            "seller_id": [self.player.pk, self.other.pk],
            "session_id": [SESSION],
        }
        self._hash = make_password(PASSWORD)
        self._session: TokenPair | None = None
        self._opened = 0.0

    def _trade(self) -> None:
        """Listings in every status, and trades both ways."""
        goods = list(Resource.objects.filter(tradeable=True).order_by("pk")[:8])
        self.offers: list[int] = []
        self.own: list[int] = []
        for seller, made in ((self.other, self.offers), (self.player, self.own)):
            for number, resource in enumerate(goods):
                listing = market.listing_create(
                    seller_id=seller.pk, resource_id=resource.pk, quantity=MUCH // 2, unit_price=number + 1
                )
                made.append(listing.pk)
        for buyer, listing_id in ((self.player, self.offers[0]), (self.other, self.own[0])):
            market.listing_buy(buyer_id=buyer.pk, listing_id=listing_id, quantity=3)
        market.listing_cancel(player_id=self.player.pk, listing_id=self.own.pop())
        market.listing_buy(buyer_id=self.player.pk, listing_id=self.offers.pop(), quantity=None)

    def cancellable(self) -> int:
        """An active listing of the player's own."""
        found = Listing.objects.filter(seller=self.player, status=Listing.Status.ACTIVE).values_list("pk", flat=True)
        if (first := found.first()) is not None:
            return int(first)
        goods = Resource.objects.filter(tradeable=True).order_by("pk")[0]
        made = market.listing_create(seller_id=self.player.pk, resource_id=goods.pk, quantity=1, unit_price=1)
        return int(made.pk)

    # --- Sessions ---------------------------------------------------------------------------------------------

    def opened(self, player: Player) -> TokenPair:
        """A new session."""
        fresh = Player.objects.get(pk=player.pk)
        return accounts.session_open(player=fresh, user_agent="fuzzer", address="127.0.0.1")

    def session(self) -> TokenPair:
        """The player's session, another one where it may have ended."""
        if self._session is None or time.monotonic() - self._opened > TOKEN_SECONDS:
            self._session, self._opened = self.opened(self.player), time.monotonic()
        return self._session

    def forget_session(self) -> None:
        """Somebody may have ended it."""
        self._session = None

    def restore_password(self) -> None:
        """The changeling's, without a word to anybody: its sessions live on."""
        QuerySet(Player).filter(pk=self.changeling.pk).update(password=self._hash)
