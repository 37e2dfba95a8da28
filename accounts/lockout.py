"""What failed logins lead to. Two limits, both kept by PostgreSQL, at both doors (the API and the admin):

- axes counts the failures of one login from one address, and locks that pair for a quarter of an hour;
- a guesser with many addresses is held by RATE_LIMIT_LOGIN_FAILURES, the failures of one login from everywhere. Past
  it only an address from which that login came in lately gets a try, so that nobody can be shut out of the place
  where they play by others' failures.

Neither asks whether the login exists. Guesses that are under way at the same moment may pass a limit together.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from axes.handlers.database import AxesDatabaseHandler
from axes.handlers.proxy import AxesProxyHandler
from django.conf import settings
from django.http import HttpRequest

from accounts.backends import axes_client_ip, axes_username, locked
from bcraftd import windows

# How long an address is known after a login: a month without playing is a long one.
KNOWN_SECONDS = 30 * 86400

Credentials = dict[str, Any] | None


def _failures(login: str) -> windows.Window:
    return (windows.LOGIN_FAILURES, login)


def _known(login: str, address: str) -> windows.Window:
    return ("login-known", f"{login} {address}")


class LoginHandler(AxesDatabaseHandler):
    """AXES_HANDLER: axes' own, with the second limit beside it."""

    def is_locked(self, request: HttpRequest, credentials: Credentials = None) -> bool:
        if not settings.AXES_ENABLED:
            return False
        return bool(super().is_locked(request, credentials)) or self._login_is_locked(request, credentials)

    def _login_is_locked(self, request: HttpRequest, credentials: Credentials) -> bool:
        rate = settings.RATE_LIMIT_LOGIN_FAILURES
        if rate is None:
            return False
        login = axes_username(request, credentials)
        failures, known = _failures(login), _known(login, axes_client_ip(request))
        found = windows.running(failures, known)
        count, left = found.get(failures, (0, 0))
        if count < rate[0] or known in found:
            return False
        request.lock_seconds = left  # type: ignore[attr-defined]
        return True

    def user_login_failed(
        self, sender: Any, credentials: dict[str, Any], request: HttpRequest | None = None, **rest: Any
    ) -> None:
        rate = settings.RATE_LIMIT_LOGIN_FAILURES
        if rate is not None and request is not None and not getattr(request, "axes_locked_out", False):
            windows.count(_failures(axes_username(request, credentials)), rate[1])
        super().user_login_failed(sender, credentials, request, **rest)

    def user_logged_in(self, sender: Any, request: HttpRequest, user: Any, **rest: Any) -> None:
        super().user_logged_in(sender, request, user, **rest)
        if settings.RATE_LIMIT_LOGIN_FAILURES is not None:
            login = axes_username(request, {"login": user.get_username()})
            windows.remember(_known(login, axes_client_ip(request)), KNOWN_SECONDS)


@contextmanager
def guarded(request: HttpRequest, login: str) -> Iterator[None]:
    """Around a comparison with a login's password. Raises Refusal `rate_limited` where the login is locked here."""
    if not AxesProxyHandler.is_allowed(request, {"login": login}):
        raise locked(request)
    try:
        yield
    finally:
        # The failure that reaches the limit is still answered as a failure; the next one is locked out.
        request.axes_locked_out = False  # type: ignore[attr-defined]


def failed(request: HttpRequest, login: str) -> None:
    """Counts a failure where Django does not tell of it by itself."""
    AxesProxyHandler.user_login_failed(sender=failed, credentials={"login": login}, request=request)


def succeeded(request: HttpRequest, player: Any) -> None:
    """A good login forgets the failures before it. Not by Django's signal, which would also write last_login."""
    AxesProxyHandler.user_logged_in(sender=succeeded, request=request, user=player)
