"""manage.py leaderboard_refresh"""

from typing import Any

from bcraftd.commands import ReportingCommand
from leaderboard.services import leaderboard_refresh


class Command(ReportingCommand):
    help = (
        "Refreshes the leaderboard now, after a refresh that is running. Example: manage.py leaderboard_refresh --json"
    )

    waiting = "refreshing"

    def run(self, **options: Any) -> dict[str, Any]:
        refreshed = leaderboard_refresh(wait=True)
        assert refreshed is not None
        return {"rows": refreshed.rows, "as_of": refreshed.as_of}
