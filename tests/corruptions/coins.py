"""By hand: coins, their ledger, and who got them."""

from tests.audit_world import Corruption
from tests.corruptions.sql import ADA, BOB, GRANT, PAID, transfer

COINS = [
    Corruption(
        kind="ledger_unbalanced",
        what="an entry of one coin more",
        sql=f"UPDATE accounts_ledgerentry SET amount = amount + 1 WHERE transfer_id = {GRANT} AND amount > 0",
        named="the whole ledger sums to 1, not to 0",
    ),
    Corruption(
        kind="ledger_unbalanced",
        what="amounts whose sum no bigint holds",
        sql="UPDATE accounts_ledgerentry SET amount = 9223372036854775807 WHERE player_id IS NOT NULL",
        named="the whole ledger sums to ",
    ),
    Corruption(
        kind="transfer_unbalanced",
        what="an entry of one coin less",
        sql=f"UPDATE accounts_ledgerentry SET amount = amount - 1 WHERE transfer_id = {GRANT} AND amount > 0"
        " RETURNING transfer_id",
        named="transfer {0} (grant): 2 entries sum to -1;",
    ),
    Corruption(
        kind="transfer_unbalanced",
        what="an entry deleted",
        sql=f"DELETE FROM accounts_ledgerentry WHERE transfer_id = {GRANT} AND amount < 0 RETURNING transfer_id",
        named="transfer {0} (grant): 1 entries sum to 50;",
    ),
    Corruption(
        kind="transfer_unbalanced",
        what="an entry added",
        sql="INSERT INTO accounts_ledgerentry (transfer_id, player_id, system_account, amount)"
        f" SELECT {GRANT}, {ADA}, '', 3 RETURNING transfer_id",
        named="transfer {0} (grant): 3 entries sum to 3;",
    ),
    Corruption(
        kind="transfer_unbalanced",
        what="a transfer without entries",
        sql="INSERT INTO accounts_ledgertransfer (operation_id, reason, reference, created_at)"
        " SELECT gen_random_uuid(), 'grant', '', now() RETURNING id",
        named="transfer {0} (grant): 0 entries sum to 0;",
    ),
    Corruption(
        kind="balance_differs",
        what="one coin more",
        sql="UPDATE accounts_player SET coins = coins + 1 WHERE login = 'bob' RETURNING id, coins, coins - 1",
        named="player {0}: has {1} coins, and the entries sum to {2}",
    ),
    Corruption(
        kind="balance_differs",
        what="coins of somebody who has no entries",
        sql="UPDATE accounts_player SET coins = 5 WHERE login = 'olga' RETURNING id",
        named="player {0}: has 5 coins, and the entries sum to 0",
    ),
    Corruption(
        kind="balance_differs",
        what="a whole transfer deleted",
        sql=f"DELETE FROM accounts_ledgerentry WHERE transfer_id = {GRANT};"
        f"DELETE FROM accounts_ledgertransfer WHERE id = {GRANT}; SELECT {ADA}",
        named="player {0}: has ",
    ),
    Corruption(
        kind="balance_differs",
        what="an entry given to another player",
        sql=f"UPDATE accounts_ledgerentry SET player_id = {BOB} WHERE transfer_id = {GRANT} AND amount > 0"
        " RETURNING player_id",
        named="player {0}: has ",
    ),
    Corruption(
        kind="balance_differs",
        what="a player deleted",
        sql="DELETE FROM accounts_player WHERE login = 'ada' RETURNING id",
        named="player {0}: has no account and no coins, and the entries sum to ",
    ),
    Corruption(
        kind="coins_out_of_range",
        what="a coin less than none",
        sql="UPDATE accounts_player SET coins = -1 WHERE login = 'olga' RETURNING id",
        named="player {0}: has -1 coins, ",
        without=("accounts_player", "player_coins_range"),
    ),
    Corruption(
        kind="coins_out_of_range",
        what="more coins than a client can read",
        sql="UPDATE accounts_player SET coins = 9007199254740992 WHERE login = 'olga' RETURNING id",
        named="player {0}: has 9007199254740992 coins, ",
        without=("accounts_player", "player_coins_range"),
    ),
    Corruption(
        kind="reason_unknown",
        what="a mint of one's own",
        sql=transfer("salary", "''", ("mint", -5), (BOB, 5)),
        named="transfer {0} (salary): ",
    ),
    Corruption(
        kind="system_account_misused",
        what="coins taken back out of the sink",
        sql=transfer("grant", "''", ("market_fee", -5), (BOB, 5))
        + "; SELECT max(id), max(transfer_id) FROM accounts_ledgerentry"
        " WHERE system_account = 'market_fee'",
        named="entry {0} of transfer {1} (grant): market_fee does not move -5 for that",
    ),
    Corruption(
        kind="system_account_misused",
        what="coins given back to the mint",
        sql=transfer("grant", "''", (BOB, -5), ("mint", 5))
        + "; SELECT max(id), max(transfer_id) FROM accounts_ledgerentry"
        " WHERE system_account = 'mint'",
        named="entry {0} of transfer {1} (grant): mint does not move 5 for that",
    ),
    Corruption(
        kind="system_account_misused",
        what="a fee that went to the mint",
        sql="UPDATE accounts_ledgerentry SET system_account = 'mint'"
        f" WHERE transfer_id = {PAID} AND system_account = 'market_fee' RETURNING id, transfer_id",
        named="entry {0} of transfer {1} (trade): mint ",
    ),
    Corruption(
        kind="minting_differs",
        what="a grant to two",
        sql=transfer("grant", "''", ("mint", -10), (ADA, 5), (BOB, 5)),
        named="transfer {0} (grant): 3 entries, 2 of them of players",
    ),
    Corruption(
        kind="minting_differs",
        what="starting coins that name somebody else",
        sql="UPDATE accounts_ledgertransfer SET reference = 'player:0'"
        f" WHERE reason = 'starting_coins' AND reference = 'player:' || {ADA} RETURNING id",
        named="transfer {0} (starting_coins player:0): ",
    ),
    Corruption(
        kind="minting_differs",
        what="starting coins called a grant",
        sql=f"UPDATE accounts_ledgertransfer SET reason = 'grant' WHERE reference = 'player:' || {ADA} RETURNING id",
        named="transfer {0} (grant player:",
    ),
    Corruption(
        kind="starting_coins_twice",
        what="starting coins once more",
        sql=transfer("starting_coins", f"'player:' || {BOB}", ("mint", -1000), (BOB, 1000))
        + f"; SELECT {BOB}, max(id) FROM accounts_ledgertransfer",
        named="player {0}: got starting coins 2 times, the last time in transfer {1}",
    ),
    Corruption(
        kind="statistics_missing",
        what="a row of statistics deleted",
        sql=f"DELETE FROM accounts_playerstatistics WHERE player_id = {BOB} RETURNING player_id",
        named="player {0}: has no row of statistics",
    ),
]
