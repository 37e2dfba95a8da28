"""What each request took: counted for Prometheus by endpoint, and kept on the request for its line in the log.

With several processes every one writes into files of PROMETHEUS_MULTIPROC_DIR, and whichever is scraped adds them up.
Labels come from tables of ours and never from a client: an endpoint is a route of bcraftd/urls.py, and everything that
is none counts as one.
"""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import cast

from django.conf import settings
from django.db import connections
from django.http import HttpRequest, HttpResponse
from django.urls import Resolver404, resolve
from prometheus_client import Counter, Gauge, Histogram, disable_created_metrics

from bcraftd.postgresql.base import DatabaseWrapper

# The environment's name for when the request came in, by time.perf_counter: the express lane has had a look before.
BEGAN = "bcraftd.began"
# What leads nowhere, and every method that no endpoint has: one value, however many of them somebody makes up.
OTHER = "other"
METHODS = frozenset({"GET", "HEAD", "POST", "DELETE"})
# Each of them has many pages, which operators alone see.
_WHOLE = ("/admin/",)
_PARAMETER = re.compile(r"<(?:\w+:)?(\w+)>")

# Another series beside each one, with the time of the process's start; several processes leave them out anyway.
disable_created_metrics()

REQUESTS = Counter(
    "bcraftd_http_requests_total",
    "Requests answered. lane: express for those that were answered without Django.",
    ["endpoint", "method", "status", "lane"],
)
SECONDS = Histogram(
    "bcraftd_http_request_seconds",
    "Time from a request's arrival in the application to its answer.",
    ["endpoint", "method", "lane"],
    # From a hit, which takes a third of a millisecond, to the longest that a transaction may take.
    buckets=(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10),
)
STATEMENTS = Counter("bcraftd_http_sql_statements_total", "SQL statements that requests sent.", ["endpoint"])
SQL_SECONDS = Counter("bcraftd_http_sql_seconds_total", "Time that requests waited for PostgreSQL.", ["endpoint"])
IN_PROGRESS = Gauge(
    "bcraftd_http_requests_in_progress", "Requests that Django is answering.", multiprocess_mode="livesum"
)
PROCESSES = Gauge("bcraftd_processes", "Processes that serve and live.", multiprocess_mode="livesum")


def _asked() -> tuple[int, float]:
    """What this thread's connections, to replicas too, have asked so far: statements, and the seconds they took."""
    asked = [cast("DatabaseWrapper", each).statements for each in connections.all(initialized_only=True)]
    return sum(each.count for each in asked), sum(each.seconds for each in asked)


class Spent:
    """What a request has cost since it came in. SQL is what this thread's connections did meanwhile."""

    __slots__ = ("_began", "_count", "_seconds")

    def __init__(self, began: float) -> None:
        self._began = began
        self._count, self._seconds = _asked()

    @property
    def seconds(self) -> float:
        return time.perf_counter() - self._began

    @property
    def statements(self) -> int:
        return _asked()[0] - self._count

    @property
    def sql_seconds(self) -> float:
        return _asked()[1] - self._seconds

    def fields(self) -> dict[str, float]:
        """As they stand in the log, times in milliseconds."""
        return {
            "duration_ms": round(self.seconds * 1000, 2),
            "sql_count": self.statements,
            "sql_ms": round(self.sql_seconds * 1000, 2),
        }


class MeasureMiddleware:
    """Around all others, so that what they answer by themselves counts too. Puts `spent` onto the request."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        spent = request.spent = Spent(request.META.get(BEGAN) or time.perf_counter())  # type: ignore[attr-defined]
        with IN_PROGRESS.track_inprogress():
            answer = self.get_response(request)
        _count(request, answer.status_code, spent)
        return answer


def _count(request: HttpRequest, status: int, spent: Spent) -> None:
    endpoint = endpoint_of(request, status)
    method = request.method if request.method in METHODS else OTHER
    REQUESTS.labels(endpoint, method, str(status), "django").inc()
    SECONDS.labels(endpoint, method, "django").observe(spent.seconds)
    if statements := spent.statements:
        STATEMENTS.labels(endpoint).inc(statements)
        SQL_SECONDS.labels(endpoint).inc(spent.sql_seconds)


def endpoint_of(request: HttpRequest, status: int) -> str:
    """The request's route as docs/api.md writes it, `/static/` and `/admin/` each as a whole, or OTHER."""
    if request.resolver_match is not None:
        return _endpoint(request.resolver_match.route)
    # A middleware answered before Django looked for the view: a limit, a redirect, a file.
    if status < 400 and request.path_info.startswith(settings.STATIC_URL):
        return settings.STATIC_URL
    return endpoint_at(request.path_info)


def endpoint_at(path: str) -> str:
    """The route that a path leads to, OTHER where it leads nowhere."""
    try:
        return _endpoint(resolve(path).route)
    except Resolver404:
        return OTHER


@lru_cache(maxsize=1024)
def _endpoint(route: str) -> str:
    path = "/" + _PARAMETER.sub(r"{\1}", route)
    return next((whole for whole in _WHOLE if path.startswith(whole)), path)


@dataclass(frozen=True, slots=True)
class Hits:
    """The series of an endpoint's hits in the express lane, looked up once: a look-up costs as much as counting."""

    found: Counter
    unchanged: Counter
    seconds: Histogram

    @classmethod
    def of(cls, endpoint: str) -> "Hits":
        """endpoint: as endpoint_at gives it."""
        return cls(
            REQUESTS.labels(endpoint, "GET", "200", "express"),
            REQUESTS.labels(endpoint, "GET", "304", "express"),
            SECONDS.labels(endpoint, "GET", "express"),
        )

    def count(self, status: str, seconds: float) -> None:
        """One more answer. status: 200 or 304, with or without its words."""
        (self.found if status.startswith("200") else self.unchanged).inc()
        self.seconds.observe(seconds)
