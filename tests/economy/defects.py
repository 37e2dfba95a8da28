"""Defects to build in, by which the run shows that it would find them."""

from collections.abc import Mapping

# Name to what is wrong then; app.py does it. Apart from it, because that can be imported by the API only.
DEFECTS: Mapping[str, str] = {
    "lock": "no row is locked, so that two writes at once both begin from the same balance",
    "key": "an Idempotency-Key is not looked at, so that a call that is repeated is done again",
    "return": "a cancelled listing gives back what was listed, not what remained",
}
