"""What is kept in memory: bytes of each kind of key in Redis, and a worker's resident set.

Run it with `.venv-bench/bin/python -m bench.memory` (after one `make bench QUICK=1`, which makes that environment). It
plays the mix with a thousand players, then asks for pages with filters that nobody has asked for before, as somebody
would who wants to fill Redis. It prints one JSON line.
"""

import json
import os
import sys
from pathlib import Path
from statistics import mean
from typing import Any

from bench import plans, tools
from bench.rig import CONNECTIONS, QUICK, SEED, Bench
from bench.stack import KINDS, Server, Stack, stack

SECONDS = 10
# The made-up filters of one resource's pages, more than any cap.
MADE_UP = 20_000
# What each kind of key is called, by its pattern.
KEPT = {
    "session": "session:*",
    "inventory": "inventory:user:*",
    "known recipes": "recipes:user:*",
    "market pages of a resource": "market:listings:active:*",
    "board": "leaderboard:*",
    "catalogue": "catalogue:*",
    "limit counter": "rl:*",
}


def main() -> int:
    """Measures and prints."""
    with stack() as servers:
        os.environ.update(servers.environment(KINDS["ours"]))
        import django

        django.setup()
        bench = Bench(servers, tools.find(), QUICK, lambda text: None)
        bench.prepare()
        bench.sign_in()
        (ours,) = servers.up("ours")
        found: dict[str, Any] = {"worker_mib": {"started": _resident(ours)}}
        bench.walk(ours, bench.plan("warming", plans.warming(bench.world)))
        found["redis_bytes"] = _kept(servers)
        bench.shoot(ours, bench.plan("mix", plans.mix(bench.world, SEED, 100_000)), CONNECTIONS, SECONDS, noted=True)
        found["worker_mib"]["after_the_mix"] = _resident(ours)
        page = plans.page(bench.world.resources[0])
        made_up = [
            plans.Step("market", None, "GET", f"{page}&max_price={plans.DEAR + place}") for place in range(MADE_UP)
        ]
        bench.shoot(ours, bench.plan("made_up", made_up), CONNECTIONS, SECONDS * 2)
        found["worker_mib"]["after_made_up_filters"] = _resident(ours)
        with servers.redis(0) as client:
            key = f"market:listings:active:{bench.world.resources[0]}"
            found["made_up_filters"] = {
                "asked_for": MADE_UP,
                "kept": client.hlen(key),
                "bytes": client.memory_usage(key, samples=0),
            }
            found["redis_mib"] = round(client.info("memory")["used_memory"] / 2**20, 1)
        print(json.dumps(found))  # noqa: T201
    return 0


def _kept(servers: Stack) -> dict[str, dict[str, float]]:
    """How many keys of each kind there are, and the bytes of one in the mean, Redis' own share of it included."""
    found = {}
    with servers.redis(0) as client:
        for name, pattern in KEPT.items():
            sizes = [client.memory_usage(key, samples=0) for key in client.scan_iter(pattern, count=1000)]
            sizes = [size for size in sizes if size]
            if sizes:
                found[name] = {"keys": len(sizes), "bytes": round(mean(sizes))}
    return found


def _resident(server: Server) -> dict[str, float]:
    """MiB of the server's processes: granian's own and its worker's."""
    pids = [server.pid, *_children(server.pid)]
    return {
        "master" if place == 0 else "worker": round(_kib(pid) / 1024, 1)
        for place, pid in enumerate(sorted(pids, key=lambda pid: pid != server.pid))
        if _kib(pid)
    }


def _children(pid: int) -> list[int]:
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
    return [int(word) for word in text.split()]


def _kib(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    return next((int(line.split()[1]) for line in lines if line.startswith("VmRSS")), 0)


if __name__ == "__main__":
    sys.exit(main())
