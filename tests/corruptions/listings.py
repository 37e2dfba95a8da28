"""By hand: listings, their escrow and what they gave back."""

from tests.audit_world import Corruption
from tests.corruptions.sql import BOB, LOG, ONE_ESCROW, ONE_RETURN, PLANK, TRADE, copy

LISTINGS = [
    Corruption(
        kind="escrow_differs",
        what="a listing made by hand",
        sql="INSERT INTO market_listing (seller_id, resource_id, quantity, remaining, unit_price, status, views,"
        f" created_at, expires_at) SELECT {BOB}, {LOG}, 9, 9, 5, 'active', 0, now(), now() RETURNING id, seller_id",
        named="listing {0}: player {1} should have given 9 of ",
    ),
    Corruption(
        kind="escrow_differs",
        what="escrow deleted",
        sql=f"DELETE FROM inventory_itemmovement WHERE id = {ONE_ESCROW}"
        " RETURNING split_part(reference, ':', 2), player_id",
        named="listing {0}: player {1} should have given ",
    ),
    Corruption(
        kind="escrow_differs",
        what="escrow taken twice",
        sql=copy(ONE_ESCROW),
        named="listing {0}: ",
    ),
    Corruption(
        kind="escrow_differs",
        what="escrow of one piece less",
        sql=f"UPDATE inventory_itemmovement SET quantity = quantity + 1 WHERE id = {ONE_ESCROW}"
        " RETURNING split_part(reference, ':', 2)",
        named="listing {0}: ",
    ),
    Corruption(
        kind="escrow_differs",
        what="escrow of another player",
        sql=f"UPDATE inventory_itemmovement SET player_id = {BOB} WHERE id = {ONE_ESCROW}"
        " RETURNING split_part(reference, ':', 2)",
        named="listing {0}: ",
    ),
    Corruption(
        kind="escrow_differs",
        what="escrow of another resource",
        sql=f"UPDATE inventory_itemmovement SET resource_id = {PLANK} WHERE id = {ONE_ESCROW}"
        " RETURNING split_part(reference, ':', 2)",
        named="listing {0}: ",
    ),
    Corruption(
        kind="listing_sales_differ",
        what="a piece less in escrow",
        sql="UPDATE market_listing SET remaining = remaining - 1 WHERE status = 'active' RETURNING id, remaining",
        named="listing {0} (active): {1} of 6 remain, and the trades sold 1",
    ),
    Corruption(
        kind="listing_sales_differ",
        what="a trade deleted",
        sql=f"DELETE FROM market_trade WHERE id = {TRADE} RETURNING listing_id",
        named="listing {0} (",
    ),
    Corruption(
        kind="return_differs",
        what="closed without giving back",
        sql="UPDATE market_listing SET status = 'expired', closed_at = now() WHERE status = 'active' RETURNING id",
        named="listing {0} (expired): 5 of ",
    ),
    Corruption(
        kind="return_differs",
        what="a return deleted",
        sql=f"DELETE FROM inventory_itemmovement WHERE id = {ONE_RETURN} RETURNING split_part(reference, ':', 2)",
        named="listing {0} (",
    ),
    Corruption(
        kind="return_differs",
        what="given back twice",
        sql=copy(ONE_RETURN),
        named="listing {0} (",
    ),
    Corruption(
        kind="return_differs",
        what="given back to another player",
        sql=copy(ONE_RETURN, player_id=BOB)
        + f"; DELETE FROM inventory_itemmovement WHERE id = {ONE_RETURN} RETURNING split_part(reference, ':', 2)",
        named="listing {0} (",
    ),
    Corruption(
        kind="return_differs",
        what="one piece more than remained",
        sql=f"UPDATE inventory_itemmovement SET quantity = quantity + 1 WHERE id = {ONE_RETURN}"
        " RETURNING split_part(reference, ':', 2)",
        named="listing {0} (",
    ),
    Corruption(
        kind="return_differs",
        what="on the market again after it gave back",
        sql="UPDATE market_listing SET status = 'active', closed_at = NULL WHERE status = 'cancelled' RETURNING id",
        named="listing {0} (active): 3 of ",
    ),
]
