"""What is measured, round by round: every round goes over all variants of a scenario, and each is checked before."""

import json
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from bcraftd.embedded.postgres import NAME
from bench import load, plans
from bench.load import LoadError, Sample
from bench.rig import CONNECTIONS, SEED, Bench, Round
from bench.stack import KINDS, ROOT, Server
from bench.world import played

# Seconds for which a server is warmed up before anything counts; wrk knows whole ones alone.
WARM_UP = 1
# The p99 that a capacity may not pass, in milliseconds.
LIMIT_MS = 50
# The most connections that are tried.
MOST = 2048
# The part of a mix's answers that may be refusals; nothing may be an error of the server.
REFUSED = 0.01
# How many purchases, misses and steps of the mix are drawn; a plan that is over begins again.
DRAWN = 100_000
# pgbench runs this script, which does in SQL alone what a purchase does. It is given the variables `players` and
# `listings` (how many there are, by ids from 1; a listing is active where its id modulo 3 is 1).
BUY_SQL = Path(__file__).resolve().with_name("buy.sql")


# --- One page, warm ------------------------------------------------------------------------------------------


def read(bench: Bench) -> list[Round]:
    """A page of 50 listings that every cache holds: requests a second and latency at 64 connections."""
    ours, prototype, prototype_bare, prototype_typed, drf, orm_cache, off = bench.stack.up(
        "ours", "prototype", "prototype_bare", "prototype_typed", "drf", "orm_cache", "off"
    )
    bench.sign_in()
    guarded = bench.plan("guarded", plans.guarded_reads(bench.world, min(1000, len(bench.world.players))))
    bare = bench.plan("bare", plans.bare_reads(bench.world))
    path = plans.page(bench.world.resources[0])
    page = _page(ours.get(path)[2])

    def measured(server: Server, plan: Path, *, cached: bool = True) -> Callable[[], Sample]:
        def measure() -> Sample:
            _check_page(server, path, bench.tokens[0] if plan == guarded else "", page, cached=cached)
            return bench.shoot(server, plan, CONNECTIONS, bench.form.seconds)

        # Connections, code paths and everybody's session are there before anything counts.
        bench.walk(server, plan)
        return measure

    with bench.stack.redis(0) as client:
        client.set("bench:value", json.dumps(page, separators=(",", ":"), ensure_ascii=False).encode())

    def ceiling() -> Sample:
        return load.redis_benchmark(
            bench.tools, bench.stack.valkey.port, bench.stack.redis_password, "bench:value", CONNECTIONS,
            bench.form.redis_requests,
        )  # fmt: skip

    found = bench.rounds(
        bench.form.rounds,
        {
            "ours": measured(ours, guarded),
            "prototype": measured(prototype, guarded),
            "prototype_bare": measured(prototype_bare, bare),
            "prototype_typed": measured(prototype_typed, bare),
            "drf": measured(drf, bare),
            # It says "database", as it does not know what its ORM did; the statements that were counted do.
            "orm_cache": measured(orm_cache, bare, cached=False),
            "off": measured(off, guarded, cached=False),
            "redis": ceiling,
        },
    )
    for round_ in found:
        for name in ("ours", "prototype_bare", "prototype_typed", "drf", "orm_cache"):
            # When a minute ends, so does cachalot's page, and all that are on their way and behind them read it anew.
            most = round_[name]["requests"] * 0.05 + 2 * CONNECTIONS
            if sum(round_[name]["sql"].get(kind, 0) for kind in ("SELECT", "WITH")) > most:
                raise LoadError(f"{name} was to answer from its cache, and asked PostgreSQL: {round_[name]['sql']}")
    bench.stack.down("prototype", "prototype_bare", "prototype_typed", "orm_cache")
    return found


def _page(body: Any) -> dict[str, Any]:
    """A page without what tells where it came from. Raises LoadError where it is none."""
    if not isinstance(body, dict) or len(body.get("listings", [])) != 50:
        raise LoadError(f"this is no page of 50 listings: {str(body)[:400]}")
    return {name: value for name, value in body.items() if name != "source"}


def _check_page(server: Server, path: str, token: str, page: dict[str, Any], *, cached: bool) -> None:
    """Raises LoadError unless the server answers with that page, out of its cache where it has one."""
    server.get(path, token)
    status, headers, body = server.get(path, token)
    if status != 200 or _page(body) != page:
        raise LoadError(f"{server.name} does not answer as ours does: {status} {str(body)[:400]}")
    outcome = headers.get("X-Cache", "HIT" if body["source"] == "cache" else "MISS")
    if cached and outcome != "HIT":
        raise LoadError(f"{server.name} was to have the page in its cache: {outcome}")


# --- The mix -------------------------------------------------------------------------------------------------


def _mixed(bench: Bench) -> tuple[Server, Server, Path]:
    """Our two servers, with players and pages in Redis, and the mix's plan."""
    ours, off = bench.stack.up("ours", "off")
    bench.sign_in()
    plan = bench.plan("mix", plans.mix(bench.world, SEED, DRAWN))
    warming = bench.plan("warming", plans.warming(bench.world))
    bench.walk(ours, warming)
    return ours, off, plan


def _mix(bench: Bench, server: Server, plan: Path, connections: int, seconds: int) -> Sample:
    """One run of the mix. Raises LoadError where an answer is an error of the server, or too many are refusals."""
    sample = bench.shoot(server, plan, connections, seconds, noted=True)
    counts = {name: kind["count"] for name, kind in sample["kinds"].items()}
    broken = {name: count for name, count in counts.items() if name.partition(":")[2] >= "500"}
    refused = sum(count for name, count in counts.items() if "400" <= name.partition(":")[2] < "500")
    if broken or refused > REFUSED * sum(counts.values()):
        raise LoadError(f"{server.name} did not do what it was asked: {counts}")
    return sample


def mix(bench: Bench) -> list[Round]:
    """Nine reads to a write at 64 connections, with the cache and without: requests, statements, latency."""
    ours, off, plan = _mixed(bench)

    def measured(server: Server) -> Callable[[], Sample]:
        def measure() -> Sample:
            # What the other variant's writes have dropped is there again.
            _mix(bench, server, plan, CONNECTIONS, bench.form.seconds)
            return _mix(bench, server, plan, CONNECTIONS, bench.form.mix_seconds)

        return measure

    return bench.rounds(bench.form.rounds, {"ours": measured(ours), "off": measured(off)})


def alone(bench: Bench) -> list[Round]:
    """The mix at one connection: what a player waits for where nobody else asks."""
    ours, off, plan = _mixed(bench)
    seconds = bench.form.seconds
    return bench.rounds(
        bench.form.rounds,
        {
            "ours": lambda: _mix(bench, ours, plan, 1, seconds),
            "off": lambda: _mix(bench, off, plan, 1, seconds),
        },
    )


def highest(holds: Callable[[int], bool], most: int) -> int:
    """The highest number that holds, by doubling and then bisecting to an eighth of it; 0 where 1 does not."""
    low, high = 0, 1
    while holds(high):
        if high >= most:
            return high
        low, high = high, min(high * 2, most)
    while high - low > max(1, low // 8):
        middle = (low + high) // 2
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low


def capacity(bench: Bench) -> list[Round]:
    """The most connections at which 99 of 100 requests of the mix are answered within 50 ms."""
    ours, off, plan = _mixed(bench)

    def measured(server: Server) -> Callable[[], Sample]:
        def measure() -> Sample:
            bench.sign_in()
            tried: list[Sample] = []

            def holds(connections: int) -> bool:
                sample = _mix(bench, server, plan, connections, bench.form.probe)
                tried.append({"connections": connections, "rps": sample["rps"], "latency": sample["latency"]})
                return bool(sample["latency"]["99"] < LIMIT_MS)

            _mix(bench, server, plan, 8, bench.form.probe)
            return {"connections": highest(holds, MOST), "tried": tried}

        return measure

    return bench.rounds(bench.form.capacity_rounds, {"ours": measured(ours), "off": measured(off)})


# --- Purchases -----------------------------------------------------------------------------------------------


def buy(bench: Bench) -> list[Round]:
    """Purchases of one piece at 64 connections: over HTTP by us and by plain DRF, and by pgbench in SQL alone."""
    ours, drf = bench.stack.up("ours", "drf")
    bench.sign_in()
    plan = bench.plan("buys", plans.buys(bench.world, SEED, DRAWN))

    def measured(server: Server) -> Callable[[], Sample]:
        bench.shoot(server, plan, CONNECTIONS, WARM_UP)
        return lambda: bench.shoot(server, plan, CONNECTIONS, bench.form.seconds)

    variants = {"ours": measured(ours), "drf": measured(drf)}
    if BUY_SQL.exists():
        numbers = {"players": len(bench.world.players), "listings": bench.form.listings}
        variants["pgbench"] = lambda: load.pgbench(
            bench.tools, bench.stack.url(NAME), BUY_SQL, CONNECTIONS, bench.form.seconds, numbers
        )
    else:
        bench.say(f"  pgbench is not measured: there is no bench/{BUY_SQL.name}")
    return bench.rounds(bench.form.rounds, variants)


def audit(bench: Bench) -> dict[str, Any]:
    """What the economy's audit says of the world after all that was done in it. Raises LoadError unless it is whole."""
    done = subprocess.run(
        [sys.executable, "manage.py", "economy_audit", "--json"],
        cwd=ROOT, env=bench.stack.environment(KINDS["ours"]), capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode != 0:
        raise LoadError(f"the economy is not whole after the run:\n{done.stdout}{done.stderr}")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


# --- Misses --------------------------------------------------------------------------------------------------


def _missed(bench: Bench, server: Server, plan: Path, connections: int) -> Sample:
    """One run in which nothing is in Redis, and everything that is read is put there. Raises LoadError."""
    bench.drop_pages(server)
    status, headers, body = server.get(f"{plans.page(bench.world.resources[0])}&max_price={plans.DEAR - 1}")
    if status != 200 or headers["X-Cache"] != "MISS":
        raise LoadError(f"{server.name} was to miss: {status} {headers['X-Cache']}")
    _page(body)
    return bench.shoot(server, plan, connections, bench.form.seconds)


def miss(bench: Bench) -> list[Round]:
    """Pages that no cache holds at 64 connections: ours, which also store them, and DRF's ModelSerializers."""
    ours, drf = bench.stack.up("ours", "drf")
    plan = bench.plan("misses", plans.misses(bench.world, DRAWN))
    pages = [
        plans.Step("market", None, "GET", plans.page(resource_id).replace("/api/", "/api/serialized/"))
        for resource_id in bench.world.resources
    ]
    serialized = bench.plan("serialized", pages)
    bench.sign_in()
    for server, path in ((ours, plan), (drf, serialized)):
        bench.shoot(server, path, CONNECTIONS, WARM_UP)
    _page(drf.get(pages[0].path)[2])
    return bench.rounds(
        bench.form.rounds,
        {
            "ours": lambda: _missed(bench, ours, plan, CONNECTIONS),
            "drf": lambda: bench.shoot(drf, serialized, CONNECTIONS, bench.form.seconds),
        },
    )


def growth(bench: Bench) -> list[Round]:
    """A miss at one connection in worlds of ten thousand, a hundred thousand and a million listings."""
    sizes = {"listings_10k": 10_000, "listings_100k": 100_000, "listings_1m": 1_000_000}
    bench.stack.down("drf", "off")
    for database, listings in sizes.items():
        bench.say(f"  making {listings:,} listings")
        bench.stack.copy_pristine(database)
        bench.stack.play(played(listings, bench.form.players), database)
    bench.sign_in()
    servers = bench.stack.up(*sizes)
    plan = bench.plan("misses", plans.misses(bench.world, DRAWN))
    for server in servers:
        _missed(bench, server, plan, 1)
    return bench.rounds(
        bench.form.rounds, {server.name: partial(_missed, bench, server, plan, 1) for server in servers}
    )


SCENARIOS: dict[str, Callable[[Bench], list[Round]]] = {
    call.__name__: call for call in (read, mix, alone, capacity, buy, miss, growth)
}
# A million listings take longer to make than the quick form may.
QUICKLY = [name for name in SCENARIOS if name != "growth"]
