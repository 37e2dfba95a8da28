"""The roles of the image (bcraftd/role.py) as an orchestrator sees them: real processes, signals, and a load balancer.

The balancer is haproxy with the configuration that docs/operating.md shows.
"""

import http.client
import json
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.db import connection, transaction
from django_q.models import OrmQ, Success
from django_q.tasks import async_task

from bcraftd.embedded.process import Child, free_port
from market.models import Listing
from tests.processes import wait_until
from tests.programs import ROOT, environment, python
from tests.servers import NOWHERE
from tests.support import Api, resource_id
from tests.tools import tool

ROLE = [sys.executable, "-m", "bcraftd.role"]
READ = "/api/environment/weather"


def ask(port: int, method: str, path: str, token: str = "", body: Any = None) -> tuple[int, Any]:
    """Status and body of one call on a connection of its own. Raises OSError where nobody answers."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        return said(connection, method, path, token, body)[:2]
    finally:
        connection.close()


def said(
    connection: http.client.HTTPConnection, method: str, path: str, token: str = "", body: Any = None
) -> tuple[int, Any, str]:
    """Status, body, and who behind the balancer answered."""
    headers = {"Host": "localhost", "Content-Type": "application/json"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    connection.request(method, path, json.dumps(body) if body is not None else None, headers)
    answer = connection.getresponse()
    text = answer.read()
    return answer.status, json.loads(text), answer.getheader("X-Served-By", "")


def refuses(port: int) -> bool:
    """Whether nobody listens there."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def is_ready(port: int) -> bool:
    try:
        return ask(port, "GET", "/readyz")[0] == 200
    except (OSError, http.client.HTTPException):
        return False


class Instance:
    """One instance of the role `api` on a port that it keeps."""

    def __init__(self, folder: Path, name: str = "api", **settings: str) -> None:
        self.port = free_port()
        self.child = Child(
            name, [*ROLE, "api"], log=folder / f"{name}.log", cwd=ROOT, grace=60,
            env=environment(BIND="127.0.0.1", PORT=str(self.port), WEB_WORKERS="1", **settings),
        )  # fmt: skip

    def start(self) -> "Instance":
        self.child.start()
        wait_until(lambda: is_ready(self.port) or not self.child.running, "the instance is ready")
        assert self.child.running, self.child.tail()
        return self

    def tell(self) -> None:
        self.child.send(signal.SIGTERM)

    def ended(self) -> int | None:
        return self.child.wait(60)


@contextmanager
def instance(folder: Path, **settings: str) -> Iterator[Instance]:
    one = Instance(folder, **settings)
    try:
        yield one.start()
    finally:
        if one.child.running:
            one.tell()  # twice: it needn't drain
        one.child.stop()


# --- api --------------------------------------------------------------------------------------------------


def test_told_to_stop_it_is_not_ready_at_once_and_answers_until_its_time_is_over(world: None, tmp_path: Path) -> None:
    with instance(tmp_path, DRAIN_SECONDS="3") as one:
        told = time.monotonic()
        one.tell()

        wait_until(lambda: not is_ready(one.port), "it is not ready")
        assert time.monotonic() - told < 2
        status, body = ask(one.port, "GET", "/readyz")
        assert (status, body["status"], body["checks"]["database"]["state"]) == (503, "draining", "ok")
        assert ask(one.port, "GET", READ)[0] == 200
        assert ask(one.port, "GET", "/healthz")[0] == 200
        assert one.ended() == 0
        assert time.monotonic() - told >= 3


def test_told_twice_it_does_not_wait(world: None, tmp_path: Path) -> None:
    with instance(tmp_path, DRAIN_SECONDS="600") as one:
        one.tell()
        wait_until(lambda: not is_ready(one.port), "it is not ready")
        one.tell()

        assert one.ended() == 0


def test_an_answer_that_has_begun_is_finished(ada: Api, tmp_path: Path) -> None:
    ada.grant(mutterwood_log=1)
    listing = ada.sells("mutterwood-log", 1, 5)["id"]

    def waits() -> bool:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1 FROM pg_locks WHERE NOT granted")
            return cursor.fetchone() is not None

    with instance(tmp_path, DRAIN_SECONDS="0") as one, ThreadPoolExecutor(1) as other:
        with transaction.atomic():
            Listing.objects.select_for_update().get(pk=listing)
            cancel = f"/api/market/listings/{listing}/cancel"
            answer = other.submit(ask, one.port, "POST", cancel, str(ada.token))
            wait_until(waits, "the request waits for the row")
            one.tell()
            wait_until(lambda: refuses(one.port), "nobody else is let in")
            assert one.child.running
        assert answer.result()[0] == 200
        assert one.ended() == 0

    assert Listing.objects.get(pk=listing).status == "cancelled"


def test_a_server_that_dies_by_itself_ends_the_role_and_leaves_nobody_on_the_port(world: None, tmp_path: Path) -> None:
    with instance(tmp_path) as one:
        pid = one.child.pid
        (server,) = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        subprocess.run(["kill", "-KILL", server], check=True)

        assert one.ended() == 128 + signal.SIGKILL
        assert "ended by itself" in one.child.tail()
        assert refuses(one.port)


def test_what_cannot_be_served_ends_the_role_too(world: None, tmp_path: Path) -> None:
    one = Instance(tmp_path, JWT_SIGNING_KEY="short")
    one.child.start()
    try:
        assert one.ended() not in (0, None)
    finally:
        one.child.stop()
    assert "bcraftd.E001" in one.child.log.read_text()


# --- Two instances behind a load balancer -----------------------------------------------------------------


def haproxy_configuration(instances: list[Instance], port: int) -> str:
    """What docs/operating.md shows, with our addresses, and a header that says who answered."""
    page = (ROOT / "docs" / "operating.md").read_text(encoding="utf-8")
    (text,) = re.findall(r"```haproxy\n(.*?)```", page, re.DOTALL)
    text = text.replace(":80\n", f"127.0.0.1:{port}\n")
    for name, one in zip(("10.0.0.11:8000", "10.0.0.12:8000"), instances, strict=True):
        assert name in text
        text = text.replace(name, f"127.0.0.1:{one.port}")
    return f"{text}    http-response set-header X-Served-By %s\n"


@pytest.fixture
def pair(world: None, tmp_path: Path) -> Iterator[tuple[list[Instance], int]]:
    """Two instances, and the port of the balancer in front of them."""
    haproxy = tool("haproxy")
    pool = [Instance(tmp_path, name, DRAIN_SECONDS="3") for name in ("one", "two")]
    port = free_port()
    (tmp_path / "haproxy.cfg").write_text(haproxy_configuration(pool, port))
    balancer = Child("haproxy", [haproxy, "-db", "-f", tmp_path / "haproxy.cfg"], log=tmp_path / "haproxy.log")
    try:
        for one in pool:
            one.start()
        balancer.start()
        wait_until(lambda: is_ready(port) or not balancer.running, "the balancer answers")
        assert balancer.running, balancer.tail()
        yield pool, port
    finally:
        balancer.stop()
        for one in pool:
            if one.child.running:
                one.tell()
            one.child.stop()


class Players:
    """Clients who call without a pause, until they are told to go; `failures` is what should not have happened."""

    def __init__(self, port: int) -> None:
        self.failures: list[str] = []
        self.answered: Counter[tuple[str, str]] = Counter()
        self._port = port
        self._gone = threading.Event()
        self._threads: list[threading.Thread] = []

    def play(self, method: str, path: str, token: str = "", body: Any = None) -> None:
        thread = threading.Thread(target=self._calls, args=(method, path, token, body))
        self._threads.append(thread)
        thread.start()

    def go(self) -> None:
        self._gone.set()
        for thread in self._threads:
            thread.join()

    def _calls(self, method: str, path: str, token: str, body: Any) -> None:
        line = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
        while not self._gone.wait(0.02):
            try:
                status, answer, who = said(line, method, path, token, body)
            except (OSError, http.client.HTTPException) as error:
                self.failures.append(repr(error))
                line.close()
                continue
            self.answered[method, who] += 1
            if status >= 400:
                self.failures.append(f"{method} {path}: {status} {answer}")
        line.close()


def test_a_rolling_restart_costs_no_request(pair: tuple[list[Instance], int], ada: Api) -> None:
    pool, port = pair
    ada.grant(mutterwood_log=100_000)
    players = Players(port)
    for _ in range(2):
        players.play("GET", READ)
    players.play("GET", "/api/inventory", str(ada.token))
    listing = {"resource_id": resource_id("mutterwood-log"), "quantity": 1, "unit_price": 5}
    players.play("POST", "/api/market/listings", str(ada.token), listing)
    try:
        for one in pool * 2:
            time.sleep(1)  # as the page says: until the balancer has seen the one before
            before = players.answered.copy()
            one.tell()
            assert one.ended() == 0
            assert sum((players.answered - before).values()) > 50, "somebody plays meanwhile"
            one.start()
        time.sleep(1)
    finally:
        players.go()

    assert players.failures == []
    assert {who for _, who in players.answered} == {"one", "two"}
    made = sum(count for (method, _), count in players.answered.items() if method == "POST")
    assert Listing.objects.count() == made


# --- worker -----------------------------------------------------------------------------------------------


@pytest.fixture
def cluster(world: None, tmp_path: Path) -> Iterator[Child]:
    """The role `worker`, as the image runs it: without a package of the tests' that gives processes other names."""
    (tmp_path / "hidden").mkdir()
    (tmp_path / "hidden" / "setproctitle.py").write_text("raise ModuleNotFoundError\n")
    child = Child(
        "worker", [*ROLE, "worker"], log=tmp_path / "worker.log", cwd=ROOT, grace=60,
        env=environment(PYTHONPATH=str(tmp_path / "hidden")),
    )  # fmt: skip
    child.start()
    yield child
    child.stop()


def test_a_worker_finishes_its_task_when_told_to_stop(cluster: Child, tmp_path: Path) -> None:
    async_task("tests.naps.nap", str(tmp_path / "begun"))
    wait_until((tmp_path / "begun").exists, "the task began")

    cluster.send(signal.SIGTERM)

    assert cluster.wait(60) == 0
    assert Success.objects.get(func="tests.naps.nap").result == "slept well"
    assert not OrmQ.objects.exists()


def test_the_check_of_compose_sees_a_whole_cluster(cluster: Child) -> None:
    service = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]["worker"]
    _, _, *check = service["healthcheck"]["test"]

    def well() -> bool:
        return subprocess.run([sys.executable, *check], check=False).returncode == 0

    wait_until(well, "five processes")


# --- migrate, and no role ---------------------------------------------------------------------------------


def test_migrations_and_seeds_are_one_role(world: None) -> None:
    done = python("-m", "bcraftd.role", "migrate")

    assert done.returncode == 0, done.stderr
    assert "No migrations to apply" in done.stdout
    assert "created" in done.stdout


def test_migrations_without_postgresql_fail() -> None:
    done = python("-m", "bcraftd.role", "migrate", DATABASE_URL=NOWHERE["DATABASE_URL"])

    assert done.returncode == 1
    assert "OperationalError" in done.stderr


@pytest.mark.parametrize("words", [(), ("dance",), ("api", "worker")])
def test_another_role_is_refused_with_those_that_there_are(words: tuple[str, ...]) -> None:
    done = python("-m", "bcraftd.role", *words)

    assert done.returncode == 2
    assert all(name in done.stderr for name in ("api", "worker", "migrate"))


def test_a_bad_setting_is_named() -> None:
    done = python("-m", "bcraftd.role", "api", DRAIN_SECONDS="soon")

    assert done.returncode == 1
    assert done.stderr == (
        "[INFO] DRAIN_SECONDS: expected a whole number. See .env.example for what it is. (bcraftd.E012)\n"
    )
