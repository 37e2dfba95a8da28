"""The base of every view: a view parses, calls one service or selector, and answers."""

import re
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

from django.http import HttpResponse
from rest_framework.exceptions import ParseError
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.views import APIView

from bcraftd import idempotency, ratelimits, reading
from bcraftd.cache.entry import Answer, encode
from bcraftd.errors import Refusal, invalid
from bcraftd.fields import Empty, StrictSerializer, body_values, query_values
from bcraftd.identity import Principal

_IDEMPOTENCY_KEY = re.compile(r"[\x21-\x7e]{1,255}")


class ApiView(APIView):
    """For signed-in players.

    limit: the rate limit that its POST counts against.
    """

    http_method_names = ["get", "head", "post", "delete"]
    limit: str | None = None

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if self.limit is not None and request.method == "POST":
            ratelimits.check_named(request._request, self.limit)
        # A method that is not there is a 405, whatever the query.
        if request.method not in ("GET", "HEAD") and request.method in self.allowed_methods:
            query_values(request._request, Empty)

    @property
    def default_response_headers(self) -> dict[str, str]:
        """None: which methods there are is said where one is not allowed."""
        return {}

    @property
    def player(self) -> Principal:
        """Who is signed in."""
        user = self.request.user
        assert isinstance(user, Principal)
        return user

    def query(self, kind: type[StrictSerializer] = Empty) -> dict[str, Any]:
        """The validated query string."""
        return query_values(self.request._request, kind)

    def body(self, kind: type[StrictSerializer] = Empty) -> dict[str, Any]:
        """The validated body. Raises ParseError where its absence would decide something and may be an accident."""
        data = self.request.data
        if kind is not Empty and getattr(self.request._request, "body_in_doubt", False):
            raise ParseError("The body is empty, or was lost on its way: send {} if that is what you mean.")
        return body_values(data, kind)

    def handle_exception(self, exc: Exception) -> Any:
        # DRF turns 401 into 403 where a view has no authenticator; our handler knows better.
        response = self.get_exception_handler()(exc, self.get_exception_handler_context())
        if response is None:
            self.raise_uncaught_exception(exc)
        return response


class PublicView(ApiView):
    """For everybody. A token is not looked at, so that an old one does not shut anybody out of a public page."""

    authentication_classes: Sequence[Any] = ()
    permission_classes = (AllowAny,)


def json_answer(data: Any, status: int = 200) -> HttpResponse:
    """An answer that is not cached."""
    return _bytes_answer(encode(data), status)


def _bytes_answer(body: bytes, status: int) -> HttpResponse:
    response = HttpResponse(body, status=status, content_type="application/json")
    response["Cache-Control"] = "no-store"
    return response


def idempotent(post: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """For a view's POST that spends or moves something: under an Idempotency-Key it has one effect and one answer.

    The whole method becomes one transaction with the row that keeps its answer. Raises what bcraftd.idempotency does.
    """

    @wraps(post)
    def run(view: ApiView, request: Request, *args: Any, **kwargs: Any) -> HttpResponse:
        once = _once(request)
        if once is None:
            return post(view, request, *args, **kwargs)

        def perform() -> idempotency.Kept:
            answer = post(view, request, *args, **kwargs)
            return idempotency.Kept(answer.status_code, answer.content)

        return kept_answer(idempotency.once(player_id=view.player.id, once=once, perform=perform))

    run.idempotent = True  # type: ignore[attr-defined] # bcraftd.schema looks for it
    return run


def idempotent_within(post: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """For a POST whose service sees to its idempotency key itself: gives it to the view as `once`, None without one."""

    @wraps(post)
    def run(view: ApiView, request: Request, *args: Any, **kwargs: Any) -> HttpResponse:
        return post(view, request, *args, once=_once(request), **kwargs)

    run.idempotent = True  # type: ignore[attr-defined]
    return run


def kept_answer(kept: idempotency.Kept) -> HttpResponse:
    """The first answer under a key, or that one again."""
    response = _bytes_answer(kept.body, kept.status)
    if kept.replayed:
        response["Idempotent-Replayed"] = "true"
    return response


def _once(request: Request) -> idempotency.Key | None:
    key = idempotency_key(request)
    if key is None:
        return None
    raw = request._request
    return idempotency.Key(key, idempotency.fingerprint(str(raw.method), raw.path_info, request.data))


def idempotency_key(request: Request) -> str | None:
    """The Idempotency-Key, None where there is none. Raises Refusal `invalid` for a malformed one."""
    key = request.META.get("HTTP_IDEMPOTENCY_KEY")
    if key is not None and not _IDEMPOTENCY_KEY.fullmatch(key):
        raise invalid("Idempotency-Key", "1 to 255 visible ASCII characters are expected.")
    return key


def cached_answer(
    request: Request, answer: Answer | None, *, private: bool = False, source: bool = False
) -> HttpResponse:
    """An answer of the cache as it stands, bytes in and bytes out. None is a 404.

    `source` splices `"source":"cache"|"database"` in front, the one thing that differs between hit and miss.
    """
    if answer is None:
        raise Refusal("not_found")
    etag = reading.etag_of(answer.body)
    if reading.matches(request._request.META.get("HTTP_IF_NONE_MATCH", ""), etag):
        response = HttpResponse(status=304)
        del response["Content-Type"]
    else:
        body = reading.spliced(answer.body, answer.source) if source else answer.body
        response = HttpResponse(body, content_type="application/json")
    for name, value in reading.headers(outcome=answer.outcome, etag=etag, private=private).items():
        response[name] = value
    return response
