"""Logs: one JSON object a line, with what the caller said beside the sentence."""

import json

from tests.programs import python

SAYS = """
import django
django.setup()
import logging
logging.getLogger("market.services").error("an overdue listing stays", extra={"listing": 7})
"""


def test_what_a_caller_gives_as_extra_stands_in_the_line(world: None) -> None:
    line = json.loads(python("-c", SAYS).stderr.splitlines()[-1])

    assert (line["event"], line["listing"]) == ("an overdue listing stays", 7)
    assert (line["logger"], line["level"]) == ("market.services", "error")
