"""What a run has done with Django, in processes of their own beside the API.

`python -m tests.economy.inside grant` gives what standard input says, `sweep` lets listings run out until it is
stopped, `audit` prints the economy's audit.
"""

import json
import random
import sys
import time

import django
from django.db import InterfaceError, OperationalError, connection

# Listings of more pieces stay: see ground.py.
LARGEST = 1000
SWEEP_SECONDS = 0.05
# How likely it is that a sweep finds a listing whose time has just come, besides those of the contests.
SHARE = 0.1


def grant() -> None:
    """`[[login, coins, {slug: quantity}], ...]`."""
    from inventory.services import player_grant

    for login, coins, items in json.load(sys.stdin):
        player_grant(login=login, coins=coins, items=items)


def sweep() -> None:
    """Again and again, also after PostgreSQL was away: what a sweep has not done the next one does."""
    while True:
        try:
            _sweep_once()
        except (OperationalError, InterfaceError):
            connection.close()
        time.sleep(SWEEP_SECONDS)


def _sweep_once() -> None:
    from django.utils import timezone

    from market.models import Listing
    from market.services import listings_expire

    if random.random() < SHARE:
        offered = Listing.objects.filter(status="active", quantity__lte=LARGEST).order_by("?")
        for pk in offered.values_list("pk", flat=True)[:1]:
            Listing.objects.filter(pk=pk, status="active").update(expires_at=timezone.now())
    listings_expire()


def audit() -> None:
    from bcraftd.economy import audit as look

    json.dump(look().shown(), sys.stdout)


if __name__ == "__main__":
    django.setup()
    {"grant": grant, "sweep": sweep, "audit": audit}[sys.argv[1]]()
