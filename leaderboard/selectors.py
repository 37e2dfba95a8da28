"""Reads of the leaderboard."""

from datetime import datetime
from typing import Any

from django.db.models import QuerySet, Subquery

from bcraftd.cache import Answer, Fresh
from leaderboard.cache import BOARD
from leaderboard.models import LeaderboardRow

COLUMNS = (
    "rank", "player_id", "login", "level", "experience", "coins", "profession_count", "total_profession_level",
    "expert_professions", "master_professions", "total_items_crafted", "total_sales_value", "global_score",
)  # fmt: skip

# The column that counts places by each sort, from 1 without a gap; `rank` is always the rank by score.
SORTS = {
    "score": "rank",
    "coins": "coins_place",
    "level": "level_place",
    "crafted": "crafted_place",
    "sales": "sales_place",
}
DEFAULT_LIMIT = 100


def board_get(*, sort: str = "score", limit: int = DEFAULT_LIMIT, offset: int = 0) -> Answer | None:
    """A page of a board, through the cache."""
    return BOARD.get(variant={"sort": sort, "limit": limit, "offset": offset})


@BOARD.filler
def _board(sort: str, limit: int, offset: int) -> Fresh:
    """One query, and one more where the page is empty. Any page costs what the first one does."""
    place = SORTS[sort]
    rows = list(_board_rows().filter(**{f"{place}__gt": offset, f"{place}__lte": offset + limit}).order_by(place))
    # Where nothing is on the page, the first of all knows the rest.
    first = rows[0] if rows else _board_rows().order_by("rank").first()
    total = first["total"] if first else 0
    for row in rows:
        del row["total"]
    return Fresh({"as_of": first["as_of"] if first else None, "total": total, "leaderboard": rows})


def _board_rows() -> QuerySet[LeaderboardRow, dict[str, Any]]:
    """Rows with the number of all beside them, in one query: a refresh between two would mix two states.

    The highest rank is the number of rows, which an index knows and a COUNT does not.
    """
    last = LeaderboardRow.objects.order_by("-rank").values("rank")[:1]
    rows: QuerySet[LeaderboardRow, dict[str, Any]]
    rows = LeaderboardRow.objects.annotate(total=Subquery(last)).values(*COLUMNS, "as_of", "total")
    return rows


def place_of(player_id: int) -> dict[str, Any] | None:
    """A player's own row as of the last refresh, None where it does not know the player. One query."""
    row: dict[str, Any] | None = LeaderboardRow.objects.filter(player_id=player_id).values(*COLUMNS, "as_of").first()
    return row


def board_as_of() -> datetime | None:
    """When the board was last refreshed, None before the first time. One row, by an index."""
    return LeaderboardRow.objects.values_list("as_of", flat=True).first()


def board_around(*, player_id: int, around: int) -> dict[str, Any]:
    """A player's row and so many before and after it. One query, so that it is of one refresh; two where the last
    refresh does not know the player."""
    own = Subquery(LeaderboardRow.objects.filter(player_id=player_id).values("rank")[:1])
    near = LeaderboardRow.objects.filter(rank__gte=own - around, rank__lte=own + around)
    rows = list(near.order_by("rank").values(*COLUMNS, "as_of"))
    row = next((each for each in rows if each["player_id"] == player_id), None)
    if row is None:
        return {"as_of": board_as_of(), "rank": None, "row": None, "around": []}
    return {"as_of": row["as_of"], "rank": row["rank"], "row": row, "around": rows}
