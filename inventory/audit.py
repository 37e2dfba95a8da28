"""What must hold of items: what is held is what the movements say, and so are the statistics of work."""

from bcraftd.economy import Check
from inventory.models import MAX_AMOUNT

CHECKS = [
    Check(
        kind="holding_differs",
        proves="what a player holds of a resource is the sum of the player's movements of it",
        sql="""
            SELECT coalesce(item.player_id, history.player_id) AS player_id,
                   coalesce(item.resource_id, history.resource_id) AS resource_id,
                   coalesce(item.quantity::text, 'nothing (no row)') AS quantity, coalesce(history.total, 0) AS total
            FROM inventory_inventoryitem item
            FULL JOIN (SELECT player_id, resource_id, sum(quantity) AS total
                       FROM inventory_itemmovement GROUP BY player_id, resource_id) history
                ON history.player_id = item.player_id AND history.resource_id = item.resource_id
            WHERE item.quantity IS DISTINCT FROM coalesce(history.total, 0)
        """,
        detail="player {player_id}: holds {quantity} of resource {resource_id}, and the movements sum to {total}",
    ),
    Check(
        kind="holding_out_of_range",
        proves="a holding is 0 to 2^53-1",
        sql="""
            SELECT id, player_id, resource_id, quantity FROM inventory_inventoryitem
            WHERE quantity NOT BETWEEN 0 AND %s
        """,
        params=[MAX_AMOUNT],
        detail="player {player_id}: holds {quantity} of resource {resource_id}, which should be"
        f" 0 to {MAX_AMOUNT}",
    ),
    Check(
        kind="work_statistics_differ",
        proves="a player's statistics of gathering and crafting are the sums of the movements",
        sql="""
            SELECT statistics.player_id, statistics.items_gathered, statistics.items_crafted,
                   coalesce(work.gathered, 0) AS gathered, coalesce(work.crafted, 0) AS crafted
            FROM accounts_playerstatistics statistics
            LEFT JOIN (SELECT player_id,
                              coalesce(sum(quantity) FILTER (WHERE reason = 'gather'), 0) AS gathered,
                              coalesce(sum(quantity) FILTER (WHERE reason = 'craft_out'), 0) AS crafted
                       FROM inventory_itemmovement WHERE reason IN ('gather', 'craft_out')
                       GROUP BY player_id) work ON work.player_id = statistics.player_id
            WHERE statistics.items_gathered <> coalesce(work.gathered, 0)
               OR statistics.items_crafted <> coalesce(work.crafted, 0)
        """,
        detail="player {player_id}: the statistics say {items_gathered} gathered and {items_crafted} crafted, the"
        " movements {gathered} and {crafted}",
    ),
]

TOTALS = [
    "SELECT count(*) AS movements FROM inventory_itemmovement",
    "SELECT coalesce(sum(quantity), 0) AS items_held FROM inventory_inventoryitem",
]
