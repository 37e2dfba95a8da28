"""By hand: trades, what was paid and what was received."""

from tests.audit_world import Corruption
from tests.corruptions.sql import ADA, BOB, OLGA, ONE_PURCHASE, PAID, PLANK, TRADE, copy, transfer

TRADES = [
    Corruption(
        kind="trade_terms_differ",
        what="dearer than the listing",
        sql="UPDATE market_trade SET unit_price = unit_price + 1, total_price = quantity * (unit_price + 1)"
        f" WHERE id = {TRADE} RETURNING id, seller_id",
        named="trade {0}: player {1} sold ",
    ),
    Corruption(
        kind="trade_terms_differ",
        what="another seller",
        sql=f"UPDATE market_trade SET seller_id = {OLGA} WHERE id = {TRADE} RETURNING id, seller_id",
        named="trade {0}: player {1} sold ",
    ),
    Corruption(
        kind="trade_terms_differ",
        what="another resource",
        sql=f"UPDATE market_trade SET resource_id = {PLANK} WHERE id = {TRADE} RETURNING id",
        named="trade {0}: player ",
    ),
    Corruption(
        kind="trade_terms_differ",
        what="out of a listing that is gone",
        sql=f"DELETE FROM market_listing WHERE id = (SELECT listing_id FROM market_trade WHERE id = {TRADE});"
        f"SELECT {TRADE}",
        named="trade {0}: player ",
    ),
    Corruption(
        kind="trade_terms_differ",
        what="a total that is not exact",
        sql=f"UPDATE market_trade SET total_price = total_price + 1 WHERE id = {TRADE} RETURNING id",
        named="trade {0}: player ",
        without=("market_trade", "trade_total_exact"),
    ),
    Corruption(
        kind="trade_terms_differ",
        what="a fee below nothing",
        sql=f"UPDATE market_trade SET fee = -1 WHERE id = {TRADE} RETURNING id",
        named="trade {0}: player ",
        without=("market_trade", "trade_fee_range"),
    ),
    Corruption(
        kind="trade_terms_differ",
        what="bought from oneself",
        sql=f"UPDATE market_trade SET buyer_id = seller_id WHERE id = {TRADE} RETURNING id",
        named="trade {0}: player ",
        without=("market_trade", "trade_not_with_oneself"),
    ),
    Corruption(
        kind="trade_terms_differ",
        what="numbers whose product no bigint holds",
        sql="UPDATE market_trade SET quantity = 2147483647, unit_price = 9223372036854775807,"
        f" total_price = 9223372036854775807 WHERE id = {TRADE} RETURNING id",
        named="trade {0}: player ",
        without=("market_trade", "trade_total_exact"),
    ),
    Corruption(
        kind="trade_coins_differ",
        what="nothing paid",
        sql=f"DELETE FROM accounts_ledgerentry WHERE transfer_id = {PAID};"
        f"DELETE FROM accounts_ledgertransfer WHERE id = {PAID}; SELECT {TRADE}",
        named="trade {0}: one transfer should move -30 by buyer ",
    ),
    Corruption(
        kind="trade_coins_differ",
        what="paid twice",
        sql=transfer("trade", f"'trade:' || {TRADE}", (BOB, -30), (ADA, 29), ("market_fee", 1)) + f"; SELECT {TRADE}",
        named="trade {0}: one transfer should move ",
    ),
    Corruption(
        kind="trade_coins_differ",
        what="a coin of the fee for the seller",
        sql=f"UPDATE accounts_ledgerentry SET amount = amount + 1 WHERE transfer_id = {PAID} AND player_id = {ADA};"
        f"UPDATE accounts_ledgerentry SET amount = amount - 1 WHERE transfer_id = {PAID} AND player_id = {BOB};"
        f"SELECT {TRADE}",
        named="trade {0}: one transfer should move ",
    ),
    Corruption(
        kind="trade_coins_differ",
        what="somebody else paid",
        sql=f"UPDATE accounts_ledgerentry SET player_id = {OLGA} WHERE transfer_id = {PAID} AND amount < 0;"
        f"SELECT {TRADE}",
        named="trade {0}: one transfer should move ",
    ),
    Corruption(
        kind="trade_coins_differ",
        what="a side more, within the sum",
        sql="INSERT INTO accounts_ledgerentry (transfer_id, player_id, system_account, amount)"
        f" SELECT {PAID}, {ADA}, '', 5 UNION ALL SELECT {PAID}, {ADA}, '', -5; SELECT {TRADE}",
        named="trade {0}: one transfer should move ",
    ),
    Corruption(
        kind="trade_items_differ",
        what="nothing received",
        sql=f"DELETE FROM inventory_itemmovement WHERE id = {ONE_PURCHASE} RETURNING split_part(reference, ':', 2)",
        named="trade {0}: player ",
    ),
    Corruption(
        kind="trade_items_differ",
        what="received twice",
        sql=copy(ONE_PURCHASE),
        named="trade {0}: player ",
    ),
    Corruption(
        kind="trade_items_differ",
        what="received by somebody else",
        sql=f"UPDATE inventory_itemmovement SET player_id = {OLGA} WHERE id = {ONE_PURCHASE}"
        " RETURNING split_part(reference, ':', 2)",
        named="trade {0}: player ",
    ),
    Corruption(
        kind="trade_items_differ",
        what="another resource received",
        sql=f"UPDATE inventory_itemmovement SET resource_id = {PLANK} WHERE id = {ONE_PURCHASE}"
        " RETURNING split_part(reference, ':', 2)",
        named="trade {0}: player ",
    ),
    Corruption(
        kind="trade_items_differ",
        what="one piece more received",
        sql=f"UPDATE inventory_itemmovement SET quantity = quantity + 1 WHERE id = {ONE_PURCHASE}"
        " RETURNING split_part(reference, ':', 2)",
        named="trade {0}: player ",
    ),
    Corruption(
        kind="trade_statistics_differ",
        what="one sale more",
        sql=f"UPDATE accounts_playerstatistics SET sales_count = sales_count + 1 WHERE player_id = {BOB}"
        " RETURNING player_id",
        named="player {0}: the statistics say 1 sales for 0 ",
    ),
    Corruption(
        kind="trade_statistics_differ",
        what="a coin more spent",
        sql=f"UPDATE accounts_playerstatistics SET purchases_value = purchases_value + 1 WHERE player_id = {BOB}"
        " RETURNING player_id",
        named="player {0}: the statistics say 0 sales for 0 ",
    ),
]
