"""An instance that is about to stop says so first, so that a load balancer sends it nobody any more.

The process that leads an instance (bcraftd/role.py) and those that answer share one file: while it exists, `/readyz`
says 503. They find it by an environment variable, which the one hands down to the others.
"""

import os
from pathlib import Path

FILE = "BCRAFTD_DRAIN_FILE"


def begin(file: Path) -> None:
    """From now on every process whose environment names this file is draining."""
    file.touch(mode=0o600)


def has_begun() -> bool:
    """Whether this process's instance is draining; False where nobody leads it."""
    name = os.environ.get(FILE)
    return name is not None and os.path.exists(name)
