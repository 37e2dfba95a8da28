"""One `make up` at a time in a checkout: its lock, and what the others are told."""

import fcntl
import json
import os
import sys
from pathlib import Path
from typing import TextIO

from bcraftd.embedded.files import write_private
from bcraftd.embedded.process import Deadline, ServerError

ROOT = Path(__file__).resolve().parents[2]
STATE = ROOT / ".bcraftd"
_RUNNING = STATE / "running.json"
# How long a start waits for the servers of a run that was killed: longer than the longest of their grace periods.
EARLIER_RUN_SECONDS = 90.0


def say(text: str = "") -> None:
    """Print a line at once. A closed terminal or pipe must not keep the servers from being stopped."""
    try:
        print(text, flush=True)
    except OSError:
        # From here on into nothing: Python would try again at its end, and turn the exit status into 120.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def lock_checkout() -> TextIO | None:
    """The lock of this checkout, held until this process and all its servers are gone.

    None where another `make up` runs. Raises ServerError where a killed run's servers do not end.
    """
    lock = (STATE / "lock").open("a+")
    told = False
    for _ in Deadline(EARLIER_RUN_SECONDS).ticks(0.2):
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if _is_alive(_holder(lock)):
                lock.close()
                return None
            if not told:
                say("An earlier run was killed; waiting for its servers to end ...")
                told = True
            continue
        note_running(None)  # a killed run leaves its own
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        return lock
    raise ServerError(f"The servers of an earlier run have not ended: see `fuser -v {STATE / 'lock'}`.")


def _holder(lock: TextIO) -> int:
    """The process id in the lock file; 0 in the instant before it is written."""
    lock.seek(0)
    return int(lock.read().strip() or 0)


def _is_alive(pid: int) -> bool:
    """Whether a process runs; a zombie, which only waits for its parent to notice, does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        return pid == 0
    return state not in ("Z", "X")


def note_running(text: str | None) -> None:
    """Keep for a second `make up` what the first one printed; None takes the note away."""
    if text is None:
        _RUNNING.unlink(missing_ok=True)
    else:
        write_private(_RUNNING, json.dumps({"pid": os.getpid(), "text": text}))


def describe_running() -> str:
    """What a second `make up` prints about the first."""
    try:
        state = json.loads(_RUNNING.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return "B-CraftD is being started or stopped from another terminal in this checkout."
    return f"B-CraftD is running already, in process {state['pid']}.\n\n{state['text']}\n\nNothing was started."
