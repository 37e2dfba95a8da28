"""The view's definition, for the migration. A later change of it is a new migration with a new text."""

# The order is total: score descending, then player_id. Scores are exact decimals: no float makes two rows trade places.
CREATE = """
CREATE MATERIALIZED VIEW mv_leaderboard AS
SELECT
    row_number() OVER (ORDER BY scored.global_score DESC, scored.player_id) AS rank,
    scored.*,
    statement_timestamp() AS as_of
FROM (
    SELECT
        player.id AS player_id,
        player.login,
        player.level,
        player.experience,
        player.coins,
        coalesce(work.profession_count, 0) AS profession_count,
        coalesce(work.total_profession_level, 0) AS total_profession_level,
        coalesce(work.expert_professions, 0) AS expert_professions,
        coalesce(work.master_professions, 0) AS master_professions,
        statistics.items_crafted AS total_items_crafted,
        statistics.sales_value AS total_sales_value,
        (10 * player.level
            + 5 * coalesce(work.total_profession_level, 0)
            + 500 * coalesce(work.master_professions, 0)
            + 250 * coalesce(work.expert_professions, 0)
            + 0.1 * statistics.items_crafted
            + 0.01 * statistics.sales_value)::numeric(30, 2) AS global_score
    FROM accounts_player AS player
    JOIN accounts_playerstatistics AS statistics ON statistics.player_id = player.id
    LEFT JOIN (
        SELECT
            player_id,
            count(*) AS profession_count,
            sum(level)::bigint AS total_profession_level,
            count(*) FILTER (WHERE level >= 35 AND level < 50) AS expert_professions,
            count(*) FILTER (WHERE level >= 50) AS master_professions
        FROM inventory_playerprofession
        GROUP BY player_id
    ) AS work ON work.player_id = player.id
    WHERE player.is_active
) AS scored
"""

INDEXES = """
CREATE UNIQUE INDEX mv_leaderboard_player ON mv_leaderboard (player_id);
CREATE UNIQUE INDEX mv_leaderboard_rank ON mv_leaderboard (rank);
CREATE INDEX mv_leaderboard_coins ON mv_leaderboard (coins DESC, player_id);
CREATE INDEX mv_leaderboard_level ON mv_leaderboard (level DESC, player_id);
CREATE INDEX mv_leaderboard_crafted ON mv_leaderboard (total_items_crafted DESC, player_id);
CREATE INDEX mv_leaderboard_sales ON mv_leaderboard (total_sales_value DESC, player_id);
"""

DROP = "DROP MATERIALIZED VIEW mv_leaderboard"

# --- 0002: a place for each sort ---

# A page far down is found by its first place, like the first one: OFFSET walks over all rows before it, which among a
# million players took longer than a request may.
_PLACES = """row_number() OVER (ORDER BY scored.coins DESC, scored.player_id) AS coins_place,
    row_number() OVER (ORDER BY scored.level DESC, scored.player_id) AS level_place,
    row_number() OVER (ORDER BY scored.total_items_crafted DESC, scored.player_id) AS crafted_place,
    row_number() OVER (ORDER BY scored.total_sales_value DESC, scored.player_id) AS sales_place,
    scored.*,"""
CREATE_WITH_PLACES = CREATE.replace("scored.*,", _PLACES)

INDEXES_OF_PLACES = """
CREATE UNIQUE INDEX mv_leaderboard_player ON mv_leaderboard (player_id);
CREATE UNIQUE INDEX mv_leaderboard_rank ON mv_leaderboard (rank);
CREATE INDEX mv_leaderboard_coins ON mv_leaderboard (coins_place);
CREATE INDEX mv_leaderboard_level ON mv_leaderboard (level_place);
CREATE INDEX mv_leaderboard_crafted ON mv_leaderboard (crafted_place);
CREATE INDEX mv_leaderboard_sales ON mv_leaderboard (sales_place);
"""
