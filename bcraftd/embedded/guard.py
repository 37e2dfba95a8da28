"""The leash of one server: a tiny process between the one who started it and the server itself.

Run by path (`python -I -S guard.py PARENT SIGNAL GRACE COMMAND...`), never imported by the servers. It exists for
`kill -9`: a runner that is killed can clean nothing up, and a parent-death signal alone reaches only the direct
child, which may itself have been killed or may hang while it stops its workers. The guard adopts every orphan
below it (PR_SET_CHILD_SUBREAPER), so that it can stop all of them, whoever died first.
"""

import ctypes
import os
import signal
import sys
import time
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_STOP_SIGNALS = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP}
# How often the guard looks whether its parent still lives, in seconds: four idle guards wake up 20 times a second.
_LOOK_EVERY = 0.2


def _prctl(option: int, value: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(option, value, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl was refused")


def _become(command: list[str], stop_signal: int, guard: int) -> None:
    """Turn the freshly forked child into the server; it stops by itself, should even the guard be killed."""
    _prctl(_PR_SET_PDEATHSIG, stop_signal)
    if os.getppid() != guard:
        os._exit(1)
    # A shell that runs `make up &` hands down SIGINT as ignored, and Python ignores SIGPIPE: servers want neither.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE, signal.SIGQUIT):
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, set())
    os.dup2(2, 1)
    os.execvp(command[0], command)  # noqa: S606 - no shell, as it would take the signals instead # nosec B606


def _fork(command: list[str], stop_signal: int) -> int:
    guard = os.getpid()
    child = os.fork()
    if child == 0:
        try:
            _become(command, stop_signal, guard)
        except OSError as error:
            os.write(2, f"{command[0]}: {error}\n".encode())
        finally:
            os._exit(127)
    return child


def _reap(child: int) -> int | None:
    """Collect everything that ended; the exit code of `child` if it was among them."""
    code = None
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return code
        if pid == 0:
            return code
        if pid == child:
            code = os.waitstatus_to_exitcode(status)


def _children() -> list[int]:
    """Direct children, adopted ones included. The name in /proc/N/stat may hold spaces, hence the last bracket."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(stat.read_text(errors="replace").rpartition(")")[2].split()[1])
        except (OSError, IndexError):
            continue
        if parent == os.getpid():
            found.append(int(stat.parent.name))
    return found


def _kill_the_rest() -> None:
    """SIGKILL every descendant that is left: those of a killed process come to the guard, and go in the next round."""
    while children := _children():
        for pid in children:
            os.kill(pid, signal.SIGKILL)
        for pid in children:
            os.waitpid(pid, 0)


def _watch(child: int, parent: int, stop_signal: int, grace: float) -> int:
    deadline = None
    while (code := _reap(child)) is None:
        if deadline is not None and time.monotonic() > deadline:
            return 128 + signal.SIGKILL
        told = signal.sigtimedwait(_STOP_SIGNALS | {signal.SIGCHLD}, _LOOK_EVERY)
        asked = told is not None and told.si_signo in _STOP_SIGNALS
        if deadline is None and (asked or os.getppid() != parent):
            # To the server alone, never its group: a django-q2 cluster hangs when its workers are told as well.
            os.kill(child, stop_signal)
            os.kill(child, signal.SIGCONT)
            deadline = time.monotonic() + grace
    return code if code >= 0 else 128 - code


def main(arguments: list[str]) -> int:
    """Run a command until it ends, is told to stop, or the parent is gone; leave nothing of it behind.

    Arguments: the parent's process id, the number of the signal that stops the command, seconds of grace before
    SIGKILL, and the command. The command's process id is written to standard output, its own output goes to standard
    error. Returns the command's exit status (128 + N after signal N).
    """
    parent, stop_signal, grace = int(arguments[0]), int(arguments[1]), float(arguments[2])
    signal.pthread_sigmask(signal.SIG_BLOCK, _STOP_SIGNALS | {signal.SIGCHLD})
    for name in os.listdir("/proc/self/fd"):
        if int(name) > 2 and os.path.exists(f"/proc/self/fd/{name}"):
            # What the guard was handed to hold (a lock) is not for the server.
            os.set_inheritable(int(name), False)
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)
    child = _fork(arguments[3:], stop_signal)
    os.write(1, f"{child}\n".encode())
    os.close(1)
    code = _watch(child, parent, stop_signal, grace)
    _kill_the_rest()
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
