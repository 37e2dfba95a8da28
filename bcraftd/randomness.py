"""The one source of chance in the game, replaceable so that a test can fix it."""

import random
from collections.abc import Iterator
from contextlib import contextmanager

# SystemRandom: players must not be able to predict a yield from those before it.
_source: random.Random = random.SystemRandom()


def source() -> random.Random:
    """The source in use."""
    return _source


@contextmanager
def fixed(seed: int) -> Iterator[random.Random]:
    """Uses a seeded source for the duration of a with block."""
    global _source
    before, _source = _source, random.Random(seed)  # noqa: S311 - for tests # nosec B311
    try:
        yield _source
    finally:
        _source = before
