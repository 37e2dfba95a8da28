"""`make up`: PostgreSQL, Redis, the API and the worker in one terminal, and none of them left when it ends.

All state is in .bcraftd/ beside manage.py. Whatever DATABASE_URL and REDIS_URL name (in the environment or in .env)
is used and not started. Run as `python -m bcraftd.embedded.up`.
"""

import http.client
import os
import shutil
import signal
import socket
import sys
import time
from pathlib import Path
from types import FrameType
from typing import TextIO
from urllib.parse import quote, urlsplit

from django.core.exceptions import ImproperlyConfigured

from bcraftd.config import Config
from bcraftd.embedded.checkout import ROOT, STATE, describe_running, lock_checkout, note_running, say
from bcraftd.embedded.files import kept_secret, private_folder, write_private
from bcraftd.embedded.postgres import Account, PostgresServer, account
from bcraftd.embedded.process import Child, Deadline, ServerError
from bcraftd.embedded.valkey import ValkeyServer
from bcraftd.network import own_address

ADMIN = "admin"
READY_SECONDS = 90.0
STOP_SECONDS = 20.0  # for the API to answer what it has begun, and for the worker to finish short tasks
# A worker process answers this many requests at a time, each thread with a connection of its own. Only one of them runs
# Python at any moment: with sixteen, a worker answered a third less (docs/performance.md). Fewer than four would let
# two requests that wait for a lock keep everybody else waiting.
THREADS = 4


class Interrupted(BaseException):
    """Ctrl-C or its like; not an Exception, so that nothing on the way takes it for a failure."""


class Signals:
    """The first Ctrl-C (or SIGTERM, or a closed terminal) ends the run; later ones don't disturb the clean-up."""

    def __init__(self) -> None:
        self.stopping = False

    def install(self) -> None:
        """Handle SIGINT, SIGTERM and SIGHUP; the last one not where `nohup` told us to ignore it."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, self._handle)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if not self.stopping:
            self.stopping = True
            raise Interrupted


def _command_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text(encoding="utf-8").strip()
    except OSError:
        return ""


class Run:
    """One `make up`, from the first server to the last one's end."""

    def __init__(self, env: Config, lock: TextIO) -> None:
        self.bind = env.text("BIND", "127.0.0.1")
        self.port = env.number("PORT", 8000, 1, 65535)
        self.web_workers = env.number("WEB_WORKERS", 2, 1, 64)
        self.host_header = env.words("ALLOWED_HOSTS", "localhost")[0].lstrip("*.") or "localhost"
        self._env = env
        self._keep = [lock.fileno()]
        self._postgres: PostgresServer | None = None
        self._valkey: ValkeyServer | None = None
        self._children: list[Child] = []
        self._settings: dict[str, str] = {}
        self._make = os.getppid() if _command_of(os.getppid()) in ("make", "gmake") else 0

    @property
    def url(self) -> str:
        """Where a browser on this machine finds the API."""
        return f"http://{own_address(self.bind)}:{self.port}"

    def start(self) -> None:
        """Start everything; returns when the API answers. Raises ServerError with what went wrong."""
        self._check_port()
        self._start_servers()
        self._write_environment()
        self._manage("migrate", "--noinput")
        self._manage("seed")
        password = self._create_admin()
        self._start_application()
        self._wait_until_ready()
        text = self._description()
        note_running(text)
        say(f"\nB-CraftD is up.\n\n{text}")
        if password:
            say(f"\nThe admin login was created just now: {ADMIN}, password {password}")
        say("\nCtrl-C stops everything.")

    def watch(self) -> None:
        """Return when `make` itself was killed. Raises ServerError when one of the processes ends by itself."""
        while self._make in (0, os.getppid()):
            for child in self._running():
                if not child.running:
                    raise ServerError(f"{child.name} ended by itself. The end of {child.log}:\n\n{child.tail()}")
            time.sleep(0.5)

    def stop(self) -> None:
        """Stop the API, the worker, Redis and PostgreSQL, in this order."""
        note_running(None)
        for child in self._children:
            child.stop()
        for server in (self._valkey, self._postgres):
            if server is not None:
                server.stop()

    def _running(self) -> list[Child]:
        servers = [server.child for server in (self._postgres, self._valkey) if server is not None]
        return [*servers, *self._children]

    def _check_port(self) -> None:
        try:
            family, kind, protocol, _, address = socket.getaddrinfo(self.bind, self.port, type=socket.SOCK_STREAM)[0]
            with socket.socket(family, kind, protocol) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(address)
                probe.listen()
        except OSError as error:
            raise ServerError(
                f"The API can't listen on {self.bind}, port {self.port}: {error.strerror}. "
                "Free it or choose another one: PORT=8001 make up."
            ) from None

    def _start_servers(self) -> None:
        database = self._env.text("DATABASE_URL")
        redis = self._redis_of_environment()
        if not database:
            say("Starting PostgreSQL ...")
            self._postgres = PostgresServer(STATE / "postgres", log=self._log("postgres"), keep_fds=self._keep)
            self._postgres.start()
        if not redis:
            say("Starting Redis ...")
            self._valkey = ValkeyServer(STATE / "redis", log=self._log("redis"), keep_fds=self._keep)
            self._valkey.start()
        self._settings["DATABASE_URL"] = self._postgres.url if self._postgres else database
        self._settings["REDIS_URL"] = self._valkey.url if self._valkey else redis

    def _redis_of_environment(self) -> str:
        """The URL of the Redis that the operator named in one of three ways; empty where there is none."""
        url = self._env.text("REDIS_URL") or self._env.text("REDIS_URI")
        host = self._env.text("REDIS_HOST")
        if url or not host:
            return url
        password = quote(self._env.text("REDIS_PASSWORD"), safe="")
        port, number = self._env.number("REDIS_PORT", 6379, 1, 65535), self._env.number("REDIS_DB", 0)
        return f"redis://{f':{password}@' if password else ''}{host}:{port}/{number}"

    def _write_environment(self) -> None:
        """Tell every later command in this checkout, from any terminal, what this run uses."""
        for name in ("SECRET_KEY", "JWT_SIGNING_KEY"):
            self._settings[name] = self._env.text(name) or kept_secret(STATE / "keys" / name)
        # The embedded set-up speaks plain HTTP: a redirect to HTTPS would lead nowhere.
        self._settings["HTTPS"] = self._env.text("HTTPS") or "false"
        lines = [f"{name}='{value}'" for name, value in sorted(self._settings.items())]
        write_private(STATE / "env", "# Written by `make up` at each start.\n" + "\n".join(lines) + "\n")

    def _environment(self, **more: str) -> dict[str, str]:
        inherited = {name: value for name, value in os.environ.items() if name != "PROMETHEUS_MULTIPROC_DIR"}
        return {**inherited, **self._settings, **more}

    def _log(self, name: str) -> Path:
        return STATE / "log" / f"{name}.log"

    def _run_manage(self, *command: str, **environment: str) -> Child:
        """Run a manage.py command to its end, with a log of this run alone; return it, ended."""
        log = self._log(command[0])
        log.unlink(missing_ok=True)
        child = self._child(command[0], ["manage.py", *command], log, **environment)
        try:
            child.start()
            child.wait()
        finally:
            child.stop()
        return child

    def _manage(self, *command: str) -> None:
        say(f"Running {command[0]} ...")
        child = self._run_manage(*command)
        if (code := child.wait()) != 0:
            raise ServerError(f"`manage.py {' '.join(command)}` failed (status {code}):\n\n{child.tail()}")

    def _child(self, name: str, arguments: list[str], log: Path, **environment: str) -> Child:
        """A Python process at the checkout's root, not yet started."""
        return Child(
            name,
            [sys.executable, *arguments],
            log=log,
            cwd=ROOT,
            env=self._environment(**environment),
            grace=STOP_SECONDS,
            keep_fds=self._keep,
        )

    def _create_admin(self) -> str:
        """Create the admin login where the database has none; return its password if it was created just now."""
        password = kept_secret(STATE / "keys" / "admin", size=18)  # people copy this one by hand
        note = f"login: {ADMIN}\npassword: {password}\ndatabase: {self._database_name()}\n"
        if self._postgres:
            # Nobody else makes logins in a new database of ours. Before, so that a kill in between loses no password.
            write_private(STATE / "admin", note)
        created = self._run_manage(
            "createsuperuser",
            "--noinput",
            DJANGO_SUPERUSER_LOGIN=ADMIN,
            DJANGO_SUPERUSER_EMAIL="admin@localhost.localdomain",
            DJANGO_SUPERUSER_PASSWORD=password,
        )
        if created.wait() == 0:
            write_private(STATE / "admin", note)
            return password
        output = created.tail(200)
        if "already taken" not in output and "already exists" not in output:
            raise ServerError(f"The admin login could not be created:\n\n{output}")
        return ""

    def _database_name(self) -> str:
        """What tells the database from others, without its password."""
        url = urlsplit(self._settings["DATABASE_URL"])
        return "of make up" if self._postgres else f"{url.hostname}:{url.port}{url.path}"

    def _admin_hint(self) -> str:
        note = STATE / "admin"
        if note.exists() and f"database: {self._database_name()}\n" in note.read_text(encoding="utf-8"):
            return f"its first password is in {note}"
        return "it was in this database already, its password is unchanged"

    def _start_application(self) -> None:
        say("Starting the API and the worker ...")
        metrics = STATE / "metrics"
        shutil.rmtree(metrics, ignore_errors=True)
        private_folder(metrics)
        api = self._child("The API", self._granian(), self._log("api"), PROMETHEUS_MULTIPROC_DIR=str(metrics))
        worker = self._child("The worker", ["manage.py", "qcluster"], self._log("worker"))
        for child in (api, worker):
            self._children.append(child)
            child.start()

    def _granian(self) -> list[str]:
        where = ["--host", self.bind, "--port", str(self.port), "--working-dir", str(ROOT)]
        # Threads stay for ten minutes without work, because each new one has to connect to PostgreSQL first.
        threads = ["--blocking-threads", str(THREADS), "--blocking-threads-idle-timeout", "600"]
        workers = ["--workers", str(self.web_workers), "--respawn-failed-workers", "--workers-kill-timeout", "10"]
        wsgi = ["--interface", "wsgi", "--no-ws", "--backlog", "2048"]
        return ["-m", "granian", *wsgi, *where, *threads, *workers, "bcraftd.wsgi:application"]

    def _wait_until_ready(self) -> None:
        answer = "no answer"
        for _ in Deadline(READY_SECONDS).ticks(0.2):
            for child in self._children:
                if not child.running:
                    raise ServerError(f"{child.name} ended while it started:\n\n{child.tail()}")
            status, answer = self._readyz()
            if status == 200:
                return
        log = self._children[0].tail()
        raise ServerError(f"{self.url}/readyz was not ready after {READY_SECONDS:.0f} s ({answer}):\n\n{log}")

    def _readyz(self) -> tuple[int, str]:
        """Status and text of /readyz; status 0 where nothing answers."""
        where = urlsplit(self.url)
        connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=10)
        try:
            connection.request("GET", "/readyz", headers={"Host": self.host_header})
            response = connection.getresponse()
            return response.status, response.read(4096).decode(errors="replace")
        except (OSError, http.client.HTTPException) as error:
            return 0, str(error)
        finally:
            connection.close()

    def _description(self) -> str:
        def place(name: str, ours: object) -> str:
            url = urlsplit(self._settings[name])
            return f"{url.hostname}:{url.port or 'default port'}, {'its own' if ours else f'from {name}'}"

        return "\n".join(
            [
                f"  API          {self.url}/api/",
                f"  API docs     {self.url}/api/docs",
                f"  Admin        {self.url}/admin/ (login {ADMIN}: {self._admin_hint()})",
                f"  PostgreSQL   {place('DATABASE_URL', self._postgres)}",
                f"  Redis        {place('REDIS_URL', self._valkey)}",
                f"  Logs         {STATE / 'log'}/",
                "  Commands     .venv/bin/python manage.py ... in this checkout uses the same servers (.bcraftd/env)",
            ]
        )


def main() -> int:
    """Run until told to stop. Returns the exit status: 0 when told to, or when it runs already, 1 on a failure."""
    signals = Signals()
    signals.install()
    run: Run | None = None
    try:
        private_folder(STATE, passable=account() is Account.NOBODY)
        private_folder(STATE / "keys")
        lock = lock_checkout()
        if lock is None:
            say(describe_running())
            return 0
        files = [ROOT / ".env"] if os.environ.get("BCRAFTD_ENV_FILES") != "off" else []
        run = Run(Config(*files), lock)
        run.start()
        run.watch()
    except Interrupted:
        pass
    except (ServerError, ImproperlyConfigured, PermissionError) as error:
        signals.stopping = True
        say(f"\n{error}")
        return 1
    finally:
        signals.stopping = True
        if run is not None:
            say("\nStopping ...")
            run.stop()
            say("Everything has stopped.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
