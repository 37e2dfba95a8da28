"""Every error under /api/ as RFC 9457 `application/problem+json`: one base, one table, one handler."""

import json
import logging
from collections.abc import Mapping, Sequence
from typing import Any

from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from django.views import defaults
from rest_framework import exceptions

from bcraftd.postgresql.base import CommitUnknown

log = logging.getLogger(__name__)

# code: (status, title). docs/api.md lists the same, and a test compares the two.
CODES: dict[str, tuple[int, str]] = {
    "invalid": (400, "The request is not valid"),
    "parse_error": (400, "The body is not well-formed JSON"),
    "not_authenticated": (401, "An access token is needed"),
    "token_invalid": (401, "The token is not valid"),
    "session_expired": (401, "The session has ended"),
    "bad_credentials": (401, "Login or password is wrong"),
    "permission_denied": (403, "Not allowed"),
    "not_found": (404, "Not found"),
    "method_not_allowed": (405, "Method not allowed"),
    "not_acceptable": (406, "Only JSON can be sent"),
    "payload_too_large": (413, "The body is too large"),
    "unsupported_media_type": (415, "Only JSON is understood"),
    "login_taken": (409, "The login is taken"),
    "email_taken": (409, "The email address is taken"),
    "insufficient_coins": (409, "Not enough coins"),
    "insufficient_items": (409, "Not enough items"),
    "listing_not_active": (409, "The listing is not active"),
    "own_listing": (409, "The listing is your own"),
    "not_tradeable": (409, "The resource cannot be traded"),
    "not_gatherable": (409, "The resource cannot be gathered"),
    "profession_required": (409, "A profession is missing"),
    "profession_limit": (409, "No more professions can be joined"),
    "level_too_low": (409, "The profession's level is too low"),
    "balance_limit": (409, "The balance would pass its limit"),
    "idempotency_in_progress": (409, "The first call with this key still runs"),
    "conflict": (409, "The request conflicts with the present state"),
    "idempotency_key_reused": (422, "The key was used for another call"),
    "rate_limited": (429, "Too many requests"),
    "internal_error": (500, "Something went wrong here"),
    "service_unavailable": (503, "Not available at the moment"),
}
RETRY_AFTER_SECONDS = 2
_UNKNOWN = (
    "The database was lost in the moment of writing: this was done, or it was not."
    " Repeat it under the same Idempotency-Key, or look before you repeat it."
)


class Refusal(Exception):
    """What a service raises when the rules say no.

    `code` is a key of CODES and gives the status; `detail` is a sentence for the player; `errors` are
    `{"field", "code", "detail"}` of bad input; `headers` go onto the answer.
    """

    def __init__(
        self,
        code: str,
        detail: str = "",
        *,
        errors: Sequence[Mapping[str, str]] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.code = code
        self.status, self.title = CODES[code]
        self.detail = detail or f"{self.title}."
        self.errors = list(errors)
        self.headers = dict(headers or {})
        super().__init__(f"{code}: {self.detail}")

    def __reduce__(self) -> tuple[Any, ...]:
        # Exceptions cross process borders by pickle (multiprocessing in tests and tools).
        return (type(self), (self.code, self.detail))


def invalid(field: str, detail: str, code: str = "invalid") -> Refusal:
    """The refusal for one bad field."""
    return Refusal("invalid", f"{field}: {detail}", errors=[{"field": field, "code": code, "detail": detail}])


def problem(request: HttpRequest, refusal: Refusal) -> HttpResponse:
    """The refusal as an answer."""
    body: dict[str, Any] = {
        "type": f"urn:bcraftd:error:{refusal.code}",
        "title": refusal.title,
        "status": refusal.status,
        "detail": refusal.detail,
        "code": refusal.code,
        "request_id": getattr(request, "request_id", ""),
    }
    if refusal.errors:
        body["errors"] = refusal.errors
    response = HttpResponse(
        json.dumps(body, ensure_ascii=False).encode("utf-8", "replace"),
        status=refusal.status,
        content_type="application/problem+json",
    )
    for name, value in refusal.headers.items():
        response[name] = value
    if refusal.status == 401:
        response["WWW-Authenticate"] = 'Bearer realm="api"'
    return response


def _flatten(detail: Any, path: str = "") -> list[dict[str, str]]:
    """DRF's nested error detail as a flat list of field, code and sentence."""
    if isinstance(detail, Mapping):
        return [row for key, value in detail.items() for row in _flatten(value, f"{path}.{key}" if path else str(key))]
    if isinstance(detail, list):
        rows: list[dict[str, str]] = []
        for index, value in enumerate(detail):
            nested = isinstance(value, Mapping | list)
            rows += _flatten(value, f"{path}.{index}" if nested else path)
        return rows
    return [{"field": path or "body", "code": getattr(detail, "code", None) or "invalid", "detail": str(detail)}]


def as_refusal(error: BaseException) -> Refusal | None:
    """Any known exception as a refusal; None for one that is a defect of ours."""
    match error:
        case Refusal():
            return error
        case exceptions.ValidationError():
            rows = _flatten(error.detail)
            return Refusal("invalid", "; ".join(f"{row['field']}: {row['detail']}" for row in rows[:3]), errors=rows)
        case exceptions.ParseError():
            return Refusal("parse_error", str(error.detail))
        case exceptions.NotAuthenticated():
            return Refusal("not_authenticated")
        case exceptions.AuthenticationFailed():
            return Refusal("token_invalid")
        case exceptions.PermissionDenied() | PermissionDenied():
            return Refusal("permission_denied")
        case exceptions.NotFound() | Http404():
            return Refusal("not_found")
        case exceptions.MethodNotAllowed():
            return Refusal("method_not_allowed", str(error.detail))
        case exceptions.NotAcceptable():
            return Refusal("not_acceptable")
        case exceptions.UnsupportedMediaType():
            return Refusal("unsupported_media_type", str(error.detail))
        case RequestDataTooBig():
            return Refusal("payload_too_large")
        case SuspiciousOperation():
            return Refusal("invalid")
        case CommitUnknown():
            log.error("the database was lost while it committed", exc_info=error)
            return Refusal("service_unavailable", _UNKNOWN, headers={"Retry-After": str(RETRY_AFTER_SECONDS)})
        case OperationalError() | InterfaceError():
            log.error("the database did not serve this request", exc_info=error)
            return Refusal("service_unavailable", headers={"Retry-After": str(RETRY_AFTER_SECONDS)})
    return None


def exception_handler(error: Exception, context: Mapping[str, Any]) -> HttpResponse | None:
    """DRF's hook. None lets Django log the traceback and call handler500."""
    refusal = as_refusal(error)
    if refusal is None:
        return None
    response = problem(context["request"], refusal)
    if isinstance(error, exceptions.MethodNotAllowed):
        response["Allow"] = ", ".join(context["view"].allowed_methods)
    return response


def is_api(request: HttpRequest) -> bool:
    """Whether the path is the API's, where every error is a problem document."""
    return request.path_info.startswith("/api/") or request.path_info == "/api"


def handler400(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's hook for a suspicious request."""
    if is_api(request):
        return problem(request, as_refusal(exception) or Refusal("invalid"))
    return defaults.bad_request(request, exception)


def handler403(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's hook for a refused request."""
    return (
        problem(request, Refusal("permission_denied"))
        if is_api(request)
        else defaults.permission_denied(request, exception)
    )


def handler404(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's hook for an unknown path."""
    return problem(request, Refusal("not_found")) if is_api(request) else defaults.page_not_found(request, exception)


def handler500(request: HttpRequest) -> HttpResponse:
    """Django's hook for a defect; the traceback is in the log under the same request id."""
    return problem(request, Refusal("internal_error")) if is_api(request) else defaults.server_error(request)
