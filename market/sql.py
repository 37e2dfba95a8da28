"""A purchase as functions of PostgreSQL, for the migration. A later change is a new migration with a new text.

A purchase is the busiest write: as one call it locks for a tenth of the time that a dozen statements from Python took.
Everything that holds for the services holds here: players are locked first, by id, then the listing, then what the
buyer holds of it; what is refused has changed nothing; ledger and movements are written beside balances and holdings,
and the tables' own constraints and triggers look at every row.
"""

# The market's share of a sale, rounded down to a coin.
FEE = """
CREATE FUNCTION market_fee(total bigint, percent integer) RETURNS bigint
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN div(total::numeric * percent, 100)::bigint
"""
DROP_FEE = "DROP FUNCTION market_fee(bigint, integer)"

# outcome: `bought`, `replayed` (idem_key has an answer already, which is in body), or a refusal's code, with a sentence
# in detail where it needs numbers. The answer's body is made here, because it is kept in the same transaction.
BUY = """
CREATE FUNCTION market_buy(
    IN buyer bigint, IN listing bigint, IN wanted bigint, IN fee_percent integer, IN maximum bigint, IN at timestamptz,
    IN operation uuid, IN idem_key text, IN idem_lock bigint, IN idem_call text, IN idem_kept interval,
    OUT outcome text, OUT detail text, OUT body bytea, OUT bought_resource bigint
)
LANGUAGE plpgsql AS $$
DECLARE
    began CONSTANT timestamptz := clock_timestamp();
    ours boolean;
    kept bcraftd_idempotencykey%ROWTYPE;
    player record;
    buyer_coins bigint;
    seller_coins bigint;
    offer market_listing%ROWTYPE;
    held bigint;
    amount bigint;
    total bigint;
    fee bigint;
    moment timestamptz;
    trade bigint;
    transfer bigint;
BEGIN
    IF idem_key IS NOT NULL THEN
        ours := pg_try_advisory_xact_lock(idem_lock);
        -- In a statement of its own: it has to see what the holder of the lock before us has committed.
        SELECT * INTO kept FROM bcraftd_idempotencykey AS k
        WHERE k.player_id = buyer AND k.key = idem_key AND k.created_at > at - idem_kept;
        IF FOUND AND kept.fingerprint <> idem_call THEN
            outcome := 'idempotency_key_reused';
            RETURN;
        ELSIF FOUND THEN
            outcome := 'replayed';
            body := kept.body;
            RETURN;
        ELSIF NOT ours THEN
            outcome := 'idempotency_in_progress';
            RETURN;
        END IF;
    END IF;

    -- Without a lock: who sells never changes.
    SELECT * INTO offer FROM market_listing WHERE id = listing;
    IF NOT FOUND THEN
        outcome := 'not_found';
        detail := format('There is no listing %s.', listing);
        RETURN;
    ELSIF offer.seller_id = buyer THEN
        outcome := 'own_listing';
        detail := 'This is your own listing. Cancel it to have the items back.';
        RETURN;
    END IF;
    FOR player IN
        SELECT id, coins FROM accounts_player WHERE id IN (buyer, offer.seller_id) ORDER BY id FOR NO KEY UPDATE
    LOOP
        IF player.id = buyer THEN
            buyer_coins := player.coins;
        ELSE
            seller_coins := player.coins;
        END IF;
    END LOOP;
    SELECT * INTO offer FROM market_listing WHERE id = listing FOR UPDATE;
    -- The caller's clock, and the time that the locks took.
    moment := at + (clock_timestamp() - began);
    IF offer.status <> 'active' OR offer.expires_at <= moment THEN
        outcome := 'listing_not_active';
        detail := 'The listing is sold, cancelled or has run out.';
        RETURN;
    END IF;
    amount := coalesce(wanted, offer.remaining);
    IF amount > offer.remaining THEN
        outcome := 'insufficient_items';
        detail := format('%s remain of this listing.', offer.remaining);
        RETURN;
    END IF;
    total := amount * offer.unit_price;
    fee := market_fee(total, fee_percent);
    IF buyer_coins < total THEN
        outcome := 'insufficient_coins';
        detail := format('This takes %s coins; %s are there.', total, buyer_coins);
        RETURN;
    ELSIF seller_coins + total - fee > maximum THEN
        outcome := 'balance_limit';
        detail := format('A balance may not pass %s coins.', maximum);
        RETURN;
    END IF;
    SELECT quantity INTO held FROM inventory_inventoryitem
    WHERE player_id = buyer AND resource_id = offer.resource_id FOR UPDATE;
    IF coalesce(held, 0) + amount > maximum THEN
        outcome := 'balance_limit';
        detail := format('A holding may not pass %s pieces.', maximum);
        RETURN;
    END IF;

    INSERT INTO market_trade
        (listing_id, buyer_id, seller_id, resource_id, quantity, unit_price, total_price, fee, created_at)
    VALUES (listing, buyer, offer.seller_id, offer.resource_id, amount, offer.unit_price, total, fee, moment)
    RETURNING id INTO trade;

    INSERT INTO accounts_ledgertransfer (operation_id, reason, reference, created_at)
    VALUES (operation, 'trade', 'trade:' || trade, moment)
    RETURNING id INTO transfer;
    INSERT INTO accounts_ledgerentry (transfer_id, player_id, system_account, amount)
    SELECT transfer, side.player_id, side.account, side.coins
    FROM (VALUES
        (1, buyer, '', -total), (2, offer.seller_id, '', total - fee), (3, NULL, 'market_fee', fee)
    ) AS side (place, player_id, account, coins)
    WHERE side.coins <> 0
    ORDER BY side.place;
    UPDATE accounts_player SET coins = coins - total WHERE id = buyer;
    IF total > fee THEN
        UPDATE accounts_player SET coins = coins + total - fee WHERE id = offer.seller_id;
    END IF;

    UPDATE market_listing
    SET remaining = remaining - amount,
        status = CASE WHEN remaining = amount THEN 'sold' ELSE status END,
        closed_at = CASE WHEN remaining = amount THEN moment ELSE closed_at END
    WHERE id = listing;

    INSERT INTO inventory_inventoryitem (player_id, resource_id, quantity)
    VALUES (buyer, offer.resource_id, amount)
    ON CONFLICT (player_id, resource_id) DO UPDATE SET quantity = inventory_inventoryitem.quantity + excluded.quantity;
    INSERT INTO inventory_itemmovement (player_id, resource_id, quantity, reason, reference, created_at)
    VALUES (buyer, offer.resource_id, amount, 'purchase', 'trade:' || trade, moment);

    UPDATE accounts_playerstatistics SET sales_count = sales_count + 1, sales_value = sales_value + total
    WHERE player_id = offer.seller_id;
    UPDATE accounts_playerstatistics
    SET purchases_count = purchases_count + 1, purchases_value = purchases_value + total
    WHERE player_id = buyer;

    outcome := 'bought';
    bought_resource := offer.resource_id;
    body := convert_to(
        format(
            '{"status":"success","trade":{"id":%s,"listing_id":%s,"resource_id":%s,"buyer_id":%s,"seller_id":%s,'
            '"quantity":%s,"unit_price":%s,"total_price":%s,"fee":%s,"created_at":"%s"},"coins":%s}',
            trade, listing, offer.resource_id, buyer, offer.seller_id, amount, offer.unit_price, total, fee,
            to_char(moment AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), buyer_coins - total
        ),
        'UTF8'
    );
    IF idem_key IS NOT NULL THEN
        -- Over one whose time is over and that the sweep has not reached yet.
        INSERT INTO bcraftd_idempotencykey (player_id, key, fingerprint, status, body, created_at)
        VALUES (buyer, idem_key, idem_call, 200, market_buy.body, at)
        ON CONFLICT (player_id, key) DO UPDATE
        SET fingerprint = excluded.fingerprint, status = excluded.status, body = excluded.body,
            created_at = excluded.created_at;
    END IF;
END $$
"""
DROP_BUY = (
    "DROP FUNCTION market_buy(bigint, bigint, bigint, integer, bigint, timestamptz, uuid, text, bigint, text, interval)"
)

# --- 0005: by the one way to move coins and the one to move items ---

BUY_BY_MOVES = """
CREATE OR REPLACE FUNCTION market_buy(
    IN buyer bigint, IN listing bigint, IN wanted bigint, IN fee_percent integer, IN maximum bigint, IN at timestamptz,
    IN operation uuid, IN idem_key text, IN idem_lock bigint, IN idem_call text, IN idem_kept interval,
    OUT outcome text, OUT detail text, OUT body bytea, OUT bought_resource bigint
)
LANGUAGE plpgsql AS $$
DECLARE
    began CONSTANT timestamptz := clock_timestamp();
    ours boolean;
    kept bcraftd_idempotencykey%ROWTYPE;
    player record;
    buyer_coins bigint;
    seller_coins bigint;
    offer market_listing%ROWTYPE;
    amount bigint;
    total bigint;
    fee bigint;
    moment timestamptz;
    trade bigint;
BEGIN
    IF idem_key IS NOT NULL THEN
        ours := pg_try_advisory_xact_lock(idem_lock);
        -- In a statement of its own: it has to see what the holder of the lock before us has committed.
        SELECT * INTO kept FROM bcraftd_idempotencykey AS k
        WHERE k.player_id = buyer AND k.key = idem_key AND k.created_at > at - idem_kept;
        IF FOUND AND kept.fingerprint <> idem_call THEN
            outcome := 'idempotency_key_reused';
            RETURN;
        ELSIF FOUND THEN
            outcome := 'replayed';
            body := kept.body;
            RETURN;
        ELSIF NOT ours THEN
            outcome := 'idempotency_in_progress';
            RETURN;
        END IF;
    END IF;

    -- Without a lock: who sells never changes.
    SELECT * INTO offer FROM market_listing WHERE id = listing;
    IF NOT FOUND THEN
        outcome := 'not_found';
        detail := format('There is no listing %s.', listing);
        RETURN;
    ELSIF offer.seller_id = buyer THEN
        outcome := 'own_listing';
        detail := 'This is your own listing. Cancel it to have the items back.';
        RETURN;
    END IF;
    FOR player IN
        SELECT id, coins FROM accounts_player WHERE id IN (buyer, offer.seller_id) ORDER BY id FOR NO KEY UPDATE
    LOOP
        IF player.id = buyer THEN
            buyer_coins := player.coins;
        ELSE
            seller_coins := player.coins;
        END IF;
    END LOOP;
    SELECT * INTO offer FROM market_listing WHERE id = listing FOR UPDATE;
    -- The caller's clock, and the time that the locks took.
    moment := at + (clock_timestamp() - began);
    IF offer.status <> 'active' OR offer.expires_at <= moment THEN
        outcome := 'listing_not_active';
        detail := 'The listing is sold, cancelled or has run out.';
        RETURN;
    END IF;
    amount := coalesce(wanted, offer.remaining);
    IF amount > offer.remaining THEN
        outcome := 'insufficient_items';
        detail := format('%s remain of this listing.', offer.remaining);
        RETURN;
    END IF;
    total := amount * offer.unit_price;
    fee := market_fee(total, fee_percent);
    IF buyer_coins < total THEN
        outcome := 'insufficient_coins';
        detail := format('This takes %s coins; %s are there.', total, buyer_coins);
        RETURN;
    ELSIF seller_coins + total - fee > maximum THEN
        outcome := 'balance_limit';
        detail := format('A balance may not pass %s coins.', maximum);
        RETURN;
    END IF;
    trade := nextval(pg_get_serial_sequence('market_trade', 'id'));
    SELECT moved.refused, moved.detail INTO outcome, detail
    FROM items_move(
        buyer, ARRAY[offer.resource_id], ARRAY[amount], 'purchase', 'trade:' || trade, moment, maximum
    ) AS moved;
    IF outcome IS NOT NULL THEN
        RETURN;
    END IF;

    INSERT INTO market_trade
        (id, listing_id, buyer_id, seller_id, resource_id, quantity, unit_price, total_price, fee, created_at)
    VALUES (trade, listing, buyer, offer.seller_id, offer.resource_id, amount, offer.unit_price, total, fee, moment);

    -- Both balances have been looked at above.
    IF (SELECT paid.refused FROM coins_transfer(
        operation, 'trade', 'trade:' || trade, moment, maximum, ARRAY[buyer, offer.seller_id, NULL],
        ARRAY['', '', 'market_fee'], ARRAY[-total, total - fee, fee]
    ) AS paid) IS NOT NULL THEN
        RAISE EXCEPTION 'the coins of trade % cannot move', trade;
    END IF;

    UPDATE market_listing
    SET remaining = remaining - amount,
        status = CASE WHEN remaining = amount THEN 'sold' ELSE status END,
        closed_at = CASE WHEN remaining = amount THEN moment ELSE closed_at END
    WHERE id = listing;

    UPDATE accounts_playerstatistics SET sales_count = sales_count + 1, sales_value = sales_value + total
    WHERE player_id = offer.seller_id;
    UPDATE accounts_playerstatistics
    SET purchases_count = purchases_count + 1, purchases_value = purchases_value + total
    WHERE player_id = buyer;

    outcome := 'bought';
    bought_resource := offer.resource_id;
    body := convert_to(
        format(
            '{"status":"success","trade":{"id":%s,"listing_id":%s,"resource_id":%s,"buyer_id":%s,"seller_id":%s,'
            '"quantity":%s,"unit_price":%s,"total_price":%s,"fee":%s,"created_at":"%s"},"coins":%s}',
            trade, listing, offer.resource_id, buyer, offer.seller_id, amount, offer.unit_price, total, fee,
            to_char(moment AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), buyer_coins - total
        ),
        'UTF8'
    );
    IF idem_key IS NOT NULL THEN
        -- Over one whose time is over and that the sweep has not reached yet.
        INSERT INTO bcraftd_idempotencykey (player_id, key, fingerprint, status, body, created_at)
        VALUES (buyer, idem_key, idem_call, 200, market_buy.body, at)
        ON CONFLICT (player_id, key) DO UPDATE
        SET fingerprint = excluded.fingerprint, status = excluded.status, body = excluded.body,
            created_at = excluded.created_at;
    END IF;
END $$
"""

# outcome: `listed`, or a refusal's code with a sentence in detail.
LIST = """
CREATE FUNCTION market_list(
    IN seller bigint, IN listed bigint, IN amount bigint, IN price bigint, IN at timestamptz, IN until timestamptz,
    IN maximum bigint,
    OUT outcome text, OUT detail text, OUT listing bigint, OUT resource_name text, OUT seller_login text
)
LANGUAGE plpgsql AS $$
DECLARE
    can_be_traded boolean;
BEGIN
    SELECT login INTO seller_login FROM accounts_player WHERE id = seller FOR NO KEY UPDATE;
    SELECT name, tradeable INTO resource_name, can_be_traded FROM inventory_resource WHERE id = listed;
    IF NOT FOUND THEN
        outcome := 'not_found';
        detail := format('There is no resource %s.', listed);
        RETURN;
    ELSIF NOT can_be_traded THEN
        outcome := 'not_tradeable';
        detail := format('%s cannot be traded.', resource_name);
        RETURN;
    END IF;
    listing := nextval(pg_get_serial_sequence('market_listing', 'id'));
    SELECT moved.refused, moved.detail INTO outcome, detail
    FROM items_move(seller, ARRAY[listed], ARRAY[-amount], 'escrow', 'listing:' || listing, at, maximum) AS moved;
    IF outcome IS NOT NULL THEN
        RETURN;
    END IF;
    INSERT INTO market_listing
        (id, seller_id, resource_id, quantity, remaining, unit_price, status, views, created_at, expires_at)
    VALUES (listing, seller, listed, amount, amount, price, 'active', 0, at, until);
    outcome := 'listed';
END $$
"""
DROP_LIST = "DROP FUNCTION market_list(bigint, bigint, bigint, bigint, timestamptz, timestamptz, bigint)"
