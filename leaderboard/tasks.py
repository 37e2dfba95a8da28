"""What django-q2 runs for the leaderboard."""

from leaderboard import services


def leaderboard_refresh() -> int | None:
    """Refreshes the view. Returns its rows, None where another refresh was running."""
    refreshed = services.leaderboard_refresh(wait=False)
    return None if refreshed is None else refreshed.rows
