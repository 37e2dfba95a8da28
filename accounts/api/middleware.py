"""Who speaks, found once for each request: the rate limit and the views both need it."""

import re
from collections.abc import Callable

import structlog
from django.http import HttpRequest, HttpResponse

from accounts import selectors, tokens
from bcraftd.errors import Refusal, as_refusal, is_api
from bcraftd.identity import Principal

_BEARER = re.compile(r"Bearer +([A-Za-z0-9._~+/=-]+)", re.IGNORECASE)


def bearer(header: str) -> str:
    """The token in an Authorization header. Raises Refusal `token_invalid` where there is none."""
    match = _BEARER.fullmatch(header.strip())
    if match is None:
        raise Refusal("token_invalid")
    return match[1]


def identify(request: HttpRequest) -> Principal:
    """The player of the request's token. Raises Refusal `not_authenticated`, `token_invalid` or `session_expired`."""
    header = request.META.get("HTTP_AUTHORIZATION", "")
    if not header:
        raise Refusal("not_authenticated")
    claims = tokens.verified.read(bearer(header))
    if request.META.get("HTTP_X_SESSION_ID", claims.session_id) != claims.session_id:
        raise Refusal("token_invalid", "X-Session-ID names another session than the token.")
    principal = selectors.session_principal(claims.session_id)
    if principal is None or principal.id != claims.player_id:
        raise Refusal("session_expired")
    return principal


class IdentityMiddleware:
    """Sets request.principal, or request.identity_refusal that says why there is none."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request.principal = None  # type: ignore[attr-defined]
        request.identity_refusal = Refusal("not_authenticated")  # type: ignore[attr-defined]
        if is_api(request) and "HTTP_AUTHORIZATION" in request.META:
            try:
                principal = request.principal = identify(request)  # type: ignore[attr-defined]
                structlog.contextvars.bind_contextvars(player_id=principal.id)
            except Exception as error:
                refusal = as_refusal(error)
                if refusal is None:
                    raise
                request.identity_refusal = refusal  # type: ignore[attr-defined]
        return self.get_response(request)
