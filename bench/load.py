"""Runs of the programs that make the load, and what each measured. Times are in milliseconds."""

import csv
import json
import math
import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from bench.tools import Tools

PLAY = Path(__file__).resolve().with_name("play.lua")
# Seconds after which wrk counts an answer as lost.
PATIENCE = 20
# Its clients take a second to connect, and that counts.
PGBENCH_SECONDS = 3
SHOWN = (0.1, 1, 5, 10, 25, 50, 75, 90, 95, 99, 99.5, 99.9, 100)

Sample = dict[str, Any]


class LoadError(Exception):
    """A program failed, or what it was answered is not what it should be: nothing of the run counts."""


@dataclass(frozen=True, slots=True)
class Shot:
    """One run of wrk. run: a name that no other run has. answers: where every answer is to be noted, if it is."""

    url: str
    plan: Path
    players: Path
    connections: int
    seconds: int
    run: str
    answers: Path | None = None


def percentile(times: Sequence[float], percent: float) -> float:
    """Of sorted times: the least one that so many percent do not pass."""
    return times[max(0, math.ceil(len(times) * percent / 100) - 1)]


def wrk(tools: Tools, shot: Shot) -> Sample:
    """What one run measured. Raises LoadError for errors of the network and for answers that are not 2xx or 3xx.

    Where answers are noted, `kinds` counts them by kind and status, as "buy:200": what was refused is for the caller to
    judge.
    """
    done = subprocess.run(
        [tools.wrk, "--threads", "1", "--connections", str(shot.connections), "--duration", f"{shot.seconds}s",
         "--timeout", f"{PATIENCE}s", "--script", str(PLAY), shot.url, "--",
         str(shot.plan), str(shot.players), shot.run, *([str(shot.answers)] if shot.answers else [])],
        env=dict(tools.environment), capture_output=True, text=True, check=False,
    )  # fmt: skip
    try:
        found = json.loads(done.stdout.splitlines()[-1])
    except (IndexError, ValueError):
        raise LoadError(f"wrk said nothing that can be read:\n{done.stdout}{done.stderr}") from None
    troubles = {name: found[name] for name in ("connect", "read", "write", "timeout") if found[name]}
    if troubles or (found["status"] and shot.answers is None) or not found["requests"]:
        raise LoadError(f"{shot.url}: {found['requests']} answers, {found['status']} of them bad; {troubles}")
    return _sample(found, shot)


def _sample(found: dict[str, Any], shot: Shot) -> Sample:
    seconds = found["us"] / 1e6
    sample: Sample = {
        "connections": shot.connections,
        "seconds": round(seconds, 3),
        "requests": found["requests"],
        "rps": round(found["requests"] / seconds, 1),
        "mb_per_s": round(found["bytes"] / seconds / 1e6, 2),
        "latency": {name: us / 1000 for name, us in found["latency"].items()},
    }
    if shot.answers is not None:
        sorted_times = {name: sorted(times) for name, times in _noted(shot.answers).items()}
        everything = sorted(time for times in sorted_times.values() for time in times)
        sample["latency"] = {f"{percent:g}": percentile(everything, percent) for percent in SHOWN}
        sample["kinds"] = {
            name: {"count": len(times), **{f"p{percent}": percentile(times, percent) for percent in (50, 99)}}
            for name, times in sorted(sorted_times.items())
        }
    return sample


def _noted(answers: Path) -> dict[str, list[float]]:
    """The times of the answers by kind and status, of a file that play.lua wrote."""
    found: dict[str, list[float]] = {}
    for line in answers.read_text(encoding="ascii").splitlines():
        kind, status, us = line.split(" ")
        found.setdefault(f"{kind}:{status}", []).append(int(us) / 1000)
    return found


def redis_benchmark(tools: Tools, port: int, password: str, key: str, connections: int, requests: int) -> Sample:
    """GET of one key, as often as it goes, without pipelining."""
    done = subprocess.run(
        [tools.redis_benchmark, "-h", "127.0.0.1", "-p", str(port), "-a", password, "-c", str(connections),
         "-n", str(requests), "--csv", "GET", key],
        env=dict(tools.environment), capture_output=True, text=True, check=False,
    )  # fmt: skip
    rows = [row for row in csv.reader(done.stdout.splitlines()) if len(row) > 1]
    if done.returncode != 0 or len(rows) != 2:
        raise LoadError(f"redis-benchmark said nothing that can be read:\n{done.stdout}{done.stderr}")
    values = dict(zip(rows[0], rows[1], strict=True))
    latency = {"50": float(values["p50_latency_ms"]), "99": float(values["p99_latency_ms"])}
    return {"connections": connections, "requests": requests, "rps": float(values["rps"]), "latency": latency}


def pgbench(tools: Tools, url: str, script: Path, clients: int, seconds: int, variables: Mapping[str, int]) -> Sample:
    """Transactions of a script, by so many clients in one thread, each statement prepared once."""
    where = urlsplit(url)
    given = [word for name, value in variables.items() for word in ("--define", f"{name}={value}")]
    done = subprocess.run(
        [tools.pgbench, "--no-vacuum", "--client", str(clients), "--jobs", "1",
         "--time", str(max(seconds, PGBENCH_SECONDS)),
         "--protocol", "prepared", "--file", str(script), *given,
         "--host", where.hostname or "", "--port", str(where.port), "--username", where.username or "",
         where.path.removeprefix("/")],
        # Not among the arguments, which everybody on the machine can read.
        # As the project's own connections say of themselves, or triggers would note each change for the cache's relay.
        env={**tools.environment, "PGPASSWORD": where.password or "", "PGOPTIONS": "-c bcraftd.writer=project"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    tps = re.search(r"(?m)^tps = ([0-9.]+)", done.stdout)
    failed = re.search(r"(?m)^number of failed transactions: ([0-9]+)", done.stdout)
    if done.returncode != 0 or tps is None or (failed is not None and int(failed[1])):
        raise LoadError(f"pgbench failed:\n{done.stdout}{done.stderr}")
    average = re.search(r"(?m)^latency average = ([0-9.]+) ms", done.stdout)
    latency = {"average": float(average[1])} if average else {}
    return {"connections": clients, "seconds": seconds, "rps": float(tps[1]), "latency": latency}
