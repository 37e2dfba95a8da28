"""`python -m tests.economy`: see the package's docstring for what it does, `--help` for its options.

The last line on standard output is JSON. The exit status is 0 where everything is as it was answered, 1 where
something is not, 2 where the run itself could not go on.
"""

import argparse
import random
import sys
from typing import Any

import psycopg2
from rich.console import Console

from bcraftd.embedded.process import ServerError
from tests.consistency.stage import StageError, running
from tests.economy.defects import DEFECTS
from tests.economy.run import PLAYERS, Plan, Run
from tests.economy.stage import Stage

console = Console(stderr=True, highlight=False, soft_wrap=True, markup=False)


def arguments(words: list[str]) -> Plan:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.economy", description="Plays, kills, and counts.")
    parser.add_argument("--operations", type=int, default=10_000, help="calls to settle (10000)")
    parser.add_argument("--seed", type=int, help="fixes what is drawn; drawn and printed where it is not given")
    parser.add_argument("--clients", type=int, default=50, help="threads that play at once (50)")
    parser.add_argument("--players", type=int, default=PLAYERS, help=f"whom they play ({PLAYERS})")
    parser.add_argument("--postgres-kills", type=int, default=5, help="SIGKILLs of all of PostgreSQL (5)")
    parser.add_argument("--worker-kills", type=int, default=10, help="SIGKILLs of a worker of the API (10)")
    parser.add_argument("--broken", default="", help=f"defects to build in, with commas: {', '.join(DEFECTS)}")
    given: dict[str, Any] = vars(parser.parse_args(words))
    seed = given.pop("seed")
    if given["broken"] and not DEFECTS.keys() >= set(given["broken"].split(",")):
        parser.error(f"no such defect: {given['broken']}")
    return Plan(seed=random.SystemRandom().randrange(2**31) if seed is None else seed, **given)


def check(plan: Plan) -> int:
    """One run. Prints what is not as it was answered, then the line of numbers. Returns the exit status."""
    with running(Stage) as servers, Run(servers, plan, console.print) as run:
        run.play()
        result = run.result()
    for violation in result.violations:
        console.print(f"VIOLATION {violation}")
    sys.stdout.write(result.line() + "\n")
    return 1 if result.violations else 0


def main(words: list[str]) -> int:
    """Parses, runs, and tells apart what was found from what went wrong."""
    plan = arguments(words)
    console.print(f"seed {plan.seed}")
    try:
        return check(plan)
    except (StageError, ServerError, psycopg2.Error, OSError, ValueError, KeyError) as error:
        console.print(f"The run could not go on: {error!r}")
        return 2
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
