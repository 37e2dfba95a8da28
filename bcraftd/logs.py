"""What the one line says that a request leaves in the log, beside what django-structlog puts there."""

import re
from typing import Any

import structlog
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponse
from django.utils.encoding import escape_uri_path
from django_structlog.middlewares import RequestMiddleware
from django_structlog.signals import (
    bind_extra_request_failed_metadata,
    bind_extra_request_finished_metadata,
    bind_extra_request_metadata,
)

from bcraftd.network import client_address

# structlog's own logger: its fields stand in the line by their names.
log = structlog.stdlib.get_logger(__name__)

# The parameters that the API and the admin's lists have. Whatever else stands in a query may be a token or a password.
PARAMETERS = frozenset(
    {
        "around", "cursor", "gatherable", "hours", "interval", "kind", "limit", "max_price", "min_price", "offset",
        "ordering", "profession_id", "rarity", "resource_id", "seller_id", "sort", "status", "all", "o", "p",
    }
)  # fmt: skip
HIDDEN = "..."
_PAIR = re.compile(r"([a-z_]+)=[A-Za-z0-9_.:-]*")


class LogMiddleware(RequestMiddleware):
    """django-structlog's, with a query of which only what is known to be harmless is written down."""

    @staticmethod
    def format_request(request: HttpRequest) -> str:
        """Method, path and query."""
        return shown(str(request.method), request.path, request.META.get("QUERY_STRING", ""))


def shown(method: str, path: str, query: str) -> str:
    """A request as the log names it: `GET /api/market/listings?limit=10&...`."""
    known = dict.fromkeys(pair if _is_known(pair) else HIDDEN for pair in query.split("&") if query)
    return f"{method} {escape_uri_path(path)}{'?' if known else ''}{'&'.join(known)}"


def _is_known(pair: str) -> bool:
    match = _PAIR.fullmatch(pair)
    return match is not None and match[1] in PARAMETERS


@receiver(bind_extra_request_metadata)
def _with_address(request: HttpRequest, **rest: Any) -> None:
    """The client's address, which EdgeMiddleware has found out already, on every line of the request."""
    structlog.contextvars.bind_contextvars(ip=request.META["REMOTE_ADDR"])


@receiver(bind_extra_request_finished_metadata)
def _with_what_it_cost(request: HttpRequest, response: HttpResponse, log_kwargs: dict[str, Any], **rest: Any) -> None:
    log_kwargs |= _facts(request) | {"cache": response.headers.get("X-Cache")}


@receiver(bind_extra_request_failed_metadata)
def _with_what_the_failure_cost(request: HttpRequest, log_kwargs: dict[str, Any], **rest: Any) -> None:
    log_kwargs |= _facts(request) | {"cache": None}


def _facts(request: HttpRequest) -> dict[str, Any]:
    return {
        "player_id": player_of(request),
        "user_agent": request.META.get("HTTP_USER_AGENT"),
        "lane": "django",
        **request.spent.fields(),  # type: ignore[attr-defined]
    }


def player_of(request: HttpRequest) -> int | None:
    """Whose token the request has, or whose session of the admin. None for nobody's."""
    principal = getattr(request, "principal", None)
    if principal is not None:
        return int(principal.id)
    # Asking for the user of a session that nobody has looked at would be a query of the log's own.
    found = getattr(request, "session", None)
    if found is None or not found.accessed:
        return None
    return getattr(request.user, "pk", None)


def hit(environ: Any, status: str, *, request_id: str, player_id: int, seconds: float) -> None:
    """The line of an answer that the express lane gave (settings.LOG_HITS)."""
    log.info(
        "request_finished",
        code=int(status[:3]),
        request=shown("GET", environ["PATH_INFO"], environ.get("QUERY_STRING", "")),
        request_id=request_id,
        ip=client_address(environ),
        player_id=player_id or None,
        user_agent=environ.get("HTTP_USER_AGENT"),
        lane="express",
        cache="HIT",
        duration_ms=round(seconds * 1000, 2),
        sql_count=0,
        sql_ms=0.0,
    )
