"""What runs in a folder, for the tests that start servers and must leave none behind."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

# How long a test waits for what has to come: generous, since a busy machine is slow, and no measure of anything.
PATIENCE = 120.0


def processes_in(folder: Path) -> dict[int, str]:
    """Process id and command of everything whose working folder is `folder` or below it; zombies have none."""
    root = str(folder.resolve())
    found = {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            place = os.readlink(entry / "cwd")
            if place == root or place.startswith(root + "/"):
                words = (entry / "cmdline").read_bytes().decode(errors="replace")
                found[int(entry.name)] = words.replace("\0", " ").strip()
        except OSError:
            continue  # it ended while we looked
    return found


def wait_until(ready: Callable[[], T], what: str) -> T:
    """Return the first true answer of `ready`; fail with `what` did not happen when patience runs out."""
    end = time.monotonic() + PATIENCE
    while not (answer := ready()):
        assert time.monotonic() < end, f"still not after {PATIENCE:.0f} s: {what}"
        time.sleep(0.1)
    return answer


def wait_until_empty(folder: Path) -> None:
    """Wait until nothing runs in the folder any more; fail with the names of what still does."""
    end = time.monotonic() + PATIENCE
    while left := processes_in(folder):
        assert time.monotonic() < end, f"left behind: {left}"
        time.sleep(0.1)
