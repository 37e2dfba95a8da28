"""By hand: what is held, its history, and the statistics of work."""

from tests.audit_world import Corruption
from tests.corruptions.sql import BOB, LOG, OLGA, PLANK

ITEMS = [
    Corruption(
        kind="holding_differs",
        what="one piece more",
        sql=f"UPDATE inventory_inventoryitem SET quantity = quantity + 1 WHERE player_id = {BOB}"
        " RETURNING player_id, quantity, resource_id, quantity - 1",
        named="player {0}: holds {1} of resource {2}, and the movements sum to {3}",
    ),
    Corruption(
        kind="holding_differs",
        what="a movement of one piece more",
        sql="UPDATE inventory_itemmovement SET quantity = quantity + 1 WHERE reason = 'gather' AND id ="
        " (SELECT max(id) FROM inventory_itemmovement WHERE reason = 'gather') RETURNING player_id",
        named="player {0}: holds ",
    ),
    Corruption(
        kind="holding_differs",
        what="a movement deleted",
        sql="DELETE FROM inventory_itemmovement WHERE reason = 'craft_out' RETURNING player_id, quantity, resource_id",
        named="player {0}: holds {1} of resource {2}, and the movements sum to 0",
    ),
    Corruption(
        kind="holding_differs",
        what="a movement added",
        sql="INSERT INTO inventory_itemmovement (player_id, resource_id, quantity, reason, reference, created_at)"
        f" SELECT {OLGA}, {LOG}, 1, 'grant', '', now() RETURNING player_id, resource_id",
        named="player {0}: holds nothing (no row) of resource {1}, and the movements sum to 1",
    ),
    Corruption(
        kind="holding_differs",
        what="a holding deleted",
        sql=f"DELETE FROM inventory_inventoryitem WHERE player_id = {BOB} RETURNING player_id, resource_id, quantity",
        named="player {0}: holds nothing (no row) of resource {1}, and the movements sum to {2}",
    ),
    Corruption(
        kind="holding_differs",
        what="a holding without a history",
        sql="INSERT INTO inventory_inventoryitem (player_id, resource_id, quantity)"
        f" SELECT {OLGA}, {PLANK}, 3 RETURNING player_id, resource_id",
        named="player {0}: holds 3 of resource {1}, and the movements sum to 0",
    ),
    Corruption(
        kind="holding_out_of_range",
        what="a piece less than none",
        sql=f"UPDATE inventory_inventoryitem SET quantity = -1 WHERE player_id = {BOB}"
        " RETURNING player_id, resource_id",
        named="player {0}: holds -1 of resource {1}, ",
        without=("inventory_inventoryitem", "inventoryitem_range"),
    ),
    Corruption(
        kind="work_statistics_differ",
        what="one piece crafted more",
        sql=f"UPDATE accounts_playerstatistics SET items_crafted = items_crafted + 1 WHERE player_id = {BOB}"
        " RETURNING player_id",
        named="player {0}: the statistics say 0 gathered and 1 crafted, the movements 0 and 0",
    ),
    Corruption(
        kind="work_statistics_differ",
        what="gathered turned into granted",
        sql="UPDATE inventory_itemmovement SET reason = 'grant' WHERE reason = 'gather' RETURNING player_id",
        named="player {0}: the statistics say ",
    ),
    Corruption(
        kind="resource_not_conserved",
        what="one piece more",
        sql=f"UPDATE inventory_inventoryitem SET quantity = quantity + 1 WHERE player_id = {BOB} RETURNING resource_id",
        named="resource {0}: ",
    ),
    Corruption(
        kind="resource_not_conserved",
        what="a piece gone out of escrow",
        sql="UPDATE market_listing SET remaining = remaining - 1 WHERE status = 'active' RETURNING resource_id",
        named="resource {0}: ",
    ),
]
