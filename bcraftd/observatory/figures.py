"""What the overview shows, gathered in a few calls to Redis and a few queries, however much there is."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings
from django.utils import timezone
from django_q.models import Failure, OrmQ, Schedule, Task

from bcraftd import operations
from bcraftd.cache import families, looking, outbox, stats, store
from bcraftd.models import EconomyAudit

WINDOW_SECONDS = 300
CHART_SECONDS = 3600
CHART_STEP = 60
# A task that failed longer ago than this is history.
FAILURES_SINCE = timedelta(days=1)

Row = dict[str, Any]


@dataclass(frozen=True)
class Figures:
    """Everything on the overview. `trouble` is why Redis does not answer, "" where it does; then what is Redis' own
    is empty."""

    at: datetime
    enabled: bool
    trouble: str
    breaker: Row
    server: Row
    slow: list[Row]
    families: list[Row]
    exact: bool
    charts: Row
    outbox: Row
    schedules: list[Row]
    failures: int
    waiting: int
    audit: EconomyAudit | None


def gather() -> Figures:
    """The figures of now. Redis being away leaves its part empty; raises what PostgreSQL raises."""
    trouble = ""
    try:
        redis = _of_redis()
    except store.StoreDown as error:
        trouble, redis = str(error), _nothing()
    opened = redis.pop("opened")
    return Figures(
        at=timezone.now(),
        enabled=settings.CACHE_ENABLED,
        trouble=trouble,
        breaker={"state": store.breaker.state, "here": store.breaker.opened, "opened": opened},
        outbox=_outbox(),
        schedules=_schedules(),
        failures=Failure.objects.filter(stopped__gt=timezone.now() - FAILURES_SINCE).count(),
        waiting=OrmQ.objects.count(),
        audit=EconomyAudit.objects.defer("problems").order_by("-pk").first(),
        **redis,
    )


def _of_redis() -> Row:
    names = families.names()
    totals = stats.totals([*names, stats.REDIS])
    recent = stats.windows(names, WINDOW_SECONDS)
    census, found = looking.census(), looking.server()
    rows = [
        {
            "name": name,
            "keys": census.families[name],
            "total": stats.figures(totals[name]),
            "recent": stats.figures(recent[name]),
        }
        for name in names
    ]
    return {
        "server": _server(found["info"], census.keys),
        "slow": [{**each, "at": datetime.fromtimestamp(each["at"], UTC)} for each in found["slow"]],
        "families": rows,
        "exact": census.exact,
        "charts": charts(),
        "opened": totals[stats.REDIS]["opened"],
    }


def _nothing() -> Row:
    return {"server": {}, "slow": [], "families": [], "exact": True, "charts": {}, "opened": None}


def _server(info: Mapping[str, Any], keys: int) -> Row:
    limit = info.get("maxmemory", 0)
    return {
        "keys": keys,
        "memory": info["used_memory"],
        "limit": limit,
        "share": round(100 * info["used_memory"] / limit, 1) if limit else None,
        "policy": info.get("maxmemory_policy", ""),
        "evicted": info.get("evicted_keys", 0),
        "expired": info.get("expired_keys", 0),
        "clients": info.get("connected_clients", 0),
        "commands": info.get("instantaneous_ops_per_sec", 0),
        "version": info.get("valkey_version") or info.get("redis_version", ""),
        "up_since": timezone.now() - timedelta(seconds=info.get("uptime_in_seconds", 0)),
        "saved": info.get("rdb_last_bgsave_status", "") == "ok" and info.get("aof_last_write_status", "ok") == "ok",
    }


def charts() -> Row:
    """The last hour by minutes: `times` (seconds since the epoch, UTC) and per chart one line for each family, with
    None where nothing was read. Raises StoreDown."""
    names = families.names()
    times, found = stats.series(names, CHART_SECONDS, CHART_STEP)
    figures = {name: [stats.figures(each) for each in found[name]] for name in names}

    def lines(pick: str, scale: float = 1) -> dict[str, list[float | None]]:
        return {name: [_scaled(each[pick], scale) for each in figures[name]] for name in names}

    reads = {
        name: [sum(each[kind] for kind in ("hits", "misses", "bypasses")) for each in found[name]] for name in names
    }
    return {
        "times": times,
        "hit_rate": lines("hit_rate", 100),
        "reads": reads,
        "misses": lines("misses"),
        "bypasses": lines("bypasses"),
        "refused_fills": lines("refused_fills"),
        "fill_ms": lines("fill_ms"),
    }


def _scaled(value: float | None, scale: float) -> float | None:
    return None if value is None else round(value * scale, 3)


def _outbox() -> Row:
    depths = families.outbox_depths()
    waiting = {name: depth for name, depth in (depths or {}).items() if depth}
    return {"families": waiting, "keys": sum(waiting.values()), "oldest": outbox.oldest()}


def _schedules() -> list[Row]:
    """Every schedule with its next run, its last run and whether that went well. Two queries."""
    rows = list(Schedule.objects.order_by("name"))
    last = {str(task.id): task for task in Task.objects.filter(id__in=[row.task for row in rows if row.task])}
    late = timezone.now() - operations.OVERDUE
    found = []
    for row in rows:
        task = last.get(row.task or "")
        found.append(
            {
                "name": row.name,
                "minutes": row.minutes,
                "next": row.next_run,
                "paused": row.repeats == 0,
                "overdue": row.repeats != 0 and row.next_run is not None and row.next_run < late,
                "last": task.stopped if task else None,
                "ok": task.success if task else None,
            }
        )
    return found
