"""The worlds that are measured: players, listings, trades and both ledgers, made by PostgreSQL itself and consistent.

Whatever is made here passes the economy's audit. `make` wants a migrated and seeded database, and any DB-API cursor of
psycopg2 (Django's too) inside a transaction that may take its time.
"""

from dataclasses import asdict, dataclass
from typing import Any

# The 50 resources that everybody trades in.
KINDS = 50


@dataclass(frozen=True, slots=True)
class Size:
    """How much there is of everything.

    listings: a third is active, a third sold out, a third cancelled; each is over `quantity` pieces.
    coins: what each player starts with. kinds: how many resources are traded. held: how many resources each player has
    gathered ten thousand pieces of, beside what they list and buy.
    """

    listings: int
    players: int
    quantity: int = 10
    coins: int = 100_000
    kinds: int = 1_000
    held: int = 0


def played(listings: int, players: int) -> Size:
    """A world in which no listing, purse or inventory runs out, however long it is played in."""
    return Size(listings, players, quantity=900_000, coins=10**12, kinds=KINDS, held=12)


# Each listing is of pieces that its seller gathered. A third is sold out; of the others four in ten are sold, and every
# second of them is cancelled. No two were made at the same time: of such PostgreSQL cannot estimate how many are older.
# Ids are those of generate_series. Triggers do not run: what they would write is here.
WORLD = """
SET LOCAL session_replication_role = replica;

INSERT INTO accounts_player (id, password, login, email, role, coins, experience, level, is_active, created_at)
SELECT n, '', 'player' || n, 'player' || n || '@example.org', 'player', 0, 0, 1, true, now()
FROM generate_series(1, %(players)s) n;

CREATE TEMP TABLE kinds ON COMMIT DROP AS
SELECT id, row_number() OVER (ORDER BY id) - 1 AS place FROM inventory_resource WHERE tradeable
ORDER BY id LIMIT %(kinds)s;

INSERT INTO market_listing (id, seller_id, resource_id, quantity, remaining, unit_price, status, views, created_at,
                            expires_at, closed_at)
SELECT n, 1 + n %% %(players)s, kinds.id, %(quantity)s, CASE n %% 3 WHEN 0 THEN 0 ELSE %(quantity)s * 6 / 10 END,
       10 + n %% 91, (ARRAY['sold', 'active', 'cancelled'])[1 + n %% 3], 0,
       now() - (%(listings)s - n) * interval '1 ms', now() + interval '7 days',
       CASE n %% 3 WHEN 1 THEN NULL ELSE now() END
FROM generate_series(1, %(listings)s) n JOIN kinds ON kinds.place = n %% (SELECT count(*) FROM kinds);

INSERT INTO market_trade (id, listing_id, buyer_id, seller_id, resource_id, quantity, unit_price, total_price, fee,
                          created_at)
SELECT id, id, 1 + (id + 1) %% %(players)s, seller_id, resource_id, quantity - remaining, unit_price,
       (quantity - remaining) * unit_price, (quantity - remaining) * unit_price * 5 / 100, now()
FROM market_listing;

INSERT INTO accounts_ledgertransfer (id, operation_id, reason, reference, created_at)
SELECT n, gen_random_uuid(), 'starting_coins', 'player:' || n, now() FROM generate_series(1, %(players)s) n
UNION ALL SELECT %(players)s + id, gen_random_uuid(), 'trade', 'trade:' || id, now() FROM market_trade;

INSERT INTO accounts_ledgerentry (transfer_id, player_id, system_account, amount)
SELECT transfer_id, player_id, system_account, amount FROM (
    SELECT n AS transfer_id, NULL::bigint AS player_id, 'mint' AS system_account, -%(coins)s AS amount
    FROM generate_series(1, %(players)s) n
    UNION ALL SELECT n, n, '', %(coins)s FROM generate_series(1, %(players)s) n
    UNION ALL SELECT %(players)s + id, buyer_id, '', -total_price FROM market_trade
    UNION ALL SELECT %(players)s + id, seller_id, '', total_price - fee FROM market_trade
    UNION ALL SELECT %(players)s + id, NULL, 'market_fee', fee FROM market_trade) made
ORDER BY transfer_id;

INSERT INTO inventory_itemmovement (player_id, resource_id, quantity, reason, reference, created_at)
SELECT player_id, resource_id, quantity, reason, reference, now() FROM (
    SELECT 0 AS id, n AS player_id, kinds.id AS resource_id, 10000 AS quantity, 'gather' AS reason, '' AS reference
    FROM generate_series(1, %(players)s) n
    CROSS JOIN generate_series(0, %(held)s - 1) k
    JOIN kinds ON kinds.place = (n + 7 * k) %% (SELECT count(*) FROM kinds)
    UNION ALL SELECT id, seller_id, resource_id, quantity, 'gather', '' FROM market_listing
    UNION ALL SELECT id, seller_id, resource_id, -quantity, 'escrow', 'listing:' || id FROM market_listing
    UNION ALL SELECT id, buyer_id, resource_id, quantity, 'purchase', 'trade:' || id FROM market_trade
    UNION ALL SELECT id, seller_id, resource_id, remaining, 'escrow_return', 'listing:' || id FROM market_listing
              WHERE status = 'cancelled') made
ORDER BY id;

INSERT INTO inventory_inventoryitem (player_id, resource_id, quantity)
SELECT player_id, resource_id, sum(quantity) FROM inventory_itemmovement GROUP BY player_id, resource_id;

UPDATE accounts_player SET coins = made.total FROM (
    SELECT player_id, sum(amount) AS total FROM accounts_ledgerentry GROUP BY player_id) made
WHERE made.player_id = accounts_player.id;

INSERT INTO accounts_playerstatistics (player_id, items_crafted, items_gathered, sales_count, sales_value,
                                       purchases_count, purchases_value)
SELECT player.id, 0, coalesce(gathered.total, 0), coalesce(sold.count, 0), coalesce(sold.sum, 0),
       coalesce(bought.count, 0), coalesce(bought.sum, 0)
FROM accounts_player player
LEFT JOIN (SELECT player_id, sum(quantity) AS total FROM inventory_itemmovement WHERE reason = 'gather'
           GROUP BY player_id) gathered ON gathered.player_id = player.id
LEFT JOIN (SELECT seller_id, count(*), sum(total_price) FROM market_trade GROUP BY seller_id) sold
    ON sold.seller_id = player.id
LEFT JOIN (SELECT buyer_id, count(*), sum(total_price) FROM market_trade GROUP BY buyer_id) bought
    ON bought.buyer_id = player.id;
"""

# What a world needs to be played in: a session and a gathering profession for everybody, and ids that go on.
PLAYABLE = """
SET LOCAL session_replication_role = replica;

INSERT INTO accounts_playersession (session_id, player_id, role, created_at, last_seen_at, user_agent, address,
                                    refresh_id)
SELECT 'bench-session-of-player-' || lpad(id::text, 19, '0'), id, role, now(), now(), 'wrk', '127.0.0.1',
       replace(gen_random_uuid()::text, '-', '')
FROM accounts_player;

INSERT INTO inventory_playerprofession (player_id, profession_id, slot, level, experience, joined_at)
SELECT player.id, gathered.profession_id, 1, 1, 0, now()
FROM accounts_player player
JOIN (SELECT profession_id, row_number() OVER (ORDER BY profession_id) - 1 AS place, count(*) OVER () AS number
      FROM (SELECT DISTINCT profession_id FROM inventory_resource WHERE gatherable) found) gathered
    ON gathered.place = player.id %% gathered.number;

SELECT setval(pg_get_serial_sequence('accounts_player', 'id'), (SELECT max(id) FROM accounts_player)),
       setval(pg_get_serial_sequence('market_listing', 'id'), (SELECT max(id) FROM market_listing)),
       setval(pg_get_serial_sequence('market_trade', 'id'), (SELECT max(id) FROM market_trade)),
       setval(pg_get_serial_sequence('accounts_ledgertransfer', 'id'), (SELECT max(id) FROM accounts_ledgertransfer));
"""

_PLAYERS = """
SELECT DISTINCT ON (session.player_id) session.player_id, session.session_id, resource.id
FROM accounts_playersession session
JOIN inventory_playerprofession practised USING (player_id)
JOIN inventory_resource resource ON resource.profession_id = practised.profession_id AND resource.gatherable
ORDER BY session.player_id, resource.id
"""
_HELD = "SELECT player_id, min(resource_id) FROM inventory_inventoryitem WHERE quantity >= 10000 GROUP BY player_id"
_LISTINGS = "SELECT resource_id, id, seller_id FROM market_listing WHERE status = 'active' ORDER BY id"


@dataclass(frozen=True, slots=True)
class Player:
    """Somebody who plays: their session, a resource that they can gather and one that they can list."""

    id: int
    session_id: str
    gathers: int
    lists: int


@dataclass(frozen=True, slots=True)
class World:
    """What a player can name in a request. listings: resource id to the ids and sellers of what is open."""

    players: list[Player]
    listings: dict[int, list[tuple[int, int]]]

    @property
    def resources(self) -> list[int]:
        """The traded resources, the most asked for first."""
        return sorted(self.listings)


def make(cursor: Any, size: Size) -> None:
    """Fills a seeded database that nobody has played in."""
    cursor.execute(WORLD, asdict(size))


def make_playable(cursor: Any) -> None:
    """Opens a session for everybody and lets new rows come after those that are there."""
    cursor.execute(PLAYABLE, {})


def look(cursor: Any) -> World:
    """What there is in a playable world."""
    cursor.execute(_HELD)
    lists = dict(cursor.fetchall())
    cursor.execute(_PLAYERS)
    players = [
        Player(player_id, session_id, gathers, lists[player_id]) for player_id, session_id, gathers in cursor.fetchall()
    ]
    cursor.execute(_LISTINGS)
    listings: dict[int, list[tuple[int, int]]] = {}
    for resource_id, listing_id, seller_id in cursor.fetchall():
        listings.setdefault(resource_id, []).append((listing_id, seller_id))
    return World(players, listings)
