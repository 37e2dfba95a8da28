"""Pieces of SQL that name rows of the world of tests/audit_world.py, or make ones like them."""

ADA = "(SELECT id FROM accounts_player WHERE login = 'ada')"
BOB = "(SELECT id FROM accounts_player WHERE login = 'bob')"
OLGA = "(SELECT id FROM accounts_player WHERE login = 'olga')"
LOG = "(SELECT id FROM inventory_resource WHERE slug = 'mutterwood-log')"
PLANK = "(SELECT id FROM inventory_resource WHERE slug = 'mutterwood-plank')"
# Bob's purchase of five, which had a fee; the transfer that paid for it.
TRADE = "(SELECT id FROM market_trade WHERE fee > 0 ORDER BY id LIMIT 1)"
PAID = f"(SELECT id FROM accounts_ledgertransfer WHERE reference = 'trade:' || {TRADE})"
GRANT = "(SELECT id FROM accounts_ledgertransfer WHERE reason = 'grant')"
ONE_ESCROW = "(SELECT min(id) FROM inventory_itemmovement WHERE reason = 'escrow')"
ONE_RETURN = "(SELECT min(id) FROM inventory_itemmovement WHERE reason = 'escrow_return')"
ONE_PURCHASE = "(SELECT min(id) FROM inventory_itemmovement WHERE reason = 'purchase')"


def transfer(reason: str, reference: str, *sides: tuple[str, int]) -> str:
    """SQL of a transfer, its entries and the balances beside them; gives the transfer's id."""
    entries = ", ".join(
        f"({'NULL' if account.isidentifier() else account}::bigint,"
        f" '{account if account.isidentifier() else ''}', {amount})"
        for account, amount in sides
    )
    return f"""
        WITH made AS (
            INSERT INTO accounts_ledgertransfer (operation_id, reason, reference, created_at)
            VALUES (gen_random_uuid(), '{reason}', {reference}, now()) RETURNING id),
        side AS (
            INSERT INTO accounts_ledgerentry (transfer_id, player_id, system_account, amount)
            SELECT made.id, given.* FROM made, (VALUES {entries}) AS given(player_id, system_account, amount)
            RETURNING transfer_id, player_id, amount),
        balance AS (
            UPDATE accounts_player SET coins = coins + side.amount FROM side WHERE side.player_id = accounts_player.id)
        SELECT id FROM made
    """


def copy(movement: str, **other: str) -> str:
    """SQL of a movement like another one; gives its reference's number, its own id and its player."""
    names = ("player_id", "resource_id", "quantity", "reason", "reference", "created_at")
    return f"""
        INSERT INTO inventory_itemmovement ({", ".join(names)})
        SELECT {", ".join(other.get(name, name) for name in names)} FROM inventory_itemmovement WHERE id = {movement}
        RETURNING split_part(reference, ':', 2), id, player_id
    """
