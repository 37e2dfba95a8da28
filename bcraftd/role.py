"""What the one image runs as: `python -m bcraftd.role api|worker|migrate`.

Every role is told by the environment (.env.example), writes to nothing but its temporary folder, and stops at SIGTERM.
"""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import FrameType

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.management import execute_from_command_line

from bcraftd import draining

ROOT = Path(__file__).resolve().parent.parent
# Four threads a process, because each holds a connection to PostgreSQL, which allows 100 in all.
THREADS = 4
# How long granian waits for answers that it has begun. docker-compose.yml allows DRAIN_SECONDS and this.
KILL_SECONDS = 20
# A timer of nothing would be none.
AT_ONCE = 0.001


def granian() -> list[str]:
    """The command that serves the API, as the settings have it."""
    where = ["--interface", "wsgi", "--host", settings.BIND, "--port", str(settings.PORT), "--no-ws"]
    workers = ["--workers", str(settings.WEB_WORKERS), "--blocking-threads", str(THREADS)]
    deaths = ["--respawn-failed-workers", "--workers-kill-timeout", str(KILL_SECONDS)]
    return [sys.executable, "-m", "granian", *where, *workers, *deaths, "bcraftd.wsgi:application"]


class Instance:
    """A server that leaves in two steps: told to stop, it first drains for some seconds, and answers all the while.

    `command` is the server, which SIGTERM ends; `drain_file` is what it is told by that it drains.
    """

    def __init__(self, command: list[str], environment: Mapping[str, str], drain_file: Path, seconds: float) -> None:
        self._command = command
        self._environment = environment
        self._drain_file = drain_file
        self._seconds = seconds
        self._server: subprocess.Popen[bytes] | None = None
        self._draining = False

    def run(self) -> int:
        """Start the server; return when it has ended: its own status, or 1 where it ended well and nobody had asked."""
        signal.signal(signal.SIGALRM, self._stop)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            if signal.getsignal(number) != signal.SIG_IGN:  # as under `nohup`
                signal.signal(number, self._told_to_stop)
        # In a group of its own: Ctrl-C at a terminal goes to a whole group, and would end the server before it drains.
        self._server = subprocess.Popen(self._command, env=self._environment, process_group=0)  # noqa: S603 - our own words
        try:
            code = self._server.wait()
        finally:
            # Its workers outlive a main process that was killed, and would keep the port.
            with suppress(ProcessLookupError):
                os.killpg(self._server.pid, signal.SIGKILL)
        if not self._draining:
            say(f"The API's server ended by itself (status {code}).")
            code = code or 1
        return code if code >= 0 else 128 - code

    def _told_to_stop(self, number: int, frame: FrameType | None) -> None:
        """Drain; told so again, don't wait any longer."""
        seconds = 0.0 if self._draining else self._seconds
        if not self._draining:
            self._draining = True
            draining.begin(self._drain_file)
            say(f"Not ready any more; the server stops in {seconds:.0f} s.")
        signal.setitimer(signal.ITIMER_REAL, seconds or AT_ONCE)

    def _stop(self, number: int, frame: FrameType | None) -> None:
        if self._server is None:
            # It is being started at this moment.
            signal.setitimer(signal.ITIMER_REAL, 0.1)
        else:
            self._server.terminate()


def say(text: str) -> None:
    """One line of the log, in the form of granian's own."""
    sys.stderr.write(f"[INFO] {text}\n")
    sys.stderr.flush()


def api() -> int:
    """Serve; returns the exit status."""
    # The workers share their metrics through files: a new folder at each start, so that no dead process is counted.
    with tempfile.TemporaryDirectory(prefix="bcraftd-") as folder:
        metrics, drain_file = Path(folder) / "metrics", Path(folder) / "draining"
        metrics.mkdir()
        shared = {"PROMETHEUS_MULTIPROC_DIR": str(metrics), draining.FILE: str(drain_file)}
        return Instance(granian(), {**os.environ, **shared}, drain_file, settings.DRAIN_SECONDS).run()


def worker() -> int:
    """Become the cluster that works in the background: its signals are for it alone, and nobody is in between."""
    command = [sys.executable, str(ROOT / "manage.py"), "qcluster"]
    os.execv(command[0], command)  # noqa: S606 - no shell, as it would take the signals instead # nosec B606


def migrate() -> int:
    """Bring the database up to this release; returns 0. A command that fails ends the process with its own status."""
    execute_from_command_line(["manage.py", "migrate", "--noinput"])
    execute_from_command_line(["manage.py", "seed"])
    return 0


ROLES = {"api": api, "worker": worker, "migrate": migrate}


def main() -> int:
    """Play the role that the command line names; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m bcraftd.role", description="What the image runs as.")
    parser.add_argument("role", choices=ROLES)
    role = parser.parse_args().role
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "bcraftd.settings")
    try:
        return ROLES[role]()
    except ImproperlyConfigured as error:
        say(str(error))
        return 1


if __name__ == "__main__":
    sys.exit(main())
