"""A task for a worker of the tests', by itself: whoever imports a module of tests starts the servers of the tests."""

import time
from pathlib import Path


def nap(file: str) -> str:
    """Takes a while, and says that it has begun by making a file."""
    Path(file).touch()
    time.sleep(3)
    return "slept well"
