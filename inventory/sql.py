"""The one way to move items, as a function of PostgreSQL, for the migration. A later change is a new migration."""

# The caller has locked the player. `quantities` are signed; resources come in the order of their ids, that of locks.
# Everything is looked at before anything is written: what is refused (a code, with a sentence in detail) has
# changed nothing. held: what is then there of each.
ITEMS_MOVE = """
CREATE FUNCTION items_move(
    IN mover bigint, IN resources bigint[], IN quantities bigint[], IN why text, IN about text, IN at timestamptz,
    IN maximum bigint,
    OUT refused text, OUT detail text, OUT held bigint[]
)
LANGUAGE plpgsql AS $$
DECLARE
    there bigint;
BEGIN
    held := ARRAY[]::bigint[];
    FOR place IN 1 .. cardinality(resources) LOOP
        SELECT quantity INTO there FROM inventory_inventoryitem
        WHERE player_id = mover AND resource_id = resources[place] FOR UPDATE;
        there := coalesce(there, 0);
        IF there + quantities[place] < 0 THEN
            refused := 'insufficient_items';
            detail := format(
                'This takes %s of resource %s; %s are there.', -quantities[place], resources[place], there
            );
            RETURN;
        ELSIF there + quantities[place] > maximum THEN
            refused := 'balance_limit';
            detail := format('A holding may not pass %s pieces.', maximum);
            RETURN;
        END IF;
        held := array_append(held, there + quantities[place]);
    END LOOP;
    INSERT INTO inventory_inventoryitem (player_id, resource_id, quantity)
    SELECT mover, moved.resource_id, moved.quantity FROM unnest(resources, held) AS moved (resource_id, quantity)
    ON CONFLICT (player_id, resource_id) DO UPDATE SET quantity = excluded.quantity;
    INSERT INTO inventory_itemmovement (player_id, resource_id, quantity, reason, reference, created_at)
    SELECT mover, moved.resource_id, moved.quantity, why, about, at
    FROM unnest(resources, quantities) WITH ORDINALITY AS moved (resource_id, quantity, place)
    ORDER BY moved.place;
END $$
"""
DROP_ITEMS_MOVE = "DROP FUNCTION items_move(bigint, bigint[], bigint[], text, text, timestamptz, bigint)"
