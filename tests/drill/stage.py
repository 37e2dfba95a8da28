"""The whole of it on one machine: PostgreSQL, Redis under Sentinel, instances of the API, HAProxy."""

import os
import subprocess
import sys
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from urllib.parse import urlsplit

from bcraftd.embedded.postgres import PostgresServer
from bcraftd.embedded.process import Child, Deadline, ServerError, free_port
from tests.drill.cluster import Cluster, Place
from tests.haproxy import HAProxy
from tests.programs import ROOT
from tests.servers import SETTINGS

READY_SECONDS = 90.0


class Stage:
    """`places` are those of the Redis cluster's five processes, `hosts` of the instances of the API, `sockets` is a
    folder through which instances on another network reach PostgreSQL, `durable` says whether what that one has
    committed outlives its machine, `application` is what the instances serve, `balanced` says whether HAProxy stands in
    front of them."""

    def __init__(
        self, folder: Path, *, places: list[Place] | None = None, hosts: list[Place] | None = None,
        sockets: Path | None = None, durable: bool = False, application: str = "bcraftd.wsgi:application",
        balanced: bool = False,
    ) -> None:  # fmt: skip
        self.folder, self.sockets, self.application = folder, sockets, application
        self.postgres = PostgresServer(folder / "postgres", durable=durable, sockets=sockets)
        self.cluster = Cluster(folder / "redis", places)
        self.hosts = hosts or [Place(), Place()]
        # What the processes of ours connect to, once it is another than PostgreSQL itself.
        self.database_url = ""
        self.instances = [""] * len(self.hosts)
        self.balanced = balanced
        self.haproxy: HAProxy | None = None
        self._children: dict[int, Child] = {}

    @property
    def doors(self) -> list[str]:
        """Where clients ask: at each instance, and last at HAProxy where there is one."""
        return [*self.instances, *([self.haproxy.url] if self.haproxy else [])]

    def environment(self, **other: str) -> dict[str, str]:
        """What our processes run with."""
        urls = {"DATABASE_URL": self.database_url or self.postgres.url, "REDIS_URL": self.cluster.url}
        hosts = ",".join(["localhost", *sorted({host.address for host in self.hosts})])
        return {**os.environ, **SETTINGS, "REDIS_TIMEOUT": "0.3", "ALLOWED_HOSTS": hosts, **urls, **other}

    def manage(self, *words: str, **other: str) -> "subprocess.CompletedProcess[str]":
        """A command of manage.py on the stage's servers."""
        return subprocess.run(
            [sys.executable, "manage.py", *words], cwd=ROOT, env=self.environment(**other), stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip

    def start(self) -> None:
        """Starts everything; returns when each instance can serve. Raises ServerError."""
        self.start_servers()
        self.serve()

    def start_servers(self) -> None:
        """PostgreSQL, with the game's tables, and Redis."""
        self.postgres.start()
        self.cluster.start()
        for words in (["migrate", "--verbosity", "0"], ["seed"]):
            done = self.manage(*words)
            if done.returncode != 0:
                raise ServerError(f"manage.py {words[0]} failed:\n{done.stderr}")

    def serve(self, **settings: str) -> None:
        """The instances, and HAProxy."""
        for number in range(len(self.hosts)):
            self._serve(number, settings)
        for number in range(len(self.hosts)):
            try:
                self._wait_until_ready(self.instances[number], self._children[number])
            except ServerError:
                if self._children[number].running:
                    raise
                # The port was free a moment before, and another process can be quicker.
                self._serve(number, settings)
                self._wait_until_ready(self.instances[number], self._children[number])

        if self.balanced:
            places = {f"api-{number}": url.removeprefix("http://") for number, url in enumerate(self.instances, 1)}
            self.haproxy = HAProxy(self.folder, places)
            self.haproxy.start()
            self._wait_until_ready(self.haproxy.url, self.haproxy.child)

    def _serve(self, number: int, settings: dict[str, str]) -> None:
        host, port = self.hosts[number], free_port()
        if host.prefix:
            parts = urlsplit(self.postgres.url)
            login = parts.netloc.rpartition("@")[0]
            netloc = f"{login}@:{self.postgres.port}"
            settings = {
                "DATABASE_URL": parts._replace(netloc=netloc, query=f"host={self.sockets}").geturl(),
                **settings,
            }
        child = Child(
            f"instance {number}",
            [*host.prefix, sys.executable, "-m", "granian", "--interface", "wsgi", "--host", host.address,
             "--port", str(port), "--workers", "1", "--blocking-threads", "8", "--no-ws", self.application],
            log=self.folder / f"api-{number}.log",
            cwd=ROOT,
            env=self.environment(**settings),
        )  # fmt: skip
        child.start()
        self._children[number] = child
        self.instances[number] = f"http://{host.address}:{port}"

    def _wait_until_ready(self, url: str, child: Child) -> None:
        for _ in Deadline(READY_SECONDS).ticks(0.2):
            if not child.running:
                break
            connection = HTTPConnection(url.removeprefix("http://"), timeout=5)
            try:
                connection.request("GET", "/readyz", headers={"Host": "localhost"})
                if connection.getresponse().status == 200:
                    return
            except (OSError, HTTPException):
                continue
            finally:
                connection.close()
        raise ServerError(f"{child.name} is not ready:\n{child.tail()}")

    def log(self, number: int) -> str:
        """What an instance has logged."""
        return (self.folder / f"api-{number}.log").read_text()

    def stop(self) -> None:
        if self.haproxy is not None:
            self.haproxy.stop()
        for child in self._children.values():
            child.stop()
        self.cluster.stop()
        self.postgres.stop()
