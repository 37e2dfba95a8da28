"""`make bench`: measures the project against other designs; see docs/performance.md.

`python -m bench [--quick] [--only read,mix]`. The full form writes bench/results/latest.json, the plots in
docs/performance/ and the generated part of docs/performance.md; with `--only` the other scenarios stay as they were
measured before. The quick form writes bench/results/quick.json and prints its tables. The exit status is 0, 1 where
something could not be measured (a scenario that failed is left out and named), 2 where a program that makes the load is
missing.
"""

import argparse
import json
import os
import platform
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markdown import Markdown

from bcraftd.embedded.process import ServerError
from bench import report, tools
from bench.load import LoadError
from bench.rig import FULL, QUICK, Bench
from bench.scenarios import QUICKLY, SCENARIOS, audit
from bench.stack import KINDS, ROOT, Stack, stack
from bench.tools import Tools, ToolsMissing

RESULTS = Path(__file__).resolve().parent / "results"
LATEST, QUICK_RESULTS = RESULTS / "latest.json", RESULTS / "quick.json"
PAGE = ROOT / "docs" / "performance.md"
PLOTS = ROOT / "docs" / "performance"
LIBRARIES = (
    "django", "djangorestframework", "granian", "psycopg2-binary", "redis", "django-redis", "fastapi", "uvicorn",
    "sqlalchemy", "django-cachalot",
)  # fmt: skip

console = Console(stderr=True, highlight=False, soft_wrap=True, markup=False)


def arguments(words: list[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measures against other designs.")
    parser.add_argument("--quick", action="store_true", help="two minutes, and nothing in docs/ is written")
    parser.add_argument("--only", default="", help=f"scenarios, with commas: {', '.join(SCENARIOS)}")
    found = parser.parse_args(words)
    found.only = found.only.split(",") if found.only else QUICKLY if found.quick else list(SCENARIOS)
    if unknown := set(found.only) - set(SCENARIOS):
        parser.error(f"no such scenario: {', '.join(sorted(unknown))}")
    return found


def machine(servers: Stack, programs: Tools) -> dict[str, Any]:
    """What it was measured on."""
    with servers.redis(0) as client:
        redis_info: dict[str, Any] = client.info("server")
    said = subprocess.run([programs.wrk, "-v"], env=dict(programs.environment), capture_output=True, text=True)
    models = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "cores": os.cpu_count(),
        "cpu": models[0].partition(":")[2].strip() if models else platform.processor(),
        "memory_gib": round(memory),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "versions": {
            "PostgreSQL": servers.sql("SHOW server_version")[0][0],
            "Valkey": redis_info.get("valkey_version", redis_info["redis_version"]),
            "wrk": said.stdout.split()[1] if said.stdout else "unknown",
            **{name: version(name) for name in LIBRARIES},
        },
    }


def _commit() -> str:
    done = subprocess.run(["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True)
    return done.stdout.strip() or "unknown"


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Runs the scenarios; `failed` names those that could not be measured. Raises ToolsMissing, ServerError or, where
    the audit finds something, LoadError."""
    programs = tools.find()
    form = QUICK if options.quick else FULL
    began = time.monotonic()

    def say(text: str) -> None:
        console.print(f"{time.monotonic() - began:6.0f} s  {text}")

    with stack() as servers:
        say("PostgreSQL and Redis are up")
        os.environ.update(servers.environment(KINDS["ours"]))
        import django

        django.setup()
        bench = Bench(servers, programs, form, say)
        bench.prepare()
        say(f"a world of {form.listings:,} listings and {form.players:,} players")
        found, failed = {}, {}
        for name in (name for name in SCENARIOS if name in options.only):
            say(report.TITLES[name])
            try:
                found[name] = {"date": _now(), "rounds": SCENARIOS[name](bench)}
            except LoadError as error:
                failed[name] = str(error)
                say(f"  not measured: {error}")
        say("the economy's audit")
        return {
            "form": form.name,
            "date": _now(),
            "commit": _commit(),
            "machine": machine(servers, programs),
            "scenarios": found,
            "failed": failed,
            "audit": audit(bench),
        }


def _kept(scenarios: dict[str, Any]) -> dict[str, Any]:
    """The scenarios that an earlier full run measured and this one did not, before those of this one."""
    earlier = json.loads(LATEST.read_text(encoding="utf-8"))["scenarios"] if LATEST.exists() else {}
    merged = {**earlier, **scenarios}
    return {name: merged[name] for name in SCENARIOS if name in merged}


def publish(results: dict[str, Any]) -> None:
    """Writes the results and, of the full form, the report and its plots."""
    RESULTS.mkdir(exist_ok=True)
    full = results["form"] == FULL.name
    if full:
        results["scenarios"] = _kept(results["scenarios"])
    place = LATEST if full else QUICK_RESULTS
    # The samples first: they took half an hour, and whatever is made of them can be made again.
    place.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    results |= report.summary(results["scenarios"])
    place.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    if full:
        from bench import plots

        plots.draw(results, PLOTS)
        PAGE.write_text(report.inserted(PAGE.read_text(encoding="utf-8"), report.markdown(results)), encoding="utf-8")


def main(words: list[str]) -> int:
    """Parses, measures, and tells apart what went wrong."""
    options = arguments(words)
    try:
        results = measure(options)
    except ToolsMissing as error:
        console.print(str(error))
        return 2
    except (ServerError, LoadError) as error:
        console.print(f"Nothing was written. {error}")
        return 1
    except KeyboardInterrupt:
        console.print("Stopped; nothing was written.")
        return 130
    publish(results)
    Console(width=160).print(Markdown(report.claims_table(results) + "\n" + report.targets_table(results)))
    return int(bool(results["failed"]))


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sys.exit(main(sys.argv[1:]))
