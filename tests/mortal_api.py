"""The API as granian serves it, in a process that kills itself at a step of the first write, once: for the tests.

MORTAL_FLAG names a file and its text the step (bcraftd.cache.steps): the process that reaches it takes the file away
and dies, as by `kill -9`.
"""

import os
import signal
from pathlib import Path

from bcraftd.wsgi import application

from bcraftd.cache import steps  # isort: skip - Django has to be set up first

__all__ = ["application"]
_flag = Path(os.environ["MORTAL_FLAG"])


def _at(step: str) -> None:
    if _flag.exists() and _flag.read_text() == step:
        _flag.unlink()
        os.kill(os.getpid(), signal.SIGKILL)


steps.watch(_at)
