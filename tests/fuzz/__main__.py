"""`python -m tests.fuzz`: see the package's docstring for what it does, `--help` for its options.

The last line on standard output is JSON. The exit status is 0 where nothing was wrong, 1 where an answer was a 5xx or a
check failed, 2 where the fuzzer itself could not do its work.
"""

import argparse
import random
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from rich.console import Console

# First of all: it starts the servers and says so to the environment, before anything reads a setting.
from tests import servers  # isort: skip

console = Console(stderr=True, highlight=False, soft_wrap=True)


def arguments(words: list[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description="Looks for server errors.")
    parser.add_argument("--cases", type=int, default=100_000, help="how many requests at least (100000)")
    parser.add_argument("--seed", type=int, help="fixes what is drawn; drawn and printed where it is not given")
    return parser.parse_args(words)


@contextmanager
def database() -> Iterator[None]:
    """Django on a test database, as in the tests: never the one that DATABASE_URL names."""
    import django

    django.setup()
    from django.db import connections
    from django.test.utils import override_settings, setup_databases, teardown_databases

    made = setup_databases(verbosity=0, interactive=False, serialized_aliases=[])
    try:
        with override_settings(PASSWORD_HASHERS=["tests.support.QuickArgon2"]):
            yield
    finally:
        connections.close_all()
        teardown_databases(made, verbosity=0)


def fuzz(application: Any, *, cases: int, seed: int) -> int:
    """One run. Says what failed as it goes, and prints the line of numbers. Returns the exit status."""
    from tests.fuzz.runs import Run

    run = Run(application, seed, say=partial(console.print, markup=False))
    run.everything(cases)
    sys.stdout.write(run.outcome.line() + "\n")
    return 1 if run.outcome.failed else 0


def main(words: list[str]) -> int:
    """Parses and runs."""
    options = arguments(words)
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(2**31)
    console.print(f"{servers.pytest_report_header()}; seed {seed}")
    try:
        with database():
            from django.core.wsgi import get_wsgi_application

            # What bcraftd.wsgi serves, without the outbox's relay, which would be a second writer beside the requests.
            return fuzz(get_wsgi_application(), cases=options.cases, seed=seed)
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
