"""What happens to every request before and after its view."""

import io
import re
import uuid
from collections.abc import Callable
from functools import cache
from typing import Any

from csp.constants import HEADER, SELF, UNSAFE_EVAL, UNSAFE_INLINE
from csp.utils import build_policy
from django.conf import settings
from django.contrib.auth.middleware import AuthenticationMiddleware
from django.contrib.messages.middleware import MessageMiddleware
from django.contrib.sessions.middleware import SessionMiddleware
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from bcraftd import ratelimits
from bcraftd.errors import Refusal, is_api, problem
from bcraftd.network import client_address, from_trusted_proxy
from bcraftd.parsing import MAX_BODY_BYTES

Handler = Callable[[HttpRequest], HttpResponse]

REQUEST_ID = re.compile(r"[A-Za-z0-9-]{8,64}")
_ADMIN = "/admin/"
_PAGES = (_ADMIN, "/api/docs")
# Over the strict policy in settings.CONTENT_SECURITY_POLICY, which is for what is never a page.
_PAGES_POLICY = {
    "default-src": [SELF],
    # unfold's Alpine.js evaluates attributes, and both pages carry inline scripts without a nonce.
    "script-src": [SELF, UNSAFE_INLINE, UNSAFE_EVAL],
    "style-src": [SELF, UNSAFE_INLINE],
    "img-src": [SELF, "data:"],
    "font-src": [SELF, "data:"],
    "form-action": [SELF],
    "base-uri": [SELF],
}
# None of our pages asks for any of it.
_PERMISSIONS = ", ".join(
    f"{name}=()" for name in ("accelerometer", "camera", "geolocation", "gyroscope", "microphone", "payment", "usb")
)
# Where the admin compares what was typed with a password.
_PASSWORD_PAGES = ("/admin/login/", "/admin/password_change/")


def _take_out_nul(meta: dict[str, Any]) -> None:
    """A NUL in a header becomes a space, as RFC 9110 (5.5) has it: PostgreSQL keeps none, and sessions name the
    browser. granian refuses such a header by itself."""
    for name, value in meta.items():
        if name.startswith("HTTP_") and "\0" in value:
            meta[name] = value.replace("\0", " ")


def _measure_body(request: HttpRequest) -> None:
    """Reads a body that came without its length (chunked, or by HTTP/2).

    Django and DRF take it for none, and a purchase of one that loses its body is a purchase of everything.
    """
    given = request.META
    if given.get("CONTENT_LENGTH") or not given.get("wsgi.input_terminated") or request.method in ("GET", "HEAD"):
        return
    body = b""
    # One byte more than the parser takes is enough for it to refuse.
    while len(body) <= MAX_BODY_BYTES and (part := given["wsgi.input"].read(MAX_BODY_BYTES + 1 - len(body))):
        body += part
    given["CONTENT_LENGTH"] = str(len(body))
    request._stream = io.BytesIO(body)
    # granian hands over a body that was cut off as one that ended. Only HTTP/1 without chunks has surely none.
    sure = given.get("SERVER_PROTOCOL", "").startswith("HTTP/1") and not given.get("HTTP_TRANSFER_ENCODING")
    request.body_in_doubt = not body.strip() and not sure  # type: ignore[attr-defined]


class EdgeMiddleware:
    """Outermost of ours: the request id, the client's true address and scheme, the path without a trailing slash."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        _take_out_nul(request.META)
        given = request.META.get("HTTP_X_REQUEST_ID", "")
        request_id = given if REQUEST_ID.fullmatch(given) else str(uuid.uuid4())
        # structlog's middleware reads the header, so that the log has the same id as the answer.
        request.META["HTTP_X_REQUEST_ID"] = request_id
        request.request_id = request_id  # type: ignore[attr-defined]
        if from_trusted_proxy(request.META) and request.META.get("HTTP_X_FORWARDED_PROTO") == "https":
            request.META["wsgi.url_scheme"] = "https"
        request.META["REMOTE_ADDR"] = client_address(request.META)
        if is_api(request) and request.path_info.endswith("/"):
            # Answered the same without a redirect, because a redirected POST loses its body.
            request.path_info = request.path_info.rstrip("/")
            request.path = request.path.rstrip("/")
        _measure_body(request)
        response = self.get_response(request)
        response["X-Request-ID"] = request_id
        if response.status_code == 304:
            # Django says 0, which RFC 9110 (8.6) lets nobody say of a body that is not empty.
            del response["Content-Length"]
        return response


@cache
def _policy(*, is_page: bool) -> str:
    """The strict policy of settings.CONTENT_SECURITY_POLICY, or that of the pages."""
    return build_policy(replace=_PAGES_POLICY if is_page else None)


class ContentPolicyMiddleware:
    """What browsers may do with an answer: the strict policy for what is never a page, and the other one for the admin
    and the docs. Outside of everything that answers by itself, static files and redirects included.

    The policies are written by django-csp, once: its middleware writes them for each answer, which takes as long as a
    call to Redis, for the sake of nonces that none of our pages has.
    """

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        answer = self.get_response(request)
        # Django's own pages of errors, for developers, carry their styles.
        if not (settings.DEBUG and answer.status_code in (404, 500)):
            answer.headers.setdefault(HEADER, _policy(is_page=request.path_info.startswith(_PAGES)))
        answer["Permissions-Policy"] = _PERMISSIONS
        answer["Cross-Origin-Resource-Policy"] = "same-origin"
        # The docs' view opens it for logins by popup, of which there are none here.
        answer["Cross-Origin-Opener-Policy"] = "same-origin"
        # Where SecurityMiddleware itself refuses (a name that is not ours), it adds nothing.
        answer.headers.setdefault("X-Content-Type-Options", "nosniff")
        # Errors too: a 404 without it is for caches to keep as long as they like.
        answer.headers.setdefault("Cache-Control", "no-store")
        return answer


class PagesOnly:
    """Before a middleware of Django's that has nothing to do for the API, and takes its time all the same."""

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        through: Any = self.get_response if is_api(request) else super().__call__  # type: ignore[misc,attr-defined]
        answer: HttpResponseBase = through(request)
        return answer


class PageSessionMiddleware(PagesOnly, SessionMiddleware):
    """The admin's sessions; players have sessions of their own."""


class PageAuthenticationMiddleware(PagesOnly, AuthenticationMiddleware):
    """The operator of a session."""


class PageMessageMiddleware(PagesOnly, MessageMiddleware):
    """What the admin tells its operator on the next page."""


class RateLimitMiddleware:
    """The general limit, counted once for every request under /api/."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        rate = settings.RATE_LIMIT_DEFAULT
        if rate is None or not is_api(request):
            return self.get_response(request)
        usage = ratelimits.count_request(ratelimits.who(request), rate)
        if usage.exceeded:
            response = problem(request, Refusal("rate_limited", headers=usage.retry_headers()))
        else:
            response = self.get_response(request)
        for name, value in usage.headers().items():
            # A named limit that refused has already said its own figures.
            response.setdefault(name, value)
        return response


class AdminRateLimitMiddleware:
    """The admin's own limits: all its requests by operator, and by address the ones that try a password.

    Stands behind the session, so that strangers at an operator's address cannot use up what the operator may do.
    """

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path_info.startswith(_ADMIN):
            try:
                self._count(request)
            except Refusal as refusal:
                return HttpResponse(refusal.detail, status=429, content_type="text/plain", headers=refusal.headers)
        return self.get_response(request)

    def _count(self, request: HttpRequest) -> None:
        if settings.RATE_LIMIT_ADMIN is not None:
            caller = f"operator:{request.user.pk}" if request.user.is_authenticated else ratelimits.who(request)
            usage = ratelimits.count_request(f"admin:{caller}", settings.RATE_LIMIT_ADMIN)
            if usage.exceeded:
                raise Refusal("rate_limited", headers=usage.retry_headers())
        if request.method == "POST" and request.path_info in _PASSWORD_PAGES:
            # One counter with the API's logins: two doors must not give two times as many guesses.
            ratelimits.check_named(request, "login")
