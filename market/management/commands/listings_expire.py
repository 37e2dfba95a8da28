"""manage.py listings_expire"""

from typing import Any

from bcraftd.commands import ReportingCommand
from market.services import listings_expire


class Command(ReportingCommand):
    help = (
        "Closes every overdue listing now; the schedule does it each minute. Example: manage.py listings_expire --json"
    )

    def run(self, **options: Any) -> dict[str, int]:
        return {"expired": listings_expire()}
