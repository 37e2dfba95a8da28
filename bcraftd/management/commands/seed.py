"""manage.py seed"""

from typing import Any

from bcraftd.commands import ReportingCommand
from environment.seeding import environment_seed
from inventory.seeding import catalogue_seed


class Command(ReportingCommand):
    help = (
        "Loads the starting catalogue, seasons and weathers. Again, it changes nothing. Example: manage.py seed --json"
    )

    def run(self, **options: Any) -> dict[str, int]:
        return {"created": catalogue_seed() + environment_seed()}
