"""What must hold of the market: every listing and trade has its movements and coins, and no movement is of none."""

from bcraftd.economy import Check

CHECKS = [
    Check(
        kind="escrow_differs",
        proves="each listing took its quantity out of its seller's inventory, once",
        sql="""
            SELECT listing.id, listing.seller_id, listing.resource_id, listing.quantity,
                   coalesce(escrow.movements, 0) AS movements, coalesce(-escrow.total, 0) AS total,
                   escrow.player_id AS player, escrow.resource_id AS resource
            FROM market_listing listing
            LEFT JOIN (SELECT reference, count(*) AS movements, sum(quantity) AS total,
                              max(player_id) AS player_id, max(resource_id) AS resource_id
                       FROM inventory_itemmovement WHERE reason = 'escrow' GROUP BY reference) escrow
                ON escrow.reference = 'listing:' || listing.id
            WHERE (escrow.movements = 1 AND escrow.total = -listing.quantity
                   AND escrow.player_id = listing.seller_id AND escrow.resource_id = listing.resource_id) IS NOT TRUE
        """,
        detail="listing {id}: player {seller_id} should have given {quantity} of resource {resource_id} once; there"
        " are {movements} movements of {total} in all, by player {player}, of resource {resource}",
    ),
    Check(
        kind="listing_sales_differ",
        proves="what is missing of a listing is what its trades sold",
        sql="""
            SELECT listing.id, listing.status, listing.quantity, listing.remaining, coalesce(sold.total, 0) AS total
            FROM market_listing listing
            LEFT JOIN (SELECT listing_id, sum(quantity) AS total FROM market_trade GROUP BY listing_id) sold
                ON sold.listing_id = listing.id
            WHERE listing.quantity - listing.remaining <> coalesce(sold.total, 0)
        """,
        detail="listing {id} ({status}): {remaining} of {quantity} remain, and the trades sold {total}",
    ),
    Check(
        kind="return_differs",
        proves="a cancelled or expired listing gave what remained back to its seller, once, and no other gave any",
        sql="""
            SELECT listing.id, listing.status, listing.seller_id, listing.resource_id, listing.remaining,
                   coalesce(back.movements, 0) AS movements, coalesce(back.total, 0) AS total,
                   back.player_id AS player, back.resource_id AS resource
            FROM market_listing listing
            LEFT JOIN (SELECT reference, count(*) AS movements, sum(quantity) AS total,
                              max(player_id) AS player_id, max(resource_id) AS resource_id
                       FROM inventory_itemmovement WHERE reason = 'escrow_return' GROUP BY reference) back
                ON back.reference = 'listing:' || listing.id
            WHERE CASE WHEN listing.status IN ('cancelled', 'expired') THEN
                (back.movements = 1 AND back.total = listing.remaining
                 AND back.player_id = listing.seller_id AND back.resource_id = listing.resource_id) IS NOT TRUE
                ELSE back.movements IS NOT NULL END
        """,
        detail="listing {id} ({status}): {remaining} of resource {resource_id} remain of player {seller_id}'s; there"
        " are {movements} movements back of {total} in all, to player {player}, of resource {resource}. A cancelled or"
        " expired listing has one, of what remains, and another none",
    ),
    Check(
        kind="trade_terms_differ",
        proves="a trade's seller, resource and unit price are its listing's, its total is exact, its fee within it",
        sql="""
            SELECT trade.id, trade.listing_id, trade.seller_id, trade.resource_id, trade.quantity, trade.unit_price,
                   trade.total_price, trade.fee, listing.seller_id AS seller, listing.resource_id AS resource,
                   listing.unit_price AS price
            FROM market_trade trade LEFT JOIN market_listing listing ON listing.id = trade.listing_id
            WHERE (trade.seller_id = listing.seller_id AND trade.resource_id = listing.resource_id
                   AND trade.unit_price = listing.unit_price AND trade.buyer_id <> trade.seller_id
                   AND trade.total_price = trade.quantity::numeric * trade.unit_price
                   AND trade.fee BETWEEN 0 AND trade.total_price) IS NOT TRUE
        """,
        detail="trade {id}: player {seller_id} sold {quantity} of resource {resource_id} at {unit_price}, {total_price}"
        " in all with a fee of {fee}; listing {listing_id} is player {seller}'s, of resource {resource}, at {price}",
    ),
    Check(
        kind="trade_coins_differ",
        proves="each trade has one transfer: the buyer pays the total, the seller gets it less the fee, and the sink"
        " the fee",
        sql="""
            SELECT trade.id, trade.buyer_id, trade.seller_id, -trade.total_price::numeric AS pays,
                   trade.total_price::numeric - trade.fee AS gets, trade.fee,
                   count(entry.id) AS entries, min(transfer.id) AS first, max(transfer.id) AS last,
                   coalesce(sum(entry.amount) FILTER (WHERE entry.player_id = trade.buyer_id), 0) AS paid,
                   coalesce(sum(entry.amount) FILTER (WHERE entry.player_id = trade.seller_id), 0) AS got,
                   coalesce(sum(entry.amount) FILTER (WHERE entry.system_account = 'market_fee'), 0) AS taken
            FROM market_trade trade
            LEFT JOIN accounts_ledgertransfer transfer
                ON transfer.reason = 'trade' AND transfer.reference = 'trade:' || trade.id
            LEFT JOIN accounts_ledgerentry entry ON entry.transfer_id = transfer.id
            GROUP BY trade.id
            HAVING (min(transfer.id) = max(transfer.id)
                AND count(entry.id) = 1 + (trade.total_price > trade.fee)::int + (trade.fee > 0)::int
                AND sum(entry.amount) FILTER (WHERE entry.player_id = trade.buyer_id) = -trade.total_price::numeric
                AND coalesce(sum(entry.amount) FILTER (WHERE entry.player_id = trade.seller_id), 0)
                    = trade.total_price::numeric - trade.fee
                AND coalesce(sum(entry.amount) FILTER (WHERE entry.system_account = 'market_fee'), 0) = trade.fee
                ) IS NOT TRUE
        """,
        detail="trade {id}: one transfer should move {pays} by buyer {buyer_id}, {gets} by seller {seller_id} and {fee}"
        " by market_fee; {entries} entries of transfers {first} to {last} move {paid}, {got} and {taken}",
    ),
    Check(
        kind="trade_items_differ",
        proves="each trade put its quantity into its buyer's inventory, once",
        sql="""
            SELECT trade.id, trade.buyer_id, trade.resource_id, trade.quantity,
                   coalesce(bought.movements, 0) AS movements, coalesce(bought.total, 0) AS total,
                   bought.player_id AS player, bought.resource_id AS resource
            FROM market_trade trade
            LEFT JOIN (SELECT reference, count(*) AS movements, sum(quantity) AS total,
                              max(player_id) AS player_id, max(resource_id) AS resource_id
                       FROM inventory_itemmovement WHERE reason = 'purchase' GROUP BY reference) bought
                ON bought.reference = 'trade:' || trade.id
            WHERE (bought.movements = 1 AND bought.total = trade.quantity
                   AND bought.player_id = trade.buyer_id AND bought.resource_id = trade.resource_id) IS NOT TRUE
        """,
        detail="trade {id}: player {buyer_id} should have received {quantity} of resource {resource_id} once; there"
        " are {movements} movements of {total} in all, to player {player}, of resource {resource}",
    ),
    Check(
        kind="transfer_orphaned",
        proves="every transfer of a trade names a trade that there is",
        sql="""
            SELECT transfer.id, transfer.reference FROM accounts_ledgertransfer transfer
            LEFT JOIN market_trade trade ON transfer.reference = 'trade:' || trade.id
            WHERE transfer.reason = 'trade' AND trade.id IS NULL
        """,
        detail="transfer {id}: there is no {reference}",
    ),
    Check(
        kind="movement_orphaned",
        proves="every movement into escrow, out of it or by a purchase names a listing or trade that there is",
        sql="""
            SELECT movement.id, movement.player_id, movement.resource_id, movement.quantity, movement.reason,
                   movement.reference
            FROM inventory_itemmovement movement
            LEFT JOIN market_listing listing ON movement.reference = 'listing:' || listing.id
            WHERE movement.reason IN ('escrow', 'escrow_return') AND listing.id IS NULL
            UNION ALL
            SELECT movement.id, movement.player_id, movement.resource_id, movement.quantity, movement.reason,
                   movement.reference
            FROM inventory_itemmovement movement
            LEFT JOIN market_trade trade ON movement.reference = 'trade:' || trade.id
            WHERE movement.reason = 'purchase' AND trade.id IS NULL
        """,
        detail="movement {id} ({reason}, {quantity} of resource {resource_id} by player {player_id}): there is no"
        " {reference}",
    ),
    Check(
        kind="resource_not_conserved",
        proves="of each resource, what was gathered, crafted and granted less what was used up is held or in escrow",
        sql="""
            SELECT resource_id, coalesce(made.total, 0) AS made, coalesce(held.total, 0) AS held,
                   coalesce(offered.total, 0) AS offered
            FROM (SELECT resource_id, sum(quantity) AS total FROM inventory_itemmovement
                  WHERE reason NOT IN ('escrow', 'escrow_return', 'purchase') GROUP BY resource_id) made
            FULL JOIN (SELECT resource_id, sum(quantity) AS total FROM inventory_inventoryitem
                       GROUP BY resource_id) held USING (resource_id)
            FULL JOIN (SELECT resource_id, sum(remaining) AS total FROM market_listing WHERE status = 'active'
                       GROUP BY resource_id) offered USING (resource_id)
            WHERE coalesce(made.total, 0) <> coalesce(held.total, 0) + coalesce(offered.total, 0)
        """,
        detail="resource {resource_id}: {made} were made, {held} are held and {offered} in escrow",
    ),
    Check(
        kind="trade_statistics_differ",
        proves="a player's statistics of sales and purchases are those of the trades",
        sql="""
            SELECT statistics.player_id, statistics.sales_count, statistics.sales_value, statistics.purchases_count,
                   statistics.purchases_value, coalesce(sold.trades, 0) AS sold, coalesce(sold.value, 0) AS earned,
                   coalesce(bought.trades, 0) AS bought, coalesce(bought.value, 0) AS spent
            FROM accounts_playerstatistics statistics
            LEFT JOIN (SELECT seller_id, count(*) AS trades, sum(total_price) AS value FROM market_trade
                       GROUP BY seller_id) sold ON sold.seller_id = statistics.player_id
            LEFT JOIN (SELECT buyer_id, count(*) AS trades, sum(total_price) AS value FROM market_trade
                       GROUP BY buyer_id) bought ON bought.buyer_id = statistics.player_id
            WHERE (statistics.sales_count, statistics.sales_value::numeric, statistics.purchases_count,
                   statistics.purchases_value::numeric)
               <> (coalesce(sold.trades, 0), coalesce(sold.value, 0), coalesce(bought.trades, 0),
                   coalesce(bought.value, 0))
        """,
        detail="player {player_id}: the statistics say {sales_count} sales for {sales_value} and {purchases_count}"
        " purchases for {purchases_value}, the trades {sold} for {earned} and {bought} for {spent}",
    ),
]

TOTALS = [
    """
    SELECT count(*) AS listings, coalesce(sum(remaining) FILTER (WHERE status = 'active'), 0) AS items_in_escrow
    FROM market_listing
    """,
    "SELECT count(*) AS trades FROM market_trade",
]
