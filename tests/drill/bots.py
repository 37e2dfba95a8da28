"""`manage.py simulate` for the time of a fault: bots that hold each answer against those before it."""

import json
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from bcraftd.embedded.process import Child, ServerError
from tests.drill.stage import Stage
from tests.programs import ROOT

PLAYERS = 6
THINK = 0.3
# It is told to end before.
LONGEST = 600
# What simulate says of an answer that it did not expect; everything else contradicts what was answered before.
UNEXPECTED = " was answered "


@dataclass
class Seen:
    """What the bots saw, complete once they have ended. failed: each 5xx, and each request without an answer."""

    requests: int = 0
    failed: list[str] = field(default_factory=list)
    stale: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)

    def learn(self, report: dict[str, Any]) -> None:
        """Takes in the summary of simulate (docs/worlds.md)."""
        silent = report["errors"].get("no_answer", 0)
        self.requests = report["requests"] + silent
        statuses = {int(status): count for status, count in report["statuses"].items()}
        self.failed = ["bots: no answer"] * silent
        self.failed += [f"bots: {status}" for status, count in statuses.items() for _ in range(count) if status >= 500]
        for row in report["violations"]:
            text = f"bots: {row['second']} s, {row['player']}, {row['action']}: {row['detail']}"
            if UNEXPECTED not in row["detail"]:
                self.stale.append(text)
            elif f"{UNEXPECTED}5" not in row["detail"]:
                self.refused.append(text)


@contextmanager
def simulating(stage: Stage) -> Iterator[Seen]:
    """Bots play for the duration, at the stage's last door, over HTTP alone.

    Raises ServerError where nobody has played.
    """
    seen, log = Seen(), stage.folder / "bots.log"
    log.unlink(missing_ok=True)
    words = ["--players", PLAYERS, "--seconds", LONGEST, "--think", THINK, "--url", stage.doors[-1], "--json"]
    child = Child(
        "simulate", [sys.executable, "manage.py", "simulate", *map(str, words)], log=log, cwd=ROOT,
        env=stage.environment(),
    )  # fmt: skip
    child.start()
    try:
        yield seen
        child.send(signal.SIGINT)
        child.wait(60)
    finally:
        child.stop()
    # Beside the summary there may be a line that says that it failed, which is learnt from the summary.
    report = next((line for line in child.tail().splitlines() if line.startswith('{"seconds"')), "")
    if not report or not (found := json.loads(report))["players"]:
        raise ServerError(f"nobody has played:\n{child.tail()}")
    seen.learn(found)
