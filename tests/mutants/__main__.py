"""`python -m tests.mutants [ONLY]`: runs mutmut on servers of its own and judges what it found.

ONLY is a module (`market.services`) or a function in it (`market.services.listing_buy`). Prints each survivor's change
and the score by file. The exit status is 0 where at least 90 % were killed, 1 where fewer were, 2 where nothing could
be tested.
"""

import argparse
import fcntl
import os
import shutil
import subprocess
import sys
import time
import tomllib
from fnmatch import fnmatch
from pathlib import Path

from rich.console import Console

from bcraftd.embedded.files import private_folder
from tests.mutants import score, worker
from tests.mutants.tree import PARTS, ROOT, lay_out

HOME = ROOT / ".bcraftd"
TREE = HOME / "mutants"
LOG = TREE / "mutmut.log"

console = Console(highlight=False, soft_wrap=True, markup=False)


def arguments(words: list[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description="Mutation testing of the economy.")
    parser.add_argument("only", nargs="?", default="", help="a module or function, such as market.services.listing_buy")
    parser.add_argument("--survivors", action="store_true", help="test only what survived the run before this one")
    parser.add_argument("--children", type=int, default=os.cpu_count() or 1, help="mutants at a time (one per core)")
    return parser.parse_args(words)


def targets() -> list[Path]:
    """The files that [tool.mutmut] in pyproject.toml names."""
    patterns = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["mutmut"]["only_mutate"]
    files = [path.relative_to(ROOT) for part in PARTS for path in sorted((ROOT / part).rglob("*.py"))]
    return [path for path in files if any(fnmatch(str(path), pattern) for pattern in patterns)]


def chosen(only: str, files: list[Path]) -> tuple[list[Path], list[str]]:
    """The files to judge, and mutmut's patterns for ONLY."""
    if not only:
        return files, []
    for path in files:
        module = ".".join(path.with_suffix("").parts)
        if only == module:
            return [path], [f"{module}.*"]
        if only.startswith(f"{module}."):
            return [path], [f"{module}.x_{only.removeprefix(f'{module}.')}*"]
    raise SystemExit(f"{only} is in none of {', '.join(map(str, files))}")


def template() -> str:
    """Migrates the database that each process copies. Returns its name."""
    import django
    from django.db import connections
    from django.test.utils import setup_databases

    django.setup()
    setup_databases(verbosity=0, interactive=False, serialized_aliases=[])
    connections.close_all()
    return str(connections["default"].settings_dict["NAME"])


def mutmut(*words: str) -> subprocess.CompletedProcess[str]:
    """mutmut, in the tree. Its progress goes to the terminal, where there is one, what it logs to a file."""
    shown = subprocess.PIPE if words[0] == "show" else None if sys.stdout.isatty() else subprocess.DEVNULL
    program = Path(sys.executable).with_name("mutmut")
    with LOG.open("a") as log:
        return subprocess.run([program, *words], cwd=TREE, text=True, check=False, stdout=shown, stderr=log)


def run(files: list[Path], patterns: list[str], options: argparse.Namespace) -> int:
    """Tests what is laid out, and prints what came of it. Returns the exit status."""
    began = time.monotonic()
    # Nobody's own servers: they would keep the copies.
    for name in ("DATABASE_URL", "REDIS_URL", "REDIS_URI", "REDIS_HOST"):
        os.environ.pop(name, None)
    # Starts PostgreSQL and Redis for us and whomever we start, and stops them in the end.
    from tests import servers  # noqa: F401

    (TREE / worker.FAILURES).unlink(missing_ok=True)
    os.environ[worker.HOME] = str(TREE)
    os.environ[worker.TEMPLATE] = template()
    names = [name for name, _ in survivors(files, patterns)] if options.survivors else patterns
    if mutmut("run", "--max-children", str(options.children), *names).returncode != 0:
        failures = TREE / worker.FAILURES
        console.print((failures if failures.exists() else LOG).read_text())
        console.print("Nothing was tested: that failed without any mutant.")
        return 2
    scores = {str(path): score.judged(statuses(path, patterns)) for path in files}
    total = score.together(scores)
    for name, reason in total.survivors:
        console.print(f"\nSURVIVED ({reason})", style="bold")
        console.print(mutmut("show", name).stdout)
    for name, each in {**scores, "all": total}.items():
        console.print(f"{name:24} {each.killed:5} of {each.mutants:5} killed  {each.percent:6.2f} %")
    console.print(f"{(time.monotonic() - began) / 60:.0f} minutes")
    return 0 if total.enough else 1


def statuses(path: Path, patterns: list[str]) -> dict[str, int | None]:
    """What became of a file's mutants, of those that match where patterns are given."""
    found = score.statuses_of(TREE / "mutants", path)
    return {name: found[name] for name in found if not patterns or any(fnmatch(name, each) for each in patterns)}


def survivors(files: list[Path], patterns: list[str]) -> list[tuple[str, str]]:
    """What the run before this one left alive."""
    found = [each for path in files for each in score.judged(statuses(path, patterns)).survivors]
    if not found:
        raise SystemExit("Nothing survived.")
    return found


def main(words: list[str]) -> int:
    """One run at a time: they would share the folder."""
    options = arguments(words)
    files, patterns = chosen(options.only, targets())
    private_folder(HOME)
    with (HOME / "mutants.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SystemExit("Mutants are being tested in this checkout already.") from None
        if not options.survivors:
            shutil.rmtree(TREE, ignore_errors=True)
        elif not (TREE / "mutants").exists():
            raise SystemExit("There was no run before this one.")
        lay_out(private_folder(TREE), targets())
        return run(files, patterns, options)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
