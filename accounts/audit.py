"""What must hold of coins: the ledger's sums, the balances beside it, and who may make coins."""

from accounts.models import MAX_AMOUNT
from bcraftd.economy import Check

# Why coins move. A transfer for another reason is a mint or a sink that nobody has declared.
REASONS = ("starting_coins", "grant", "trade")

CHECKS = [
    Check(
        kind="ledger_unbalanced",
        proves="all entries of the ledger together sum to zero",
        sql="SELECT sum(amount) AS total FROM accounts_ledgerentry HAVING sum(amount) <> 0",
        detail="the whole ledger sums to {total}, not to 0",
    ),
    Check(
        kind="transfer_unbalanced",
        proves="each transfer has two entries or more, and they sum to zero",
        sql="""
            SELECT transfer.id, trim(transfer.reason || ' ' || transfer.reference) AS what,
                   coalesce(side.entries, 0) AS entries, coalesce(side.total, 0) AS total
            FROM accounts_ledgertransfer transfer
            LEFT JOIN (SELECT transfer_id, count(*) AS entries, sum(amount) AS total
                       FROM accounts_ledgerentry GROUP BY transfer_id) side ON side.transfer_id = transfer.id
            WHERE side.entries IS NULL OR side.entries < 2 OR side.total <> 0
        """,
        detail="transfer {id} ({what}): {entries} entries sum to {total}; two or more should sum to 0",
    ),
    Check(
        kind="balance_differs",
        proves="a player's coins are the sum of the player's entries, and every entry's player is there",
        sql="""
            SELECT coalesce(player.id, ledger.player_id) AS player_id,
                   coalesce(player.coins::text, 'no account and no') AS coins, coalesce(ledger.total, 0) AS total
            FROM accounts_player player
            FULL JOIN (SELECT player_id, sum(amount) AS total FROM accounts_ledgerentry
                       WHERE player_id IS NOT NULL GROUP BY player_id) ledger ON ledger.player_id = player.id
            WHERE player.coins IS DISTINCT FROM coalesce(ledger.total, 0)
        """,
        detail="player {player_id}: has {coins} coins, and the entries sum to {total}",
    ),
    Check(
        kind="coins_out_of_range",
        proves="a player's coins are 0 to 2^53-1",
        sql="SELECT id, coins FROM accounts_player WHERE coins NOT BETWEEN 0 AND %s",
        params=[MAX_AMOUNT],
        detail=f"player {{id}}: has {{coins}} coins, which should be 0 to {MAX_AMOUNT}",
    ),
    Check(
        kind="reason_unknown",
        proves="coins move for one of the reasons above and for no other",
        sql="SELECT id, trim(reason || ' ' || reference) AS what FROM accounts_ledgertransfer WHERE reason <> ALL(%s)",
        params=[list(REASONS)],
        detail=f"transfer {{id}} ({{what}}): the reason should be one of {', '.join(REASONS)}",
    ),
    Check(
        kind="system_account_misused",
        proves="the mint only gives, for starting coins and grants; the fee only takes, in trades",
        sql="""
            SELECT entry.id, entry.system_account, entry.amount, transfer.id AS transfer_id, transfer.reason
            FROM accounts_ledgerentry entry
            JOIN accounts_ledgertransfer transfer ON transfer.id = entry.transfer_id
            WHERE entry.system_account <> ''
              AND NOT (entry.system_account = 'mint' AND entry.amount < 0
                       AND transfer.reason IN ('starting_coins', 'grant'))
              AND NOT (entry.system_account = 'market_fee' AND entry.amount > 0 AND transfer.reason = 'trade')
        """,
        detail="entry {id} of transfer {transfer_id} ({reason}): {system_account} does not move {amount} for that",
    ),
    Check(
        kind="minting_differs",
        proves="starting coins and grants go from the mint to one player; starting coins name that one, grants nothing",
        sql="""
            SELECT transfer.id, trim(transfer.reason || ' ' || transfer.reference) AS what, count(*) AS entries,
                   count(entry.player_id) AS players, max(entry.player_id) AS player_id
            FROM accounts_ledgertransfer transfer
            JOIN accounts_ledgerentry entry ON entry.transfer_id = transfer.id
            WHERE transfer.reason IN ('starting_coins', 'grant')
            GROUP BY transfer.id
            HAVING count(*) <> 2 OR count(entry.player_id) <> 1
                OR transfer.reference <> CASE transfer.reason WHEN 'grant' THEN ''
                                         ELSE 'player:' || max(entry.player_id) END
        """,
        detail="transfer {id} ({what}): {entries} entries, {players} of them of players, of player"
        " {player_id}; there should be the mint's and one player's, whom starting coins name and a grant does not",
    ),
    Check(
        kind="starting_coins_twice",
        proves="nobody got starting coins twice",
        sql="""
            SELECT entry.player_id, count(DISTINCT transfer.id) AS times, max(transfer.id) AS last
            FROM accounts_ledgertransfer transfer
            JOIN accounts_ledgerentry entry ON entry.transfer_id = transfer.id
            WHERE transfer.reason = 'starting_coins' AND entry.player_id IS NOT NULL
            GROUP BY entry.player_id HAVING count(DISTINCT transfer.id) > 1
        """,
        detail="player {player_id}: got starting coins {times} times, the last time in transfer {last}",
    ),
    Check(
        kind="statistics_missing",
        proves="every player has statistics",
        sql="""
            SELECT player.id FROM accounts_player player
            LEFT JOIN accounts_playerstatistics statistics ON statistics.player_id = player.id
            WHERE statistics.player_id IS NULL
        """,
        detail="player {id}: has no row of statistics",
    ),
]

TOTALS = [
    "SELECT count(*) AS players, coalesce(sum(coins), 0) AS coins_held FROM accounts_player",
    "SELECT count(*) AS transfers FROM accounts_ledgertransfer",
    """
    SELECT count(*) AS entries,
           coalesce(-sum(amount) FILTER (WHERE system_account = 'mint'), 0) AS coins_minted,
           coalesce(sum(amount) FILTER (WHERE system_account = 'market_fee'), 0) AS coins_in_market_fee
    FROM accounts_ledgerentry
    """,
]
