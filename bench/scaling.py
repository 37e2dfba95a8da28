"""How far the API scales: one to four processes, one and two workers, and what each part takes for a request.

`python -m bench.scaling [--quick]` writes bench/results/scaling.json, from which bench/capacity.py makes the model in
docs/scaling.md. Here the load, the API, Redis and PostgreSQL share the machine's cores, so that throughput as such says
more of the machine than of the API. Two things do not depend on it: the CPU time that each part takes for a request,
and the throughput of processes that may have no more than a part of a core each, beside which all else has room.
"""

import argparse
import json
import os
import resource
import signal
import sys
import time
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from statistics import median
from typing import Any

from bcraftd.embedded.process import Child, Deadline, ServerError
from bench import plans, tools
from bench.__main__ import RESULTS, machine
from bench.load import LoadError, Sample
from bench.processes import can_limit, cpu_by_process, cpu_seconds, family, limited, resident_mib
from bench.rig import CONNECTIONS, FULL, QUICK, SEED, Bench
from bench.scenarios import DRAWN
from bench.stack import KINDS, ROOT, Server, Stack, stack

PLACE = RESULTS / "scaling.json"
SERVERS = {number: f"processes_{number}" for number in (1, 2, 4)}
REDIS = KINDS[SERVERS[1]].redis
# Of one core, for each process of the API: two of them take less than one, and the load and the servers have the other.
SHARE = 0.4
QUEUE_SECONDS = 120.0
# The part of warm reads that may have asked PostgreSQL all the same.
COLD = 0.02

Found = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Length:
    """How much is measured. Seconds are those of one run; tasks those that a queue is filled with."""

    rounds: int
    seconds: int
    tasks: int


LENGTHS = {"full": Length(5, 3, 200), "quick": Length(1, 2, 60)}


class Meter:
    """What the parts have done since it was made: CPU time, Redis commands, commits, rows, bytes of log and data."""

    def __init__(self, servers: Stack, api: Server) -> None:
        self._servers, self._api = servers, api
        self._before = self._now()

    def _now(self) -> dict[str, float]:
        with self._servers.redis(REDIS) as client:
            info: Found = client.info()
        ((commits, rows, log, size),) = self._servers.sql(
            "SELECT xact_commit, tup_inserted + tup_updated + tup_deleted,"
            " (SELECT wal_bytes FROM pg_stat_wal), pg_database_size(datname)"
            " FROM pg_stat_database WHERE datname = current_database()"
        )
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        return {
            "api": cpu_seconds(self._api.pid),
            "redis": cpu_seconds(self._servers.valkey.child.pid),
            "postgresql": cpu_seconds(self._servers.postgres.child.pid),
            "load": usage.ru_utime + usage.ru_stime,
            "redis_commands": float(info["total_commands_processed"]),
            "commits": float(commits),
            "rows": float(rows),
            "log_bytes": float(log),
            "database_bytes": float(size),
        }

    def for_each(self, requests: int) -> dict[str, float]:
        """Of each request: CPU in milliseconds by part, and the counts."""
        now = self._now()
        spent = {name: now[name] - before for name, before in self._before.items()}
        parts = ("api", "redis", "postgresql", "load")
        return {name: round(value / requests * (1000 if name in parts else 1), 4) for name, value in spent.items()}


def _shoot(bench: Bench, server: Server, plan: Path, seconds: int, *, noted: bool) -> Sample:
    """A run with what it took, after a shorter one that does not count. What is not noted is warm reads.

    Raises LoadError where these ask PostgreSQL.
    """
    bench.shoot(server, plan, CONNECTIONS, 1, noted=noted)
    meter = Meter(bench.stack, server)
    sample = bench.shoot(server, plan, CONNECTIONS, seconds, noted=noted)
    if not noted and sample["sql"].get("SELECT", 0) > COLD * sample["requests"]:
        raise LoadError(f"these reads were to come from Redis, and asked PostgreSQL: {sample['sql']}")
    return {"rps": sample["rps"], "requests": sample["requests"], "each": meter.for_each(sample["requests"])}


def _workers(server: Server) -> list[int]:
    """The processes that answer: granian's own only starts them."""
    return family(server.pid)[1:]


def throughput(bench: Bench, length: Length) -> Found:
    """Rounds over one, two and four processes: warm reads, the same on a share of a core each, purchases, the mix."""
    reads = bench.plan("own", [plans.Step("own", player, "GET", "/api/inventory")
                               for player in range(len(bench.world.players))])  # fmt: skip
    buys = bench.plan("buys", plans.buys(bench.world, SEED, DRAWN))
    mix = bench.plan("mix", plans.mix(bench.world, SEED, DRAWN))
    found: Found = {name: {str(number): [] for number in SERVERS} for name in ("read", "read_limited", "buy", "mix")}
    for count in range(length.rounds):
        order = list(SERVERS) if count % 2 == 0 else list(SERVERS)[::-1]
        for number in order:
            bench.sign_in()
            (server,) = bench.stack.up(SERVERS[number])
            bench.walk(server, reads)
            for name, plan in (("read", reads), ("buy", buys), ("mix", mix)):
                sample = _shoot(bench, server, plan, length.seconds, noted=name != "read")
                found[name][str(number)].append(sample)
            bench.walk(server, reads)
            if can_limit() and number * SHARE < 1:
                with limited(_workers(server), SHARE):
                    found["read_limited"][str(number)].append(_shoot(bench, server, reads, length.seconds, noted=False))
            found.setdefault("resident_mib", {}).setdefault(str(number), []).append(
                max(resident_mib(pid) for pid in _workers(server))
            )
            bench.say(f"  round {count + 1}, {number} processes: " + ", ".join(
                f"{name} {found[name][str(number)][-1]['rps']:.0f}/s" for name in ("read", "read_limited", "buy", "mix")
                if found[name][str(number)]))  # fmt: skip
            bench.stack.down(SERVERS[number])
    return found


def memory(bench: Bench) -> Found:
    """Bytes of Redis for a player who is signed in, with inventory and recipes; what else is there stands apart."""
    (server,) = bench.stack.up(SERVERS[1])
    bench.sign_in()
    with bench.stack.redis(REDIS) as client:
        client.flushdb()
        server.get("/healthz")
        before = int(client.info("memory")["used_memory"])
        bench.walk(server, bench.plan("warming", plans.warming(bench.world)))
        pages = sum(int(client.memory_usage(key) or 0) for key in client.scan_iter("market:*", count=1000))
        after = int(client.info("memory")["used_memory"])
    bench.stack.down(SERVERS[1])
    players = len(bench.world.players)
    return {"players": players, "redis_bytes_per_player": round((after - before - pages) / players),
            "redis_bytes_of_pages": pages, "redis_bytes_empty": before}  # fmt: skip


def background(bench: Bench, length: Length) -> Found:
    """Short tasks a second by one and by two workers, from a queue that is full, in turn; and CPU in milliseconds for a
    task, of the cluster's processes together, of the busiest of them, and of PostgreSQL."""
    from django.db import connection
    from django_q.models import OrmQ
    from django_q.tasks import async_task

    def emptied() -> float:
        began = time.monotonic()
        for _ in Deadline(QUEUE_SECONDS).ticks(0.05):
            if not OrmQ.objects.exists():
                return time.monotonic() - began
        raise LoadError("the queue is not worked off")

    rates: dict[str, list[float]] = {"1": [], "2": []}
    each: dict[str, list[dict[str, float]]] = {"1": [], "2": []}
    for count in range(min(length.rounds, 3)):
        for workers in ("1", "2") if count % 2 == 0 else ("2", "1"):
            child = Child(
                "The worker", [sys.executable, "manage.py", "qcluster"], log=bench.stack.folder / "worker.log",
                cwd=ROOT, env=bench.stack.environment(KINDS["ours"], QCLUSTER_WORKERS=workers),
            )  # fmt: skip
            child.start()
            try:
                async_task("bcraftd.tasks.idempotency_sweep")
                emptied()
                # What it does at its start is over then.
                time.sleep(2)
                for _ in range(length.tasks):
                    async_task("bcraftd.tasks.idempotency_sweep")
                # It has begun meanwhile.
                left = OrmQ.objects.count()
                cluster, postgresql = cpu_by_process(child.pid), cpu_seconds(bench.stack.postgres.child.pid)
                seconds = emptied()
                spent = [after - cluster.get(pid, 0.0) for pid, after in cpu_by_process(child.pid).items()]
                postgresql = cpu_seconds(bench.stack.postgres.child.pid) - postgresql
                rates[workers].append(round(left / seconds, 1))
                each[workers].append(
                    {part: round(taken / left * 1000, 2) for part, taken in
                     (("cluster", sum(spent)), ("busiest", max(spent)), ("postgresql", postgresql))}
                )  # fmt: skip
            finally:
                child.stop()
        bench.say(f"  round {count + 1}: {rates}")
    connection.close()
    return {"tasks": length.tasks, "per_second": rates, "each": each}


def ratios(found: Found) -> Found:
    """Medians over the rounds: how throughput grows, and what each part takes for a request with one process."""

    def rps(name: str, number: int) -> list[float]:
        return [sample["rps"] for sample in found[name][str(number)]]

    grown = {
        name: {
            str(number): [round(more / one, 2) for more, one in zip(rps(name, number), rps(name, 1), strict=True)]
            for number in (2, 4)
            if rps(name, number)
        }
        for name in ("read", "read_limited", "buy", "mix")
    }
    each = {
        name: {
            str(number): {
                part: median(sample["each"][part] for sample in found[name][str(number)])
                for part in found[name][str(number)][0]["each"]
            }
            for number in SERVERS
        }
        for name in ("read", "buy", "mix")
    }
    return {
        "grown": {name: {number: median(values) for number, values in by.items()} for name, by in grown.items()},
        "grown_by_round": grown,
        "each": each,
    }


def measure(form: str) -> Found:
    """Everything. Raises ToolsMissing, ServerError or LoadError."""
    length = LENGTHS[form]
    began = time.monotonic()

    def say(text: str) -> None:
        sys.stderr.write(f"{time.monotonic() - began:6.0f} s  {text}\n")

    programs = tools.find()
    with stack() as servers:
        os.environ.update(servers.environment(KINDS["ours"]))
        import django
        from django.core.management import call_command

        django.setup()
        bench = Bench(servers, programs, FULL if form == "full" else QUICK, say)
        bench.prepare()
        load_before = os.getloadavg()[0]
        say("processes of the API")
        found = throughput(bench, length)
        say("workers")
        workers = background(bench, length)
        say("memory")
        kept = memory(bench)
        call_command("economy_audit", stdout=StringIO())
        return {
            "form": form,
            "machine": {**machine(servers, programs), "load_before": round(load_before, 2)},
            **ratios(found),
            "workers": {**workers, "grown": round(
                median(workers["per_second"]["2"]) / median(workers["per_second"]["1"]), 2)},
            "memory": {**kept, "process_mib": max(max(values) for values in found["resident_mib"].values())},
            "rounds": found,
        }  # fmt: skip


def main(words: list[str]) -> int:
    """Measures, writes and prints the ratios."""
    parser = argparse.ArgumentParser(prog="python -m bench.scaling", description="Measures how the API scales.")
    parser.add_argument("--quick", action="store_true", help="two minutes; prints, and writes nothing")
    quick = parser.parse_args(words).quick
    try:
        results = measure("quick" if quick else "full")
    except (ServerError, LoadError) as error:
        sys.stderr.write(f"Nothing was written. {error}\n")
        return 1
    if not quick:
        PLACE.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    shown = {name: results[name] for name in ("grown", "each", "workers", "memory")}
    sys.stdout.write(json.dumps(shown, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sys.exit(main(sys.argv[1:]))
