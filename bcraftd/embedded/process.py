"""One server process: started on a leash (see guard.py), logged to a file, stopped by a signal and a grace period."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from bcraftd.embedded.files import open_log, tail

_GUARD = Path(__file__).with_name("guard.py")
_DEFERRED = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}


class ServerError(RuntimeError):
    """A server could not be started or ended by itself; the text says which, why, and what to do."""


def free_port(host: str = "127.0.0.1") -> int:
    """A TCP port that was free on `host` a moment ago; another process may still be quicker to take it."""
    with socket.socket() as probe:
        probe.bind((host, 0))
        port: int = probe.getsockname()[1]
        return port


def port_was_taken(error: ServerError) -> bool:
    """Whether a start failed only because somebody else was quicker to take the port that was free."""
    return "Address already in use" in str(error)


@contextmanager
def _deferred_signals() -> Iterator[None]:
    """Hold Ctrl-C and its like back, so that none strikes between the birth of a process and the note of its id."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _DEFERRED)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class Child:
    """A command that runs in a session of its own and never outlives this process.

    `argv` and `env` are given to the command, `cwd` is where it runs. Its output is appended to `log`. `stop_signal`
    goes to the command's first process alone; what is left of it and its descendants after `grace` seconds gets
    SIGKILL. The files in `keep_fds` stay open until all of it has ended, also when this process was killed: a lock
    among them thus covers the clean-up too.
    """

    def __init__(
        self,
        name: str,
        argv: Sequence[str | Path],
        *,
        log: Path,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        stop_signal: signal.Signals = signal.SIGTERM,
        grace: float = 15.0,
        keep_fds: Sequence[int] = (),
    ) -> None:
        self.name = name
        self.log = log
        self.grace = grace
        self._argv = [str(part) for part in argv]
        self._cwd = cwd
        self._env = env
        self._stop_signal = stop_signal
        self._keep_fds = tuple(keep_fds)
        self._guard: subprocess.Popen[bytes] | None = None
        self._pid = 0

    @property
    def pid(self) -> int:
        """The process id of the command itself (not of its guard); 0 before the first start."""
        return self._pid

    @property
    def running(self) -> bool:
        """Whether the command, or anything that it started, is still there."""
        return self._guard is not None and self._guard.poll() is None

    def start(self) -> None:
        """Start the command. Raises ServerError if it runs already or its guard can't be started."""
        if self.running:
            raise ServerError(f"{self.name} is running already (process {self.pid}).")
        self._pid = 0
        # -I and -S keep the guard small and away from the checkout's own modules: it needs the standard library only.
        guard = [sys.executable, "-I", "-S", str(_GUARD)]
        told = [str(os.getpid()), str(int(self._stop_signal)), str(self.grace)]
        log = open_log(self.log)
        try:
            with _deferred_signals():
                self._guard = subprocess.Popen(
                    [*guard, *told, *self._argv],
                    cwd=self._cwd,
                    env=None if self._env is None else dict(self._env),
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    start_new_session=True,
                    pass_fds=self._keep_fds,
                )
        finally:
            os.close(log)
        if self._guard.stdout is not None:
            with self._guard.stdout as told_back:
                self._pid = int(told_back.readline() or 0)
        if not self._pid:
            raise ServerError(f"{self.name} could not be started:\n{self.tail()}")

    def wait(self, seconds: float | None = None) -> int | None:
        """Wait for the command's end, at most `seconds`. Returns its exit status, None if it still runs."""
        if self._guard is None:
            return None
        try:
            return self._guard.wait(seconds)
        except subprocess.TimeoutExpired:
            return None

    def stop(self) -> None:
        """Stop the command and everything below it; returns when all is gone. Stopping twice changes nothing."""
        if self._guard is None:
            return
        self._guard.terminate()
        # The guard kills what outlives the grace period; the rest of this wait is for a machine that is very busy.
        if self.wait(self.grace + 30) is None:
            self._guard.kill()
            self._guard.wait()
        if self._guard.returncode < 0:
            self._clear_group(self._guard.pid)

    def _clear_group(self, group: int) -> None:
        """After the guard itself was killed: its command has been told to stop by the kernel, and may not have."""
        with suppress(ProcessLookupError):
            for _ in Deadline(self.grace).ticks():
                os.killpg(group, 0)
            os.killpg(group, signal.SIGKILL)

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the command's first process. Raises ServerError if nothing runs."""
        if not self.running:
            raise ServerError(f"{self.name} does not run.")
        os.kill(self.pid, number)

    def tail(self, lines: int = 30) -> str:
        """The last lines of the log."""
        return tail(self.log, lines)


class Deadline:
    """Time left for something that others have to do: `seconds` from now, on the monotonic clock."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._end = time.monotonic() + seconds

    def ticks(self, every: float = 0.1) -> Iterator[None]:
        """Yield at once, then each `every` seconds, until the time is over."""
        while True:
            yield
            if time.monotonic() > self._end:
                return
            time.sleep(every)
