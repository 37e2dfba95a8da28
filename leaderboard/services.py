"""Refreshing the leaderboard."""

from dataclasses import dataclass
from datetime import datetime

from django.db import connection, transaction

from bcraftd.cache import drop
from bcraftd.transactions import unhurried
from leaderboard import selectors
from leaderboard.cache import BOARD
from leaderboard.models import LeaderboardRow

# What its sorts may take of memory: at a million rows a third less time than with PostgreSQL's 4 MB.
WORK_MEM = "256MB"
# An arbitrary number that names this lock in the database: "mvlb" in ASCII.
LOCK = 0x6D766C62


@dataclass(frozen=True, slots=True)
class Refreshed:
    """How many players the view then has, and the time that it shows; None where it has none."""

    rows: int
    as_of: datetime | None


def leaderboard_refresh(*, wait: bool) -> Refreshed | None:
    """Refreshes mv_leaderboard, CONCURRENTLY: readers see the old rows until the new ones are there.

    Never two at once: with `wait` the second one waits for the first, without it it leaves and returns None.
    The cached boards are replaced once the refresh has committed.
    """
    with transaction.atomic():
        if not _lock(wait):
            return None
        with connection.cursor() as cursor:
            cursor.execute("SELECT set_config('work_mem', %s, true)", [WORK_MEM])
            cursor.execute("REFRESH MATERIALIZED VIEW CONCURRENTLY mv_leaderboard")
        drop(BOARD)
        # The first page, which nearly everybody asks for, is there again before anybody asks.
        transaction.on_commit(selectors.board_get, robust=True)
    last = LeaderboardRow.objects.order_by("-rank").values_list("rank", "as_of").first()
    return Refreshed(*last) if last else Refreshed(0, None)


def _lock(wait: bool) -> bool:
    """An advisory lock that ends with the transaction, whatever becomes of this process."""
    # A million players take longer than a request may.
    unhurried()
    with connection.cursor() as cursor:
        if wait:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
            return True
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [LOCK])
        return bool(cursor.fetchone()[0])
