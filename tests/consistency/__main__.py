"""`python -m tests.consistency`: see the package's docstring for what it does, `--help` for its options.

The last line on standard output is JSON. The exit status is 0 where no read was stale, 1 where one was, 2 where the
checker itself could not do its work.
"""

import argparse
import itertools
import random
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from rich.console import Console

from bcraftd.embedded.process import ServerError
from tests.consistency.driver import Run
from tests.consistency.schedule import AIMED, Schedule, drawn, shrunk
from tests.consistency.stage import Servers, StageError, running

PROCESSES = 3
# How many schedules are drawn of one seed.
CHUNK = 10
# Tries at a smaller schedule; the time ends them earlier.
TRIES = 40

console = Console(stderr=True, highlight=False, soft_wrap=True)


def arguments(words: list[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.consistency", description="Looks for stale reads.")
    parser.add_argument("--seconds", type=float, default=60, help="of load (60)")
    parser.add_argument("--seed", type=int, help="fixes the schedules; drawn and printed where it is not given")
    parser.add_argument("--processes", type=int, default=PROCESSES, help=f"of the API ({PROCESSES})")
    parser.add_argument("--schedule", type=Path, help="a file with one schedule as JSON, to be played again and again")
    parser.add_argument("--off", default="", help="mechanisms to switch off: fence, lease, drop (with commas)")
    parser.add_argument("--shrink", type=float, default=60, help="seconds for a smaller failing schedule (60)")
    return parser.parse_args(words)


def schedules(options: argparse.Namespace, seed: int) -> Iterable[Schedule]:
    """What to play: a file's schedule, those aimed at what is switched off, or what the seed draws."""
    if options.schedule is not None:
        return itertools.repeat(Schedule.from_json(options.schedule.read_text()))
    if options.off:
        return itertools.cycle([AIMED[name] for name in options.off.split(",")])
    return _drawn(seed)


def _drawn(seed: int) -> Iterator[Schedule]:
    for chunk in itertools.count():
        yield from drawn(seed + chunk * 1_000_003, CHUNK)


def simpler(stage: Servers, options: argparse.Namespace, seed: int, schedule: Schedule) -> Schedule:
    """A smaller schedule that fails too, as far as the time allows; the schedule itself where there is none."""
    end = time.monotonic() + options.shrink
    with Run(stage, seed=seed, processes=options.processes, off=options.off, say=console.print).up() as run:

        def fails(part: Schedule) -> bool:
            left = end - time.monotonic()
            if left <= 0:
                return False
            run.forget()
            return run.play([part], min(part.length, left)) is not None

        return shrunk(schedule, fails, TRIES, seed) or schedule


def check(stage: Servers, options: argparse.Namespace, seed: int) -> int:
    """One run. Prints what was stale and how to see it again, then the line of numbers. Returns the exit status."""
    with Run(stage, seed=seed, processes=options.processes, off=options.off, say=console.print).up() as run:
        failed = run.play(schedules(options, seed), options.seconds)
        result = run.result()
    for failure in result.failures:
        console.print(failure)
    if failed is not None:
        # Before anything else can go wrong.
        for violation in result.violations:
            console.print(f"STALE {violation}")
        sys.stdout.write((failed if options.shrink <= 0 else simpler(stage, options, seed, failed)).to_json() + "\n")
    sys.stdout.write(result.line() + "\n")
    return 1 if result.numbers["violations"] else 0


def main(words: list[str]) -> int:
    """Parses, runs, and tells apart what was found from what went wrong."""
    options = arguments(words)
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(2**31)
    console.print(f"seed {seed}")
    try:
        with running(Servers) as stage:
            return check(stage, options, seed)
    except (StageError, ServerError, OSError, ValueError, KeyError) as error:
        console.print(f"The checker could not do its work: {error}")
        return 2
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
