"""The door to the application: everything that the fuzzer sends passes it and is counted, and every answer is looked
at for what must hold of all of them."""

import io
import itertools
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote_to_bytes

from django.db import connections

from bcraftd.errors import CODES
from tests.fuzz.curl import command
from tests.fuzz.world import REFRESH_TOKEN, SESSION, TOKEN, World

Environ = dict[str, Any]
Application = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]

PROBLEM = "application/problem+json"
# Findings that are kept; all are counted.
KEPT = 50
_KEY = re.compile("[!-~]{1,200}")


@dataclass(slots=True)
class Request:
    """What goes over the wire. `target` is path and query, percent-encoded or not; header values are bytes."""

    method: str
    target: bytes
    headers: list[tuple[str, bytes]] = field(default_factory=list)
    body: bytes = b""

    def curl(self) -> str:
        return command(self.method, self.target, self.headers, self.body)

    def environ(self) -> Environ:
        """As a WSGI server hands it over."""
        path, _, query = self.target.partition(b"?")
        environ: Environ = {
            "REQUEST_METHOD": self.method,
            "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
            "QUERY_STRING": query.decode("latin-1"),
            "RAW_URI": self.target.decode("latin-1"),
            "SERVER_NAME": "localhost",
            "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "REMOTE_ADDR": "127.0.0.1",
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(self.body),
            "wsgi.errors": io.StringIO(),
        }
        if self.body:
            environ["CONTENT_LENGTH"] = str(len(self.body))
        for name, value in self.headers:
            word = name.upper().replace("-", "_")
            environ[word if word in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{word}"] = value.decode("latin-1")
        return environ


@dataclass(slots=True)
class Answer:
    """What came back. Header names are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


def faults(answer: Answer, *, api: bool) -> Iterator[str]:
    """What is wrong with an answer whatever the request was. `api`: whether it was one to the API."""
    if answer.status >= 500:
        yield f"a server error: {answer.status}"
    if "x-request-id" not in answer.headers:
        yield "an answer without X-Request-ID"
    if answer.status < 400 or not api:
        return
    if answer.headers.get("content-type") != PROBLEM:
        yield f"an error as {answer.headers.get('content-type')}"
    elif answer.body:
        yield from _faults_of_problem(answer)


def _faults_of_problem(answer: Answer) -> Iterator[str]:
    try:
        problem = answer.json()
    except ValueError:
        yield "a problem that is no JSON"
        return
    if CODES.get(problem.get("code"), (0, ""))[0] != answer.status or problem.get("status") != answer.status:
        yield f"a {answer.status} that says {problem.get('status')} {problem.get('code')}"
    if problem.get("request_id") != answer.headers.get("x-request-id"):
        yield "a problem that names another request"


class Door:
    """A WSGI application around the real one. All requests run in one thread of its own, with one connection."""

    def __init__(self, application: Application, world: World) -> None:
        self.application = application
        self.world = world
        self.statuses: Counter[int] = Counter()
        self.good: Counter[str] = Counter()
        self.findings: list[str] = []
        self.found = 0
        self._keys = itertools.count()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="fuzz-door")

    @contextmanager
    def open(self) -> Iterator["Door"]:
        """Closes the thread and its connection at the end."""
        try:
            yield self
        finally:
            self._thread.submit(connections.close_all).result()
            self._thread.shutdown()

    def within(self, call: Callable[[], Any]) -> Any:
        """Runs something where the requests run, between two of them."""
        return self._thread.submit(call).result()

    def find(self, what: str, request: Request) -> None:
        """Writes down what is wrong, with the command that shows it."""
        self.found += 1
        if len(self.findings) < KEPT:
            self.findings.append(f"{what}\n  {request.curl()}")

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        """For schemathesis."""
        answer, reason, headers = self._thread.submit(self._pass, environ).result()
        start_response(reason, headers)
        return [answer.body]

    def send(self, request: Request, before: Callable[[], None] = lambda: None) -> Answer:
        """For the trap table, which runs within. `before` is called when all that the request needs is there."""
        return self._pass(request.environ(), before)[0]

    # --- In the thread ------------------------------------------------------------------------------------------

    def _pass(
        self, environ: Environ, before: Callable[[], None] = lambda: None
    ) -> tuple[Answer, str, list[tuple[str, str]]]:
        request = _request_of(environ)
        self._put_in(environ)
        before()
        answer, reason, headers = _run(self.application, environ)
        self.statuses[answer.status] += 1
        if answer.status < 300:
            self.good[f"{request.method} {environ['PATH_INFO']}"] += 1
        for fault in faults(answer, api=environ["PATH_INFO"].startswith("/api")):
            self.find(f"{fault}: {answer.body[:300]!r}", request)
        self._after(request, environ["PATH_INFO"], answer)
        return answer, reason, headers

    def _put_in(self, environ: Environ) -> None:
        """The real tokens for the stand-ins."""
        path, world = environ["PATH_INFO"], self.world
        if environ.get("HTTP_AUTHORIZATION") == f"Bearer {TOKEN}":
            # What ends a session is not to end the one that everything else is sent with.
            whose = world.changeling if path.startswith("/api/auth/password") else world.player
            apart = path.startswith(("/api/auth/password", "/api/auth/logout"))
            session = world.opened(whose) if apart else world.session()
            environ["HTTP_AUTHORIZATION"] = f"Bearer {session.access_token}"
            if environ.get("HTTP_X_SESSION_ID") == SESSION:
                environ["HTTP_X_SESSION_ID"] = session.session_id
        if SESSION in path:
            environ["PATH_INFO"] = path.replace(SESSION, world.opened(world.player).session_id)
        if _KEY.fullmatch(environ.get("HTTP_IDEMPOTENCY_KEY", "")):
            # Drawn keys are short and come again and again. Longer ones stay, and so meet what they were used for.
            environ["HTTP_IDEMPOTENCY_KEY"] += f"-{next(self._keys)}"
        if path.startswith("/api/auth/refresh"):
            body = environ["wsgi.input"].read()
            body = body.replace(REFRESH_TOKEN.encode(), world.opened(world.player).refresh_token.encode())
            environ["wsgi.input"] = io.BytesIO(body)
            if environ.get("CONTENT_LENGTH", "").isdigit():
                environ["CONTENT_LENGTH"] = str(len(body))

    def _after(self, request: Request, path: str, answer: Answer) -> None:
        if answer.status >= 300:
            return
        if request.method == "DELETE":
            self.world.forget_session()
        if path.startswith("/api/auth/password"):
            self.world.restore_password()


def _request_of(environ: Environ) -> Request:
    """What was sent, still with its stand-ins."""
    body = environ["wsgi.input"].read()
    environ["wsgi.input"] = io.BytesIO(body)
    headers = [
        (name.removeprefix("HTTP_").replace("_", "-").title(), str(value).encode("latin-1", "replace"))
        for name, value in environ.items()
        if name.startswith("HTTP_") or (name in ("CONTENT_TYPE", "CONTENT_LENGTH") and value)
    ]
    target = environ.get("RAW_URI") or environ.get("REQUEST_URI") or environ["PATH_INFO"]
    return Request(environ["REQUEST_METHOD"], target.encode("latin-1", "replace"), headers, body)


def _run(application: Application, environ: Environ) -> tuple[Answer, str, list[tuple[str, str]]]:
    started: list[tuple[str, list[tuple[str, str]]]] = []

    def start_response(status: str, headers: list[tuple[str, str]], *rest: Any) -> None:
        started.append((status, headers))

    result = application(environ, start_response)
    try:
        body = b"".join(result)
    finally:
        close = getattr(result, "close", None)
        if close is not None:
            close()
    status, headers = started[-1]
    return Answer(int(status[:3]), {name.lower(): value for name, value in headers}, body), status, headers
