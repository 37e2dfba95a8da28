"""What load balancers and monitoring ask for."""

import hmac
import ipaddress
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import Error, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.views.decorators.http import require_safe
from django_prometheus.exports import ExportToDjangoView
from django_q.models import Schedule

from bcraftd import draining, economymetrics, processes, servermetrics, workmetrics
from bcraftd.backups import metrics as backup_metrics
from bcraftd.cache import metrics as cache_metrics
from bcraftd.cache import outbox, store

# Schedules are looked at every 30 s, and a busy worker may take its time.
OVERDUE = timedelta(minutes=2)

State = Mapping[str, Any]


def database_state() -> State:
    """Whether PostgreSQL answers."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return {"state": "ok"}


def migrations_state() -> State:
    """Whether every migration has been applied."""
    executor = MigrationExecutor(connection)
    missing = executor.migration_plan(executor.loader.graph.leaf_nodes())
    names = [f"{migration.app_label}.{migration.name}" for migration, _ in missing]
    return {"state": "missing", "missing": names} if names else {"state": "ok"}


def cache_state() -> State:
    """Whether Redis answers. It being away costs speed and nothing else. `outbox` is how many invalidations wait for
    it, `opened` how often this process has had to do without it."""
    if not settings.CACHE_ENABLED:
        return {"state": "off"}
    found: dict[str, Any] = {"state": "ok"}
    try:
        store.guarded(lambda: store.client().ping(), always=True)
    except store.StoreDown as error:
        found = {"state": "down", "detail": str(error)}
    found |= {"breaker": store.breaker.state, "opened": store.breaker.opened}
    # That PostgreSQL is away is the database's state, not Redis's.
    with suppress(Error):
        found["outbox"] = outbox.depth()
    return found


def workers_state() -> State:
    """Whether somebody runs the schedules: with no cluster alive they become overdue."""
    due = Schedule.objects.exclude(repeats=0).order_by("next_run").values_list("name", "next_run").first()
    if due is None:
        return {"state": "unscheduled"}
    if due[1] < timezone.now() - OVERDUE:
        return {"state": "overdue", "schedule": due[0], "since": due[1]}
    return {"state": "ok"}


# Name, check, and whether the API can serve without it.
CHECKS: list[tuple[str, Callable[[], State], bool]] = [
    ("database", database_state, False),
    ("migrations", migrations_state, False),
    ("cache", cache_state, True),
    ("workers", workers_state, True),
]


@require_safe
def healthz(request: HttpRequest) -> HttpResponse:
    """The process lives."""
    return JsonResponse({"status": "ok"})


@require_safe
def readyz(request: HttpRequest) -> HttpResponse:
    """Each part's state. 503 only where the API cannot serve, or is about to stop."""
    states: dict[str, State] = {}
    serves = True
    for name, check, optional in CHECKS:
        try:
            states[name] = check()
        except Error as error:
            states[name] = {"state": "down", "detail": type(error).__name__}
        serves = serves and (optional or states[name]["state"] == "ok")
    said = "draining" if draining.has_begun() else "ok" if serves else "unavailable"
    response = JsonResponse({"status": said, "checks": states}, status=200 if said == "ok" else 503)
    response["Cache-Control"] = "no-store"
    if said != "ok":
        response["Retry-After"] = "2"
    return response


@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """Prometheus: from loopback, or with METRICS_TOKEN as bearer token."""
    given = request.META.get("HTTP_AUTHORIZATION", "").removeprefix("Bearer ")
    with_token = bool(settings.METRICS_TOKEN) and hmac.compare_digest(given.encode(), settings.METRICS_TOKEN.encode())
    if not with_token and not ipaddress.ip_address(request.META["REMOTE_ADDR"]).is_loopback:
        return HttpResponse("Only from loopback or with the metrics token.\n", status=403, content_type="text/plain")
    processes.forget_dead()
    exported: HttpResponse = ExportToDjangoView(request)
    # What processes count by themselves is added up by the line above. The rest is asked for just now, and is the same
    # whichever process is scraped.
    exported.content += b"".join(
        part.render() for part in (servermetrics, cache_metrics, workmetrics, economymetrics, backup_metrics)
    )
    return exported
