-- What a purchase does in PostgreSQL, for pgbench: one piece of a random open listing by a random player, under an
-- idempotency key of its own. A listing of bench/world.py is open where its id leaves 1 when divided by 3.
\set listing 1 + 3 * random(0, :listings / 3 - 1)
\set buyer random(1, :players)
\set key random(1, 9000000000000000)
BEGIN;
SELECT outcome, detail, body, bought_resource
FROM market_buy(:buyer, :listing, 1, 5, 9007199254740991, now(), gen_random_uuid(), (:key)::text, :key,
                repeat('0', 64), interval '1 day');
COMMIT;
