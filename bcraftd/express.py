"""The express lane: around the WSGI application, it answers hot GETs that hit from Redis in one round trip.

What is hot, and under which key it stands, the apps declare in their cache.py (`Entry(..., hot=...)`). A hit goes out
with the same bytes and headers as from Django. Anything else goes to Django as it came and uncounted: a miss, a limit
that is used up, a session that has ended, a header that means something unusual, a Redis that does not answer.
"""

import logging
import time
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from io import BytesIO
from itertools import count
from typing import Any, NamedTuple
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from django.conf import settings
from django.core.handlers.wsgi import WSGIRequest
from django.http import HttpResponse
from django.http.request import split_domain_port, validate_host
from django.middleware.clickjacking import XFrameOptionsMiddleware
from django.middleware.security import SecurityMiddleware

from accounts import selectors, tokens
from accounts.api.middleware import bearer
from accounts.cache import SESSION
from bcraftd import logs, ratelimits, reading
from bcraftd.cache import invalidation, stats, store
from bcraftd.cache.entry import Entry, Fresh, variant_name
from bcraftd.cache.hot import Hot
from bcraftd.errors import Refusal
from bcraftd.measuring import BEGAN, Hits, endpoint_at
from bcraftd.middleware import REQUEST_ID, ContentPolicyMiddleware
from bcraftd.network import client_address, from_trusted_proxy

log = logging.getLogger(__name__)

# What a DRF view takes as "JSON, please". Whatever else is asked for is for Django to weigh.
_ACCEPTED = frozenset({"", "*/*", "application/json", "application/json, */*", "application/json, text/plain, */*"})


@dataclass(frozen=True, slots=True)
class Target:
    """What a path and a query name: an entry's value, whose key has `player_id` open where it is private."""

    entry: Entry
    hot: Hot
    key: str
    variant: str
    hits: Hits


class Reply(NamedTuple):
    """What goes out, and what a line in the log says of it. player_id: 0 for nobody's."""

    target: Target
    status: str
    headers: list[tuple[str, str]]
    body: bytes
    request_id: str
    player_id: int


class Doubt(Exception):
    """The request is for Django."""


class Express:
    """The WSGI application that granian serves: `django` behind the lane."""

    def __init__(self, django: WSGIApplication) -> None:
        self.django = django
        # What a client asks for again and again; made-up queries push each other out.
        self._target = lru_cache(maxsize=4096)(self._read)
        self._host_is_ours = lru_cache(maxsize=256)(_host_is_ours)
        self._answers = count()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        began = time.perf_counter()
        if environ["REQUEST_METHOD"] == "GET" and environ.get("PATH_INFO", "").startswith("/api/"):
            try:
                reply = self._answer(environ)
            except (Doubt, Refusal, store.StoreDown):
                pass
            except Exception:
                # A defect of ours costs the speed and not the answer.
                log.exception("the express lane failed, Django answers")
            else:
                self._count(environ, reply, time.perf_counter() - began)
                start_response(reply.status, reply.headers)
                return [reply.body]
        environ[BEGAN] = began
        return self.django(environ, start_response)

    def _count(self, environ: WSGIEnvironment, reply: Reply, seconds: float) -> None:
        reply.target.hits.count(reply.status, seconds)
        if settings.LOG_HITS and next(self._answers) % settings.LOG_HITS == 0:
            logs.hit(environ, reply.status, request_id=reply.request_id, player_id=reply.player_id, seconds=seconds)

    @cached_property
    def _paths(self) -> dict[str, tuple[Entry, Hot]]:
        """Path, up to the parameter that may end it, to what it shows."""
        return {hot.path.partition("{")[0]: (entry, hot) for entry in invalidation.entries() for hot in entry.hot}

    def _read(self, path: str, query: str) -> Target | None:
        entry, hot = self._paths.get(path, (None, None))
        values: dict[str, Any] = {}
        if entry is None or hot is None or hot.tail:
            head, _, tail = path.rpartition("/")
            entry, hot = self._paths.get(f"{head}/", (None, None))
            if entry is None or hot is None or not hot.tail or not _is_id(tail):
                return None
            values = {hot.tail: int(tail)}
        asked = hot.read(query)
        if asked is None:
            return None
        values |= asked
        params = {name: values.pop(name, "{player_id}") for name in entry.parameters}
        variant = variant_name(values) if entry.variants else ""
        return Target(entry, hot, entry.name(params), variant, Hits.of(endpoint_at(path)))

    def _answer(self, environ: WSGIEnvironment) -> Reply:
        """What is answered without Django. Raises Doubt, Refusal or StoreDown where Django has to answer."""
        target = self._target(environ["PATH_INFO"], environ.get("QUERY_STRING", ""))
        if target is None or not settings.CACHE_ENABLED:
            raise Doubt
        secure = self._looked_at(environ)
        session_id, visitor = _visitor(environ)
        if target.hot.private and not session_id:
            raise Doubt
        entry = target.entry
        key = target.key.replace("{player_id}", str(visitor.player_id)) if target.hot.private else target.key
        hit = store.hot(key, target.variant, entry.generation_key, visitor)
        if hit is None:
            raise Doubt
        stats.count(entry.family, "hits")
        if session_id:
            stats.count(SESSION.family, "hits")
            selectors.session_seen(session_id)
        etag = reading.etag_of(hit.body)
        request_id = _request_id(environ)
        headers = [
            *_frame(secure),
            *reading.headers(outcome="HIT", etag=etag, private=target.hot.private).items(),
            ("X-Request-ID", request_id),
        ]
        if visitor.counter:
            headers += ratelimits.Usage(visitor.limit, hit.count, hit.reset).headers().items()
        if reading.matches(environ.get("HTTP_IF_NONE_MATCH", ""), etag):
            return Reply(target, "304 Not Modified", headers, b"", request_id, visitor.player_id)
        body = reading.spliced(hit.body, "cache") if target.hot.source else hit.body
        headers += [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
        return Reply(target, "200 OK", headers, body, request_id, visitor.player_id)

    def _looked_at(self, environ: WSGIEnvironment) -> bool:
        """Whether the request came by HTTPS. Raises Doubt for what Django would redirect, refuse or weigh."""
        get = environ.get
        secure = environ["wsgi.url_scheme"] == "https" or (
            get("HTTP_X_FORWARDED_PROTO") == "https" and from_trusted_proxy(environ)
        )
        if (
            (settings.SECURE_SSL_REDIRECT and not secure)
            or not self._host_is_ours(get("HTTP_HOST", ""), tuple(settings.ALLOWED_HOSTS), settings.DEBUG)
            or get("HTTP_ACCEPT", "") not in _ACCEPTED
            or get("CONTENT_LENGTH", "") not in ("", "0")
            or "HTTP_TRANSFER_ENCODING" in environ
            or "\0" in get("HTTP_IF_NONE_MATCH", "")
        ):
            raise Doubt
        return secure


def _is_id(text: str) -> bool:
    """Whether it is a row's id as bcraftd.converters takes it, and not one that may be too large."""
    return text.isascii() and text.isdecimal() and text[0] != "0" and len(text) <= 18


def _host_is_ours(host: str, allowed: tuple[str, ...], debug: bool) -> bool:
    """What Django's HttpRequest.get_host asks; never for DEBUG, where it allows more."""
    domain, _ = split_domain_port(host)
    return bool(domain) and not debug and validate_host(domain, allowed)


def _visitor(environ: WSGIEnvironment) -> tuple[str, store.Visitor]:
    """Whose session it is that asks, "" for nobody's, and what Redis needs to know of them.

    Raises Refusal for a token that is no good: what follows from that is Django's to say.
    """
    session_id, player_id = "", 0
    if "HTTP_AUTHORIZATION" in environ:
        claims = tokens.verified.read(bearer(environ["HTTP_AUTHORIZATION"]))
        session_id, player_id = claims.session_id, claims.player_id
        if environ.get("HTTP_X_SESSION_ID", session_id) != session_id:
            raise Doubt
    caller = ratelimits.player(player_id) if session_id else ratelimits.address(client_address(environ))
    limit, window = settings.RATE_LIMIT_DEFAULT or (0, 0)
    return session_id, store.Visitor(
        counter=ratelimits.counter(caller) if limit else "",
        limit=limit,
        window=window,
        session=SESSION.name({"session_id": session_id}) if session_id else "",
        session_ms=SESSION.life_ms(Fresh({})),
        player_id=player_id,
    )


def _request_id(environ: WSGIEnvironment) -> str:
    given: str = environ.get("HTTP_X_REQUEST_ID", "")
    return given if REQUEST_ID.fullmatch(given) else str(uuid.uuid4())


@lru_cache(maxsize=2)
def _frame(secure: bool) -> list[tuple[str, str]]:
    """The headers that Django's middleware puts onto every answer of the API, asked from that middleware itself."""
    scheme = "https" if secure else "http"
    request = WSGIRequest(
        {"REQUEST_METHOD": "GET", "PATH_INFO": "/api/", "wsgi.url_scheme": scheme, "wsgi.input": BytesIO()}
    )
    handler: Any = lambda request: HttpResponse()  # noqa: E731
    for middleware in (SecurityMiddleware, XFrameOptionsMiddleware, ContentPolicyMiddleware):
        handler = middleware(handler)
    own = {"Content-Type", "Cache-Control"}
    return [(name, value) for name, value in handler(request).headers.items() if name not in own]
