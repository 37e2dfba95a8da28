"""How readers fare while Redis hangs: 50 clients, one process with 8 threads, the real time-out of 100 ms.

Run it with `.venv/bin/python -m bench.hung_redis`. It starts servers of its own, lets Redis hang (SIGSTOP) for some
seconds under load, and prints one JSON line: the median and the 99th percentile of a read before, while and after, in
milliseconds; how many reads showed something old; and after how many seconds reads were hits again.
"""

import http.client
import json
import os
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from statistics import median, quantiles
from urllib.parse import urlsplit

from tests import servers  # starts PostgreSQL and Redis, and must come before Django's settings

CLIENTS = 50
SECONDS = 5
PATH = "/api/professions"

Row = tuple[float, float, str, str]


def main() -> int:
    """Returns the exit status: 1 where a read showed something old."""
    import django

    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    call_command("seed", "--json", stdout=sys.stderr)
    from tests import live

    with live.server(REDIS_TIMEOUT="0.1") as url, ThreadPoolExecutor(CLIENTS) as pool:
        live.get(url + PATH)
        stop = threading.Event()
        clients = [pool.submit(_read, url, stop) for _ in range(CLIENTS)]
        time.sleep(SECONDS)
        hung, writes = time.monotonic(), _write_while_redis_hangs()
        resumed = time.monotonic()
        time.sleep(SECONDS + 3)
        stop.set()
        rows = sorted(row for client in clients for row in client.result(60))
    print(json.dumps(_report(rows, writes, hung, resumed)))  # noqa: T201
    return int(bool(_old(rows, writes)))


def _write_while_redis_hangs() -> list[tuple[float, int]]:
    """When each write was done, and its number."""
    from inventory.models import Profession

    servers.redis_pause()
    done = []
    first = Profession.objects.order_by("pk")[0]
    for number in range(SECONDS * 10):
        first.name = f"Name {number:06}"
        first.save()
        done.append((time.monotonic(), number))
        time.sleep(0.1)
    servers.redis_resume()
    return done


def _read(url: str, stop: threading.Event) -> list[Row]:
    where = urlsplit(url)
    client = http.client.HTTPConnection(where.hostname or "", where.port, timeout=60)
    rows = []
    while not stop.is_set():
        started = time.monotonic()
        client.request("GET", PATH)
        answer = client.getresponse()
        body = json.load(answer)
        if answer.status != 200:
            raise RuntimeError(f"{answer.status}: {body}")
        rows.append((started, time.monotonic(), body["professions"][0]["name"], answer.headers["X-Cache"]))
    client.close()
    return rows


def _old(rows: list[Row], writes: list[tuple[float, int]]) -> int:
    """How many reads began after a write was done and showed less."""
    old = 0
    for started, _, name, _ in rows:
        known = max((number for moment, number in writes if moment < started), default=-1)
        shown = int(name.split()[1]) if name.startswith("Name ") else -1
        old += shown < known
    return old


def _report(rows: list[Row], writes: list[tuple[float, int]], hung: float, resumed: float) -> dict[str, object]:
    spans = {"before": (0.0, hung), "hung": (hung, resumed), "after": (resumed, float("inf"))}
    report: dict[str, object] = {"clients": CLIENTS, "writes": len(writes), "old": _old(rows, writes)}
    for name, (begin, end) in spans.items():
        times = [1000 * (done - started) for started, done, *_ in rows if begin <= started < end]
        report[name] = {
            "reads": len(times),
            "p50_ms": round(median(times)),
            "p99_ms": round(quantiles(times, n=100)[98]),
        }
    hits = [started for started, _, _, outcome in rows if started > resumed and outcome == "HIT"]
    return {**report, "hits_again_after_s": round(min(hits) - resumed, 2) if hits else None}


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "bcraftd.settings")
    sys.exit(main())
