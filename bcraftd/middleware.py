"""What happens to every request before and after its view."""

import re
import uuid
from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from bcraftd import ratelimits
from bcraftd.errors import Refusal, is_api, problem
from bcraftd.network import client_address, from_trusted_proxy

Handler = Callable[[HttpRequest], HttpResponse]

_REQUEST_ID = re.compile(r"[A-Za-z0-9-]{8,64}")
_PAGES = ("/admin/", "/api/docs")


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
        response = self.get_response(request)
        response["X-Request-ID"] = request_id
        if request.path_info.startswith(_PAGES):
            response._csp_replace = settings.CONTENT_SECURITY_POLICY_PAGES  # type: ignore[attr-defined]
        return response


class RateLimitMiddleware:
    """The general limit, counted once for every request under /api/."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if settings.RATE_LIMIT_DEFAULT is None or not is_api(request):
            return self.get_response(request)
        usage = ratelimits.count_request(ratelimits.who(request))
        if usage.exceeded:
            response = problem(request, Refusal("rate_limited", headers=usage.retry_headers()))
        else:
            response = self.get_response(request)
        for name, value in usage.headers().items():
            # A named limit that refused has already said its own figures.
            response.setdefault(name, value)
        return response
