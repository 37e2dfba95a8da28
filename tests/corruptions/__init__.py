"""What somebody may do by hand to the world of tests/audit_world.py, and which check of the audit has to find it."""

from tests.audit_world import Corruption
from tests.corruptions.coins import COINS
from tests.corruptions.items import ITEMS
from tests.corruptions.listings import LISTINGS
from tests.corruptions.loose import GUARDS, ORPHANS
from tests.corruptions.trades import TRADES

CORRUPTIONS: list[Corruption] = [*COINS, *ITEMS, *LISTINGS, *TRADES, *ORPHANS, *GUARDS]
