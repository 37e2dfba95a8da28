"""Calls over HTTP: one is asked again, under the same key, until its answer is definite."""

import http.client
import json
import random
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass, field
from typing import Any

# Longer than anything the server waits for, at the end of a queue of a hundred: who gives up earlier leaves a call
# behind that may still be done.
TIMEOUT_SECONDS = 120.0
# How long a call may go without a definite answer: a few recoveries of PostgreSQL, on a busy machine.
PATIENCE_SECONDS = 300.0
# Calls on one connection: then another one, so that a worker that came back gets its share of them.
CALLS_ON_A_CONNECTION = 100
PAUSE_SECONDS = (0.05, 0.4)
NO_HEADERS: Mapping[str, str] = {}


class NoAnswer(Exception):
    """The connection broke: whether the server did what it was asked is not known."""


class Unsettled(Exception):
    """A call had no definite answer for too long."""


@dataclass(slots=True)
class Player:
    """A player whom any client may play."""

    id: int
    number: int
    login: str
    password: str
    token: str = ""
    lock: threading.Lock = field(default_factory=threading.Lock, repr=False)


@dataclass(frozen=True, slots=True)
class Call:
    """A write. `asked` is what the books need to know of it, by their own names."""

    kind: str
    player: Player
    path: str
    body: Mapping[str, Any]
    key: str = ""
    asked: Mapping[str, Any] = field(default_factory=dict)

    def headers(self) -> dict[str, str]:
        """As whom, and under which key."""
        key = {"Idempotency-Key": self.key} if self.key else {}
        return {"Authorization": f"Bearer {self.player.token}", **key}

    def __str__(self) -> str:
        return (
            f"{self.kind} of player {self.player.id} at {self.path} with {dict(self.body)} under {self.key or 'none'}"
        )


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    body: bytes
    replayed: bool = False

    @property
    def good(self) -> bool:
        return 200 <= self.status < 300

    @property
    def code(self) -> str:
        """A refusal's code; empty where the body is no problem document."""
        try:
            return str(self.json()["code"])
        except (ValueError, KeyError, TypeError):
            return ""

    def json(self) -> Any:
        return json.loads(self.body)


def _send(
    connection: http.client.HTTPConnection, method: str, path: str, body: Any, headers: Mapping[str, str]
) -> None:
    data = None if body is None else json.dumps(body).encode()
    connection.request(method, path, data, {"Content-Type": "application/json", **headers})


class Line:
    """A connection to the API, for one thread, to be closed. `tally` is told what stood in a call's way."""

    def __init__(self, port: int, tally: Callable[[str], None]) -> None:
        self._port = port
        self._tally = tally
        self._connection: http.client.HTTPConnection | None = None
        self._calls = 0
        self._chance = random.Random()

    def close(self) -> None:
        """Closes it; the next call opens it again."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def ask(self, method: str, path: str, body: Any = None, headers: Mapping[str, str] = NO_HEADERS) -> Answer:
        """One try. Raises NoAnswer."""
        self._calls += 1
        if self._calls % CALLS_ON_A_CONNECTION == 0:
            self.close()
        try:
            if self._connection is None:
                self._connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=TIMEOUT_SECONDS)
            _send(self._connection, method, path, body, headers)
            response = self._connection.getresponse()
            return Answer(response.status, response.read(), response.headers.get("Idempotent-Replayed") == "true")
        except (OSError, http.client.HTTPException) as error:
            self.close()
            if isinstance(error, TimeoutError):
                self._tally("timeouts")
            raise NoAnswer(repr(error)) from error

    def hang_up(self, call: Call, seconds: float) -> None:
        """Sends a call, and is gone before its answer comes."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=TIMEOUT_SECONDS)
        with suppress(OSError, http.client.HTTPException), closing(connection):
            _send(connection, "POST", call.path, call.body, call.headers())
            time.sleep(seconds)

    def settle(self, call: Call) -> Answer:
        """Asks until the answer is definite. Raises Unsettled."""
        return self._definite(lambda: self._try(call), str(call))

    def public(self, method: str, path: str, body: Any = None) -> Answer:
        """A call that needs no player, until it is answered. Raises Unsettled."""
        return self._definite(lambda: self._told(self.ask(method, path, body)), path)

    def _definite(self, attempt: Callable[[], Answer | None], what: str) -> Answer:
        end = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < end:
            try:
                answer = attempt()
            except NoAnswer:
                self._tally("connections_broken")
                answer = None
            if answer is not None:
                return answer
            time.sleep(self._chance.uniform(*PAUSE_SECONDS))
        raise Unsettled(f"no definite answer for {PATIENCE_SECONDS:.0f} s: {what}")

    def _told(self, answer: Answer) -> Answer | None:
        """None where the answer says that it is none: ask again."""
        if answer.status == 503 and answer.code == "service_unavailable":
            self._tally("unavailable")
            return None
        if answer.code == "idempotency_in_progress":
            self._tally("in_progress")
            return None
        return answer

    def _try(self, call: Call) -> Answer | None:
        token = call.player.token
        answer = self.ask("POST", call.path, call.body, call.headers())
        if answer.status == 401:
            self.sign_in(call.player, token)
            return None
        return self._told(answer)

    def sign_in(self, player: Player, stale: str = "") -> None:
        """Gets a new token, unless another thread has done so meanwhile. Raises NoAnswer or Unsettled."""
        with player.lock:
            if player.token != stale:
                return
            answer = self.public("POST", "/api/auth/login", {"login": player.login, "password": player.password})
            if not answer.good:
                raise Unsettled(f"{player.login} cannot sign in: {answer.body!r}")
            player.token = answer.json()["access_token"]
