"""Putting batches into the database, each whole and in a transaction of its own.

Every constraint and every trigger of the tables looks at every row; none is switched off. What they put off until the
commit is done before it, so that the fences of what the batch makes stale stand for the commit alone. A process that
is killed leaves the batches that it has committed, and nothing of the one that it was at.
"""

import random
import secrets
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from io import BytesIO
from itertools import pairwise
from typing import Any

from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.db import IntegrityError, connection, transaction

from accounts.models import LedgerTransfer, Player
from bcraftd.cache import changed
from bcraftd.errors import Refusal
from bcraftd.population import goods, lives, rows
from bcraftd.population.lives import Draft
from bcraftd.transactions import unhurried
from leaderboard.services import leaderboard_refresh
from market.models import Listing, Trade

# Rows of the larger of players and listings in one batch: some tens of megabytes in this process, and a transaction
# of a few seconds.
BATCH = 10_000
# Connections that batches are written on at once: the work is PostgreSQL's, for which each is one process.
WRITERS = 2
# A batch trades within itself: it has to have so many players where there are so many.
LEAST_PLAYERS = 100
MOST_LISTINGS_EACH = 100
MOST = 10_000_000
# Bytes that are handed over at once.
CHUNK = 1 << 20
# A login that somebody chose by hand may be one of ours; with other ids the batch has others.
TRIES = 3

# From rows.STATISTICS.
_ADD_STATISTICS = """
UPDATE accounts_playerstatistics SET
    items_crafted = made.items_crafted, items_gathered = made.items_gathered, sales_count = made.sales_count,
    sales_value = made.sales_value, purchases_count = made.purchases_count, purchases_value = made.purchases_value
FROM populate_statistics made WHERE made.player_id = accounts_playerstatistics.player_id
"""
# As without the setting, whose absence each trigger of django-pgtrigger otherwise finds out by an error in a
# subtransaction of its own; when such a one ends PostgreSQL goes over all rows that deferred triggers wait for.
_NONE_IGNORED = "SET LOCAL pgtrigger.ignore = '{}'"
_NEXT = "SELECT nextval(pg_get_serial_sequence(%s, 'id')) FROM generate_series(1, %s)"
_FILLED = (
    "accounts_player", "accounts_playerstatistics", "accounts_ledgertransfer", "accounts_ledgerentry",
    "inventory_playerprofession", "inventory_inventoryitem", "inventory_itemmovement", "market_listing",
    "market_trade",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Sizes:
    """How many players and listings each batch has."""

    players: int
    listings: int

    def __post_init__(self) -> None:
        if not 1 <= self.players <= MOST or not 0 <= self.listings <= MOST:
            raise Refusal("invalid", f"There can be 1 to {MOST} players and 0 to {MOST} listings.")
        if self.listings > self.players * MOST_LISTINGS_EACH:
            raise Refusal("invalid", f"That is more than {MOST_LISTINGS_EACH} listings for each player.")

    def batches(self) -> list[tuple[int, int]]:
        """Players and listings, dealt out evenly."""
        number = max(1, min(-(-max(self.players, self.listings) // BATCH), self.players // LEAST_PLAYERS))
        ends = [(self.players * each // number, self.listings * each // number) for each in range(number + 1)]
        return [(after[0] - before[0], after[1] - before[1]) for before, after in pairwise(ends)]


def populate(
    *,
    players: int,
    listings: int,
    seed: int | None = None,
    password: str | None = None,
    done: Callable[[int], object] = lambda number: None,
) -> None:
    """Adds so many players with what they did, and so many listings of theirs in every state.

    `seed` makes the same lives again: ids and logins go on from those that are there, times are relative to now.
    Everybody gets `password`, unchecked, or none that opens anything. `done` is told how many players and listings
    more there are after each batch. Raises Refusal `invalid` for amounts that make no sense, and where the catalogue
    has nothing to trade in; IntegrityError where three sets of logins were taken.
    """
    found = goods.goods()
    if not found.products:
        raise Refusal("invalid", "There is nothing to trade in: run `manage.py seed` first.")
    terms = lives.Terms(settings.STARTING_COINS, settings.MARKET_FEE_PERCENT)
    facts = rows.Facts(time.time(), make_password(password), terms)
    seed = secrets.randbits(32) if seed is None else seed

    drafts = _drafts(found, terms, Sizes(players, listings), seed)
    with ThreadPoolExecutor(WRITERS) as writers:
        running: deque[Future[int]] = deque()
        for number, draft in enumerate(drafts):
            # Ids are taken here, in the order of the batches, so that an empty database gives the same ones again.
            ids = _ids(draft, terms)
            running.append(writers.submit(_batch_add, draft, ids, facts, f"{seed}:{number}:logins"))
            if len(running) > WRITERS:
                done(running.popleft().result())
        for batch in running:
            done(batch.result())
    _settle()


def _drafts(found: goods.Goods, terms: lives.Terms, sizes: Sizes, seed: int) -> Iterator[Draft]:
    """The batches, each drawn when it is asked for."""
    for number, (players, listings) in enumerate(sizes.batches()):
        chance = random.Random(f"{seed}:{number}")  # noqa: S311 - made-up lives # nosec B311
        yield lives.draw(chance, found, terms, players=players, listings=listings)


def _batch_add(draft: Draft, ids: rows.Ids, facts: rows.Facts, seed: str) -> int:
    """Writes a batch, with other ids where a login of theirs is taken. For a thread: closes its connection.

    Returns how many players and listings there are more.
    """
    try:
        for attempt in range(1, TRIES + 1):
            try:
                _write(_written(draft, ids, facts, seed), draft)
                break
            except IntegrityError as error:
                if not _is_taken(error) or attempt == TRIES:
                    raise
                ids = _ids(draft, facts.terms)
    finally:
        connection.close()
    return len(draft.lives) + len(draft.offers)


def _is_taken(error: IntegrityError) -> bool:
    constraint = getattr(getattr(error.__cause__, "diag", None), "constraint_name", None)
    return constraint in ("player_login_unique", "player_email_unique")


def _written(draft: Draft, ids: rows.Ids, facts: rows.Facts, seed: str) -> list[rows.Text]:
    """Before the transaction, which PostgreSQL would end if it idled for so long."""
    chance = random.Random(seed)  # noqa: S311 - made-up names # nosec B311
    return list(rows.texts(chance, draft, ids, facts))


def _ids(draft: Draft, terms: lives.Terms) -> rows.Ids:
    """Ids from the sequences, which give none of them to anybody else."""
    return rows.Ids(
        players=_next(Player, len(draft.lives)),
        listings=_next(Listing, len(draft.offers)),
        trades=_next(Trade, len(draft.sales)),
        transfers=_next(LedgerTransfer, len(rows.transfers(draft, terms))),
    )


def _next(model: Any, number: int) -> Sequence[int]:
    with connection.cursor() as cursor:
        cursor.execute(_NEXT, [model._meta.db_table, number])
        return [row[0] for row in cursor.fetchall()]


def _write(written: Sequence[rows.Text], draft: Draft) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        unhurried()
        cursor.execute(_NONE_IGNORED)
        cursor.execute(
            f"CREATE TEMP TABLE {rows.STATISTICS} (LIKE accounts_playerstatistics INCLUDING DEFAULTS) ON COMMIT DROP"
        )
        for text in written:
            _copy(cursor, text)
        cursor.execute(_ADD_STATISTICS)
        # Nobody has asked for anything of the new players', so that only pages of the market can be old.
        changed(Trade(resource_id=resource_id) for resource_id in {offer.resource_id for offer in draft.offers})
        # Keys and ledgers are looked at now and not by the COMMIT: a fence stands for ten seconds only.
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")


def _copy(cursor: Any, text: rows.Text) -> None:
    lines = BytesIO("".join(f"{line}\n" for line in text.lines).encode())
    # Django wraps the errors of its own methods only.
    with connection.wrap_database_errors:
        cursor.copy_expert(f"COPY {text.table} ({', '.join(text.columns)}) FROM STDIN", lines, CHUNK)


def _settle() -> None:
    """What the schedules and autovacuum would do soon: the planner's figures, and everybody on the leaderboard."""
    with transaction.atomic(), connection.cursor() as cursor:
        unhurried()
        cursor.execute(f"ANALYZE {', '.join(_FILLED)}")
    leaderboard_refresh(wait=True)
