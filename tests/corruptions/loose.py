"""By hand: what leads nowhere, and what guards nothing any more."""

from accounts.models import LedgerEntry
from tests.audit_world import Corruption
from tests.corruptions.sql import GRANT, ONE_PURCHASE, PAID

ORPHANS = [
    *(
        Corruption(
            kind="transfer_orphaned",
            what=f"of {reference!r}",
            sql=f"UPDATE accounts_ledgertransfer SET reference = '{reference}' WHERE id = {PAID} RETURNING id",
            named="transfer {0}: there is no " + reference,
        )
        for reference in (
            "trade:0",
            "trade:",
            "",
            "trade:x",
            "trade:99999999999999999999999999",
            "trade:-1e9",
            "TRADE:1",
        )
    ),
    *(
        Corruption(
            kind="movement_orphaned",
            what=f"{reason} of {reference!r}",
            sql=f"UPDATE inventory_itemmovement SET reference = '{reference}' WHERE id ="
            f" (SELECT max(id) FROM inventory_itemmovement WHERE reason = '{reason}') RETURNING id",
            named="movement {0} (" + reason + ", ",
        )
        for reason, reference in (
            ("escrow", "listing:0"),
            ("escrow", ""),
            ("escrow_return", "listing:99999999999999999999999999"),
            ("escrow_return", "listing:x"),
            ("purchase", "trade:0"),
            ("purchase", "trade: 1"),
        )
    ),
    Corruption(
        kind="movement_orphaned",
        what="a purchase that names a listing",
        sql="UPDATE inventory_itemmovement SET reference = 'listing:' || (SELECT max(id) FROM market_listing)"
        f" WHERE id = {ONE_PURCHASE} RETURNING id",
        named="movement {0} (purchase, ",
    ),
    Corruption(
        kind="row_orphaned",
        what="a player deleted",
        sql="DELETE FROM accounts_player WHERE login = 'bob' RETURNING id",
        named="accounts_playerstatistics {0}: there is no row {0} for its player_id",
    ),
    Corruption(
        kind="row_orphaned",
        what="an entry of no transfer",
        sql=f"UPDATE accounts_ledgerentry SET transfer_id = 0 WHERE transfer_id = {GRANT} AND amount > 0 RETURNING id",
        named="accounts_ledgerentry {0}: there is no row 0 for its transfer_id",
    ),
]

_TRIGGERS = {trigger.name: trigger.get_pgid(LedgerEntry) for trigger in getattr(LedgerEntry._meta, "triggers", ())}
SUMS, KEPT = _TRIGGERS["transfer_sums_to_zero"], _TRIGGERS["append_only"]

GUARDS = [
    Corruption(
        kind="guard_missing",
        what="a trigger switched off",
        sql=f"ALTER TABLE accounts_ledgerentry DISABLE TRIGGER {SUMS}",
        undo=f"ALTER TABLE accounts_ledgerentry ENABLE TRIGGER {SUMS}",
        named=f"accounts_ledgerentry: {SUMS} is switched off",
    ),
    Corruption(
        kind="guard_missing",
        what="foreign keys switched off",
        sql="ALTER TABLE market_trade DISABLE TRIGGER ALL; SELECT conname FROM pg_constraint"
        " WHERE conrelid = 'market_trade'::regclass AND contype = 'f' AND confrelid = 'market_listing'::regclass",
        undo="ALTER TABLE market_trade ENABLE TRIGGER ALL",
        named="market_trade: {0} is switched off",
    ),
    Corruption(
        kind="guard_missing",
        what="a trigger renamed away",
        sql=f"ALTER TRIGGER {KEPT} ON accounts_ledgerentry RENAME TO other",
        undo=f"ALTER TRIGGER other ON accounts_ledgerentry RENAME TO {KEPT}",
        named=f"accounts_ledgerentry: {KEPT} is missing",
    ),
    Corruption(
        kind="guard_missing",
        what="a constraint dropped",
        sql="SELECT 1",
        without=("accounts_player", "player_coins_range"),
        named="accounts_player: player_coins_range is missing",
    ),
    Corruption(
        kind="guard_missing",
        what="a constraint that old rows need not hold",
        sql="ALTER TABLE market_trade ADD CONSTRAINT later CHECK (quantity < 1000000) NOT VALID",
        undo="ALTER TABLE market_trade DROP CONSTRAINT later",
        named="market_trade: later was never validated",
    ),
    Corruption(
        kind="guard_missing",
        what="a unique index dropped",
        sql="ALTER INDEX player_login_unique RENAME TO other",
        undo="ALTER INDEX other RENAME TO player_login_unique",
        named="accounts_player: player_login_unique is missing",
    ),
]
