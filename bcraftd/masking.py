"""No secret in a log, whoever wrote the line: the last thing that happens to a line before it is written.

Nothing of ours logs a secret in the first place. This is for the text that comes from elsewhere: an exception's
message, a library that says more at DEBUG, a client that puts its token into a path.
"""

import json
import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote

MASK = "[secret]"
# JSON Web Tokens, the players' own and anybody else's: the first part of each begins with {" in Base64.
_TOKEN = r"eyJ[A-Za-z0-9_-]{16,}(?:\.[A-Za-z0-9_-]*){0,2}"  # noqa: S105 - a pattern
# A shorter word would be masked where it means something else. Keys have 32 bytes at least; checks.py sees to that.
_SHORTEST = 8


class Masked:
    """A structlog processor behind the renderer. secrets: our own, as they are written in the settings."""

    def __init__(self, secrets: Iterable[str]) -> None:
        written = {form for secret in secrets if len(secret) >= _SHORTEST for form in _forms(secret)}
        self._search = re.compile("|".join([_TOKEN, *map(re.escape, sorted(written, key=len, reverse=True))]))

    def __call__(self, logger: Any, method: str, line: str) -> str:
        """The line without them."""
        return self._search.sub(MASK, line)


def _forms(secret: str) -> set[str]:
    """How a secret may stand in a line of JSON: as it is, escaped, and as a part of a URL."""
    return {secret, json.dumps(secret)[1:-1], quote(secret, safe="")}
