"""Reads of the leaderboard."""

from typing import Any

from django.db.models import Max, QuerySet

from bcraftd.cache import Answer, Fresh
from leaderboard.cache import BOARD
from leaderboard.models import LeaderboardRow

COLUMNS = (
    "rank", "player_id", "login", "level", "experience", "coins", "profession_count", "total_profession_level",
    "expert_professions", "master_professions", "total_items_crafted", "total_sales_value", "global_score",
)  # fmt: skip

# What each sort orders by; `rank` is always the rank by score.
SORTS: dict[str, tuple[str, ...]] = {
    "score": ("rank",),
    "coins": ("-coins", "player_id"),
    "level": ("-level", "player_id"),
    "crafted": ("-total_items_crafted", "player_id"),
    "sales": ("-total_sales_value", "player_id"),
}
DEFAULT = {"sort": "score", "limit": 100, "offset": 0}


def board_get(*, sort: str = "score", limit: int = 100, offset: int = 0) -> Answer | None:
    """A page of a board, through the cache."""
    return BOARD.get(variant={"sort": sort, "limit": limit, "offset": offset})


@BOARD.filler
def _board(sort: str, limit: int, offset: int) -> Fresh:
    """Two queries. The highest rank is the number of rows, which an index knows and a COUNT does not."""
    found = LeaderboardRow.objects.aggregate(total=Max("rank"), as_of=Max("as_of"))
    return Fresh(
        {
            "as_of": found["as_of"],
            "total": found["total"] or 0,
            "leaderboard": _rows(LeaderboardRow.objects.order_by(*SORTS[sort])[offset : offset + limit]),
        }
    )


def _rows(rows: QuerySet[LeaderboardRow]) -> list[dict[str, Any]]:
    """A refresh swaps all rows at once, so that one query never shows two states."""
    return list(rows.values(*COLUMNS, "as_of"))


def place_of(player_id: int) -> dict[str, Any] | None:
    """A player's own row as of the last refresh, None where it does not know the player. One query."""
    rows = _rows(LeaderboardRow.objects.filter(player_id=player_id))
    return rows[0] if rows else None


def board_around(*, player_id: int, around: int) -> dict[str, Any]:
    """A player's row and so many before and after it. Two queries."""
    row = place_of(player_id)
    if row is None:
        as_of = LeaderboardRow.objects.values_list("as_of", flat=True).first()
        return {"as_of": as_of, "rank": None, "row": None, "around": []}
    near = LeaderboardRow.objects.filter(rank__gte=row["rank"] - around, rank__lte=row["rank"] + around)
    return {"as_of": row["as_of"], "rank": row["rank"], "row": row, "around": _rows(near.order_by("rank"))}
