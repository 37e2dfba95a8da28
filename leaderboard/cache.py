"""What the leaderboard keeps in Redis: the boards, by sort, page and length.

Nothing in the table: no write makes a board stale, the refresh of the view does, and replaces them (services).
"""

from bcraftd.cache import Entry, When

BOARD = Entry(family="leaderboard", key="leaderboard:board", ttl="CACHE_LEADERBOARD_TTL", variants=True)

ENTRIES = [BOARD]
TABLE: list[When] = []
