"""What so many daily players need: a model of the measurements in bench/results/scaling.json.

`python -m bench.capacity` prints the tables of docs/scaling.md. Every part is taken to grow with the requests, as it
does from one process of the API to two: by the CPU time that it took for a request of the mix.
"""

import json
import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).resolve().parent / "results" / "scaling.json"
PLAYERS = (10_000, 100_000, 1_000_000)


@dataclass(frozen=True, slots=True)
class Habits:
    """What is assumed of players and not measured. peak: the part of a day's players who play at its busiest moment.
    pause: seconds between two requests of one who plays; nine of ten are reads. hours: for which each plays in a day.
    busy: the part of a core that is to be used at the peak."""

    peak: float = 0.1
    pause: float = 5.0
    hours: float = 1.0
    busy: float = 0.6


@dataclass(frozen=True, slots=True)
class Each:
    """What one request of the mix takes. api, redis, postgresql: milliseconds of CPU. commands: of Redis, those inside
    scripts too. rows: written by PostgreSQL. log, data: bytes of its log and tables. player: bytes of Redis for one who
    was there in the last day. process: MiB of one process of the API."""

    api: float
    redis: float
    postgresql: float
    commands: float
    rows: float
    log: float
    data: float
    player: float
    process: float

    @classmethod
    def measured(cls, results: Mapping[str, Any]) -> "Each":
        """Of bench/scaling.py's results, as one process of the API took it."""
        one, memory = results["each"]["mix"]["1"], results["memory"]
        return cls(
            one["api"], one["redis"], one["postgresql"], one["redis_commands"], one["rows"],
            one["log_bytes"], one["database_bytes"], memory["redis_bytes_per_player"], memory["process_mib"],
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Need:
    """Of so many daily players. requests, commands, rows: a second at the peak. cores: to be provided. redis: the part
    of one core that Redis uses, more than 1 is more than its one thread can do. redis_gb, data_gb: kept, and new each
    day. log_mb: of PostgreSQL, a second."""

    players: int
    requests: float
    api_cores: float
    processes: int
    api_gb: float
    commands: float
    redis: float
    redis_gb: float
    postgresql_cores: float
    rows: float
    log_mb: float
    data_gb: float


def need(players: int, each: Each, habits: Habits = Habits()) -> Need:
    """The model."""
    requests = players * habits.peak / habits.pause
    api = requests * each.api / 1000 / habits.busy
    processes = max(2, math.ceil(api))
    return Need(
        players=players,
        requests=requests,
        api_cores=api,
        processes=processes,
        api_gb=processes * each.process * 2**20 / 1e9,
        commands=requests * each.commands,
        redis=requests * each.redis / 1000,
        redis_gb=players * each.player / 1e9,
        postgresql_cores=requests * each.postgresql / 1000 / habits.busy,
        rows=requests * each.rows,
        log_mb=requests * each.log / 1e6,
        data_gb=players * habits.hours * 3600 / habits.pause * each.data / 1e9,
    )


def most_players(each: Each, habits: Habits = Habits()) -> int:
    """Daily players at whose peak Redis uses as much of its one thread as a core is to be used."""
    return int(habits.busy / (each.redis / 1000) * habits.pause / habits.peak)


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.2g}"


def table(each: Each) -> str:
    """As docs/scaling.md has it."""
    needs = [need(players, each) for players in PLAYERS]
    rows = {
        "requests a second at the peak": [_number(one.requests) for one in needs],
        "API: cores": [_number(one.api_cores) for one in needs],
        "API: processes, two at least": [_number(one.processes) for one in needs],
        "API: memory, without logins": [f"{_number(one.api_gb)} GB" for one in needs],
        "Redis: commands a second, in scripts too": [_number(one.commands) for one in needs],
        "Redis: of its one thread": [f"{one.redis:.0%}" for one in needs],
        "Redis: memory for players": [f"{_number(one.redis_gb)} GB" for one in needs],
        "PostgreSQL: cores": [_number(one.postgresql_cores) for one in needs],
        "PostgreSQL: rows written a second": [_number(one.rows) for one in needs],
        "PostgreSQL: log a second": [f"{_number(one.log_mb)} MB" for one in needs],
        "PostgreSQL: new data a day": [f"{_number(one.data_gb)} GB" for one in needs],
    }
    head = ["daily players", *(f"{players:,}" for players in PLAYERS)]
    lines = [head, ["---", *("---:" for _ in PLAYERS)], *([name, *cells] for name, cells in rows.items())]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def measured_table(results: Mapping[str, Any]) -> str:
    """What was measured, as docs/scaling.md has it: CPU in milliseconds for a request, what a core of the API would
    answer a second by that, and growth."""
    names = {"read": "a warm read", "buy": "a purchase", "mix": "the mix, nine reads to a write"}
    lines = ["| | API | Redis | PostgreSQL | of a core of the API | two processes | four |",
             "|---|---:|---:|---:|---:|---:|---:|"]  # fmt: skip
    for name, shown in names.items():
        one, grown = results["each"][name]["1"], results["grown"][name]
        parts = " | ".join(f"{one[part]:.2f} ms" for part in ("api", "redis", "postgresql"))
        lines.append(f"| {shown} | {parts} | {_number(1000 / one['api'])}/s | {grown['2']:.2f} | {grown['4']:.2f} |")
    return "\n".join(lines)


def read() -> dict[str, Any]:
    """The results of the last full run."""
    found: dict[str, Any] = json.loads(RESULTS.read_text(encoding="utf-8"))
    return found


if __name__ == "__main__":
    last = read()
    sys.stdout.write(f"{measured_table(last)}\n\n{table(Each.measured(last))}\n\n")
    sys.stdout.write(f"Redis' thread: {most_players(Each.measured(last)):,} daily players\n")
