"""What the leaderboard keeps in Redis: the boards, by sort, page and length.

Nothing in the table: no write makes a board stale, the refresh of the view does, and replaces them (services).
"""

from bcraftd.cache import Entry, Hot, When, hot

BOARD = Entry(
    family="leaderboard",
    key="leaderboard:board",
    ttl="CACHE_LEADERBOARD_TTL",
    variants=True,
    hot=(
        Hot(
            "/api/leaderboard",
            {
                "sort": hot.word(default="score"),
                "limit": hot.digits(default=100),
                "offset": hot.digits(default=0),
            },
            source=True,
        ),
    ),
)

ENTRIES = [BOARD]
TABLE: list[When] = []
