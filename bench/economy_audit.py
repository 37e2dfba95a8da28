"""How long the economy's audit takes: a million entries of the ledger have to be looked through within a minute.

Run it with `.venv/bin/python -m bench.economy_audit [LISTINGS]`. It starts servers of its own, makes a consistent world
of that many listings (300,000 give a million entries and a million movements), audits it as the schedule does, then
takes one coin and one item away by hand and audits it again. It prints one JSON line.
"""

import json
import os
import sys
from typing import Any

from tests import servers  # noqa: F401 - starts PostgreSQL, and must come before Django's settings

LISTINGS = 300_000
# As in a game that is going on: few players do most.
LISTINGS_A_PLAYER = 6

# Each listing is of 10 that its seller gathered. A third is sold out; of the others 4 are sold, and every second of
# them is cancelled. %(listings)s and %(players)s are numbers; ids are those of generate_series.
WORLD = """
INSERT INTO accounts_player (id, password, login, email, role, coins, experience, level, is_active, created_at)
SELECT n, '', 'player' || n, 'player' || n || '@example.org', 'player', 0, 0, 1, true, now()
FROM generate_series(1, %(players)s) n;

CREATE TEMP TABLE kinds AS SELECT id, row_number() OVER (ORDER BY id) - 1 AS place FROM inventory_resource;

INSERT INTO market_listing (id, seller_id, resource_id, quantity, remaining, unit_price, status, views, created_at,
                            expires_at, closed_at)
SELECT n, 1 + n %% %(players)s, kinds.id, 10, CASE n %% 3 WHEN 0 THEN 0 ELSE 6 END, 10,
       (ARRAY['sold', 'active', 'cancelled'])[1 + n %% 3], 0, now(), now() + interval '7 days',
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
    SELECT n AS transfer_id, NULL::bigint AS player_id, 'mint' AS system_account, -100000 AS amount
    FROM generate_series(1, %(players)s) n
    UNION ALL SELECT n, n, '', 100000 FROM generate_series(1, %(players)s) n
    UNION ALL SELECT %(players)s + id, buyer_id, '', -total_price FROM market_trade
    UNION ALL SELECT %(players)s + id, seller_id, '', total_price - fee FROM market_trade
    UNION ALL SELECT %(players)s + id, NULL, 'market_fee', fee FROM market_trade) made
ORDER BY transfer_id;

INSERT INTO inventory_itemmovement (player_id, resource_id, quantity, reason, reference, created_at)
SELECT player_id, resource_id, quantity, reason, reference, now() FROM (
    SELECT id, seller_id AS player_id, resource_id, quantity, 'gather' AS reason, '' AS reference FROM market_listing
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

THEFT = """
SET LOCAL session_replication_role = replica;
UPDATE accounts_player SET coins = coins - 1 WHERE id = 7;
UPDATE inventory_inventoryitem SET quantity = quantity + 1 WHERE id = 7;
"""


def main() -> int:
    """Returns the exit status: 1 where the audit was wrong about the world, before the theft or after it."""
    import django

    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    call_command("seed", "--json", stdout=sys.stderr)
    _make(int(sys.argv[1]) if len(sys.argv) > 1 else LISTINGS)
    from bcraftd import economy

    before = economy.audit()
    _run(THEFT)
    after = economy.audit()
    seconds = [round(report.seconds, 2) for report in (before, after)]
    print(json.dumps({"seconds": seconds, "totals": before.totals, "found": after.problems}))  # noqa: T201
    found = {problem["kind"] for problem in after.problems}
    return int(not before.ok or found != {"balance_differs", "holding_differs", "resource_not_conserved"})


def _make(listings: int) -> None:
    from django.db import connection

    numbers = {"listings": listings, "players": listings // LISTINGS_A_PLAYER}
    _run("SET LOCAL session_replication_role = replica;" + WORLD, numbers)
    with connection.cursor() as cursor:
        for limit in ("statement_timeout", "transaction_timeout"):
            cursor.execute(f"SET {limit} = 0")
        # What autovacuum does within a minute of such a change.
        cursor.execute("VACUUM ANALYZE")


def _run(statements: str, params: dict[str, Any] | None = None) -> None:
    from django.db import connection, transaction

    from bcraftd.transactions import unhurried

    with transaction.atomic(), connection.cursor() as cursor:
        unhurried()
        cursor.execute(statements, params)


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "bcraftd.settings")
    sys.exit(main())
