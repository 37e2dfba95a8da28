"""The express lane and the Django behind it, called as a server calls them."""

from dataclasses import dataclass, field
from typing import Any

from django.core.handlers.wsgi import WSGIHandler
from django.test import RequestFactory

from bcraftd.express import Express
from tests.support import Api

HTTPS: dict[str, Any] = {"wsgi.url_scheme": "https"}
# Of each request another.
OWN = {"X-Request-ID", "X-RateLimit-Remaining", "X-RateLimit-Reset"}


@dataclass
class Reply:
    """What came out of a WSGI application."""

    status: str
    headers: list[tuple[str, str]]
    body: bytes

    @property
    def names(self) -> dict[str, str]:
        return dict(self.headers)


@dataclass
class Lane:
    """The lane and the Django behind it, called as a server calls them."""

    handed: int = 0
    django: WSGIHandler = field(default_factory=WSGIHandler)
    express: Express = field(init=False)

    def __post_init__(self) -> None:
        self.express = Express(self._behind)

    def _behind(self, environ: Any, start_response: Any) -> Any:
        self.handed += 1
        return self.django(environ, start_response)

    def get(self, path: str, by: Api | None = None, *, lane: bool = True, **change: Any) -> Reply:
        """A GET of a path with its query, through the lane or straight to Django. `change` is of the environment, None
        takes a part of it away."""
        environ: dict[str, Any] = {**RequestFactory().get(path).environ, "HTTP_HOST": "localhost"}
        if by is not None:
            environ["HTTP_AUTHORIZATION"] = f"Bearer {by.token}"
        environ.update(change)
        seen: list[Any] = []
        application: Any = self.express if lane else self.django
        environ = {name: value for name, value in environ.items() if value is not None}
        answer = application(environ, lambda status, headers, exc_info=None: seen.extend((status, headers)))
        body = b"".join(answer)
        if hasattr(answer, "close"):
            answer.close()
        return Reply(seen[0], [(name, value) for name, value in seen[1]], body)

    def warm(self, path: str, by: Api | None = None) -> Reply:
        """Django's answer of a hit."""
        self.get(path, by, lane=False)
        reply = self.get(path, by, lane=False)
        assert reply.names["X-Cache"] == "HIT", reply
        return reply
