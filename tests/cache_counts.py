"""What the tests of cache_stats share."""

import json
from typing import Any

from django.db import connection, transaction

from bcraftd.cache import outbox
from tests.programs import command


def report(*words: str) -> dict[str, Any]:
    """What cache_stats prints for programs."""
    found = json.loads(command("cache_stats", "--json", *words))
    assert isinstance(found, dict)
    return found


def market(*words: str) -> dict[str, Any]:
    """The market's part of it."""
    return dict(report(*words)["families"]["market"])


def owe(**names: str) -> None:
    """Leaves keys in the outbox, each with its family, as a write does that Redis does not take."""
    with transaction.atomic():
        outbox.write({key.replace("_", ":"): family for key, family in names.items()}, connection)
