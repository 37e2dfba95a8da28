"""The processes that serve together: each counts into files of its own, and whichever is scraped adds all of them up.

What a dead process has counted stays, because a counter must not fall. What it was doing goes: nobody but us would
say so, since granian, unlike gunicorn, tells nobody that a worker died.
"""

import os
import re
from pathlib import Path

from prometheus_client.multiprocess import mark_process_dead

from bcraftd.measuring import PROCESSES

_NOW = re.compile(r"gauge_live[a-z]*_(\d+)\.db")


def serves() -> None:
    """This process serves from now on."""
    PROCESSES.set(1)


def forget_dead() -> None:
    """Takes what dead processes were doing out of the sums. Where one process serves alone there is nothing to do."""
    folder = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
    if not folder:
        return
    found = (_NOW.fullmatch(path.name) for path in Path(folder).glob("gauge_live*.db"))
    for pid in {int(match[1]) for match in found if match}:
        if not _lives(pid):
            mark_process_dead(pid)


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
