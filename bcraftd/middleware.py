"""What happens to every request before and after its view."""

import io
import re
import uuid
from collections.abc import Callable

from csp.middleware import CSPMiddleware
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from bcraftd import ratelimits
from bcraftd.errors import Refusal, is_api, problem
from bcraftd.network import client_address, from_trusted_proxy
from bcraftd.parsing import MAX_BODY_BYTES

Handler = Callable[[HttpRequest], HttpResponse]

_REQUEST_ID = re.compile(r"[A-Za-z0-9-]{8,64}")
_PAGES = ("/admin/", "/api/docs")


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


class EdgeMiddleware:
    """Outermost of ours: the request id, the client's true address and scheme, the path without a trailing slash."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        given = request.META.get("HTTP_X_REQUEST_ID", "")
        request_id = given if _REQUEST_ID.fullmatch(given) else str(uuid.uuid4())
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
        return response


class ContentPolicyMiddleware(CSPMiddleware):
    """The strict policy for what is never a page, and the other one for the admin and the docs."""

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        if request.path_info.startswith(_PAGES):
            response._csp_replace = settings.CONTENT_SECURITY_POLICY_PAGES  # type: ignore[attr-defined]
        answer: HttpResponseBase = super().process_response(request, response)
        return answer


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
