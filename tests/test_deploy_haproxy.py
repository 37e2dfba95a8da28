"""HAProxy with the configuration of deploy/, in front of instances that stand in for the API and note what they get."""

import http.client
import http.server
import socket
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from email.message import Message
from pathlib import Path
from typing import Any

import pytest

from bcraftd.embedded.process import free_port
from tests.deployed import ADDRESSES
from tests.haproxy import OUTER_PROXY, HAProxy
from tests.processes import wait_until


class Answering(http.server.BaseHTTPRequestHandler):
    """An instance of the API, as far as HAProxy knows one: it is ready or not, and notes what it was asked."""

    def do_GET(self) -> None:
        server: Any = self.server
        body = server.name.encode()
        if self.path == "/readyz":
            self.send_response(200 if server.ready and self.headers["Host"] == "127.0.0.1" else 503)
        else:
            server.asked.append((self.command, self.headers))
            if server.hangs_up:
                self.close_connection = True
                return
            self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.do_GET()

    def log_message(self, format: str, *args: Any) -> None:
        pass


class Instance(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, name: str, port: int) -> None:
        super().__init__((ADDRESSES[name], port), Answering)
        self.name, self.ready, self.hangs_up = name, True, False
        self.asked: list[tuple[str, Message]] = []
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Balanced:
    """Two instances behind HAProxy, which listens on `url`."""

    def __init__(self, url: str, instances: list[Instance]) -> None:
        self.url, self.instances = url, instances

    def ask(self, path: str = "/api/environment", *, data: bytes | None = None, **headers: str) -> tuple[int, str]:
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        request = urllib.request.Request(self.url + path, data=data, headers=given)  # noqa: S310 - our own
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - our own
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def served_by(self) -> set[str]:
        return {self.ask()[1] for _ in range(8)}


@pytest.fixture
def balanced(folder: Path) -> Iterator[Balanced]:
    port = free_port()
    instances = [Instance(name, port) for name in ("api-1", "api-2")]
    haproxy = HAProxy(folder, {each.name: f"{ADDRESSES[each.name]}:{port}" for each in instances})
    haproxy.start()
    try:
        found = Balanced(haproxy.url, instances)

        def both() -> bool:
            assert haproxy.child.running, haproxy.child.tail()
            with suppress(OSError):
                return found.served_by() == {"api-1", "api-2"}
            return False

        wait_until(both, "both instances serve")
        with urllib.request.urlopen(f"http://127.0.0.1:{haproxy.alive_port}/", timeout=5) as answer:
            assert answer.status == 200
        for instance in instances:
            instance.asked.clear()
        yield found
    finally:
        haproxy.stop()
        for instance in instances:
            instance.shutdown()
            instance.server_close()


def test_an_instance_that_is_not_ready_gets_nobody_until_it_is(balanced: Balanced) -> None:
    one, _ = balanced.instances
    one.ready = False
    started = time.monotonic()
    wait_until(lambda: balanced.served_by() == {"api-2"}, "HAProxy leaves it alone")
    assert time.monotonic() - started < 5, "an instance drains for no longer"
    one.ready = True
    wait_until(lambda: balanced.served_by() == {"api-1", "api-2"}, "HAProxy takes it back")


def test_a_request_whose_instance_is_gone_goes_to_the_other_one(balanced: Balanced) -> None:
    one, _ = balanced.instances
    one.shutdown()
    one.server_close()
    # At once, before any check has noticed.
    assert {balanced.ask() for _ in range(10)} == {(200, "api-2")}
    assert {balanced.ask(data=b"{}") for _ in range(10)} == {(200, "api-2")}


def test_what_may_have_had_its_effect_is_not_sent_again(balanced: Balanced) -> None:
    for instance in balanced.instances:
        instance.hangs_up = True
    assert balanced.ask(data=b"{}")[0] == 502
    asked = [request for instance in balanced.instances for request in instance.asked]
    assert [method for method, _ in asked] == ["POST"]

    assert balanced.ask()[0] == 502
    asked = [request for instance in balanced.instances for request in instance.asked]
    assert sorted(method for method, _ in asked) == ["GET", "GET", "GET", "POST"]


def test_only_the_outer_proxy_may_say_who_the_client_is(balanced: Balanced) -> None:
    balanced.ask(X_Forwarded_For="203.0.113.9", X_Forwarded_Proto="https", Forwarded="for=203.0.113.9")
    ((_, headers),) = [request for instance in balanced.instances for request in instance.asked]
    assert headers.get_all("X-Forwarded-For") == ["127.0.0.1"]
    assert not {"X-Forwarded-Proto", "Forwarded"} & set(headers)


def test_the_outer_proxys_word_is_handed_on_with_its_own_address_behind_it(balanced: Balanced) -> None:
    host, _, port = balanced.url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=10, source_address=(OUTER_PROXY, 0)) as connection:
        head = ("Host: x", "X-Forwarded-For: 203.0.113.9", "X-Forwarded-Proto: https", "Connection: close")
        connection.sendall("\r\n".join(["GET / HTTP/1.1", *head, "", ""]).encode())
        while connection.recv(4096):
            pass
    ((_, headers),) = [request for instance in balanced.instances for request in instance.asked]
    # One line: of two, not every server hands both on.
    assert headers.get_all("X-Forwarded-For") == [f"203.0.113.9, {OUTER_PROXY}"]
    assert headers["X-Forwarded-Proto"] == "https"


@pytest.mark.parametrize("path", ["/metrics", "/metrics?x=1", "/%6detrics"])
def test_the_figures_of_one_instance_are_for_nobody_outside(balanced: Balanced, path: str) -> None:
    assert balanced.ask(path)[0] == 404
    assert not [request for instance in balanced.instances for request in instance.asked]
