"""How Django and axes find a player."""

from typing import Any

from django.contrib.auth.backends import ModelBackend
from django.http import HttpRequest, HttpResponse

from bcraftd.errors import Refusal, is_api, problem
from bcraftd.network import counted_address

# Seconds: AXES_COOLOFF_TIME.
LOCKED_SECONDS = 900


class PlayerBackend(ModelBackend):
    """Logins without regard to case: PlayerManager.get_by_natural_key does it."""


def axes_username(request: HttpRequest, credentials: dict[str, Any] | None = None) -> str:
    """The login whose failures are counted, the same however it is written."""
    given = (credentials or {}).get("login") or (credentials or {}).get("username")
    return str(given or request.POST.get("username", "")).casefold()[:32]


def axes_client_ip(request: HttpRequest) -> str:
    """Whose failures are counted. EdgeMiddleware has put the client's true address there."""
    return counted_address(request.META["REMOTE_ADDR"])


def locked(request: HttpRequest) -> Refusal:
    """What a locked login is answered. accounts.lockout notes on the request where its own limit ends."""
    seconds = getattr(request, "lock_seconds", LOCKED_SECONDS)
    detail = f"Too many failed logins. Try again in {-(-seconds // 60)} minutes."
    return Refusal("rate_limited", detail, headers={"Retry-After": str(seconds)})


def axes_lockout(request: HttpRequest, credentials: dict[str, Any] | None = None, *rest: Any) -> HttpResponse:
    """What a locked-out login gets: the admin's form as a plain page, the API as every other error."""
    refusal = locked(request)
    if is_api(request):
        return problem(request, refusal)
    return HttpResponse(refusal.detail, status=429, content_type="text/plain", headers=refusal.headers)
