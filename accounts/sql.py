"""The one way to move coins, as a function of PostgreSQL, for the migration. A later change is a new migration."""

# The caller has locked the players. Amounts are signed and sum to zero, which the ledger's deferred triggers look at
# too; `players` has NULL where `accounts` names a system account. Everything is looked at before anything is written:
# what is refused (a code, with a sentence in detail) has changed nothing.
COINS_TRANSFER = """
CREATE FUNCTION coins_transfer(
    IN operation uuid, IN why text, IN about text, IN at timestamptz, IN maximum bigint,
    IN players bigint[], IN accounts text[], IN amounts bigint[],
    OUT refused text, OUT detail text, OUT transfer bigint, OUT balances bigint[]
)
LANGUAGE plpgsql AS $$
DECLARE
    balance bigint;
BEGIN
    FOR place IN 1 .. cardinality(amounts) LOOP
        -- NULL for a system account, whose balance nobody keeps.
        balance := (SELECT coins FROM accounts_player WHERE id = players[place]) + amounts[place];
        IF balance < 0 THEN
            refused := 'insufficient_coins';
            detail := format('This takes %s coins; %s are there.', -amounts[place], balance - amounts[place]);
            RETURN;
        ELSIF balance > maximum THEN
            refused := 'balance_limit';
            detail := format('A balance may not pass %s coins.', maximum);
            RETURN;
        END IF;
        balances := array_append(balances, balance);
    END LOOP;
    INSERT INTO accounts_ledgertransfer (operation_id, reason, reference, created_at)
    VALUES (operation, why, about, at)
    RETURNING id INTO transfer;
    INSERT INTO accounts_ledgerentry (transfer_id, player_id, system_account, amount)
    SELECT transfer, side.player_id, side.account, side.coins
    FROM unnest(players, accounts, amounts) WITH ORDINALITY AS side (player_id, account, coins, place)
    WHERE side.coins <> 0
    ORDER BY side.place;
    UPDATE accounts_player SET coins = accounts_player.coins + side.coins
    FROM unnest(players, amounts) AS side (player_id, coins)
    WHERE accounts_player.id = side.player_id AND side.coins <> 0;
END $$
"""
DROP_COINS_TRANSFER = "DROP FUNCTION coins_transfer(uuid, text, text, timestamptz, bigint, bigint[], text[], bigint[])"
