"""How long the economy's audit takes: a million entries of the ledger have to be looked through within a minute.

Run it with `.venv/bin/python -m bench.economy_audit [LISTINGS]`. It starts servers of its own, makes a consistent world
of that many listings (300,000 give a million entries and a million movements), audits it as the schedule does, then
takes one coin and one item away by hand and audits it again. It prints one JSON line.
"""

import json
import os
import sys

from bench import world
from tests import servers  # noqa: F401 - starts PostgreSQL, and must come before Django's settings

LISTINGS = 300_000
# As in a game that is going on: few players do most.
LISTINGS_A_PLAYER = 6

THEFT = """
SET LOCAL session_replication_role = replica;
UPDATE accounts_player SET coins = coins - 1 WHERE id = 7;
UPDATE inventory_inventoryitem SET quantity = quantity + 1 WHERE id = 7;
"""


def main() -> int:
    """Returns the exit status: 1 where the audit was wrong about the world, before the theft or after it."""
    import django

    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    call_command("seed", "--json", stdout=sys.stderr)
    _make(int(sys.argv[1]) if len(sys.argv) > 1 else LISTINGS)
    from bcraftd import economy

    before = economy.audit()
    _run(THEFT)
    after = economy.audit()
    seconds = [round(report.seconds, 2) for report in (before, after)]
    print(json.dumps({"seconds": seconds, "totals": before.totals, "found": after.problems}))  # noqa: T201
    found = {problem["kind"] for problem in after.problems}
    return int(not before.ok or found != {"balance_differs", "holding_differs", "resource_not_conserved"})


def _make(listings: int) -> None:
    from django.db import connection, transaction

    from bcraftd.transactions import unhurried

    with transaction.atomic(), connection.cursor() as cursor:
        unhurried()
        world.make(cursor, world.Size(listings, listings // LISTINGS_A_PLAYER))
    with connection.cursor() as cursor:
        for limit in ("statement_timeout", "transaction_timeout"):
            cursor.execute(f"SET {limit} = 0")
        # What autovacuum does within a minute of such a change.
        cursor.execute("VACUUM ANALYZE")


def _run(statements: str) -> None:
    from django.db import connection, transaction

    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statements)


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "bcraftd.settings")
    sys.exit(main())
