"""The programs that make the load: wrk, redis-benchmark and pgbench.

wrk and redis-benchmark are taken from PATH. Where they are missing and the machine has apt-get, they are fetched into
.bcraftd/bench-tools without root, by simulating their installation, downloading what it would install and unpacking
that. pgbench comes with the embedded PostgreSQL.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bcraftd.embedded.files import private_folder
from bcraftd.embedded.postgres import program as postgresprogram

ROOT = Path(__file__).resolve().parent.parent
HOME = ROOT / ".bcraftd" / "bench-tools"
# Program to the Debian package that has it.
PACKAGES = {"wrk": "wrk", "redis-benchmark": "redis-tools"}
FETCH_SECONDS = 300


class ToolsMissing(Exception):
    """A program is neither here nor to be had; the text says what to do."""


@dataclass(frozen=True, slots=True)
class Tools:
    """Where the programs are, and the environment that they run in."""

    wrk: str
    redis_benchmark: str
    pgbench: str
    environment: Mapping[str, str]


def find() -> Tools:
    """The programs, fetched if need be. Raises ToolsMissing or ServerError."""
    if missing := _missing():
        _fetch(missing)
    if missing := _missing():
        raise ToolsMissing(_advice(missing))
    folders = [str(folder) for folder in _library_folders()]
    paths = [*folders, *filter(None, [os.environ.get("LD_LIBRARY_PATH")])]
    environment = {**os.environ, **({"LD_LIBRARY_PATH": os.pathsep.join(paths)} if folders else {})}
    return Tools(_which("wrk"), _which("redis-benchmark"), str(postgresprogram("pgbench")), environment)


def _which(name: str) -> str:
    """A program's path, "" where there is none."""
    return shutil.which(name) or shutil.which(name, path=str(HOME / "root" / "usr" / "bin")) or ""


def _missing() -> list[str]:
    return [name for name in PACKAGES if not _which(name)]


def _advice(missing: list[str]) -> str:
    packages = " ".join(PACKAGES[name] for name in missing)
    return (
        f"The benchmark needs {' and '.join(missing)}, and could not fetch {'it' if len(missing) == 1 else 'them'}. "
        f"Install {'the package' if len(missing) == 1 else 'the packages'} (Debian, Ubuntu: apt install {packages}) "
        "and run it again."
    )


def _library_folders() -> list[Path]:
    """The folders below ours that hold shared libraries."""
    return sorted({path.parent for path in (HOME / "root").rglob("*.so*")})


def _fetch(missing: list[str]) -> None:
    """Downloads and unpacks packages and what they need and is not installed. Raises ToolsMissing where it fails."""
    if shutil.which("apt-get") is None or shutil.which("dpkg") is None:
        raise ToolsMissing(_advice(missing))
    packages = [PACKAGES[name] for name in missing]
    # Lists of our own are only for machines that have none, as fresh containers do; the others' are not ours to renew.
    if not _download(packages, []):
        lists = private_folder(HOME / "lists" / "partial").parent
        cache = private_folder(HOME / "cache" / "archives" / "partial").parent.parent
        own = [f"-oDir::State::lists={lists}", f"-oDir::Cache={cache}", "-oDebug::NoLocking=1"]
        if not (_run(["apt-get", *own, "update"]) and _download(packages, own)):
            raise ToolsMissing(_advice(missing))
    for archive in sorted((HOME / "archives").glob("*.deb")):
        if not _run(["dpkg", "-x", str(archive), str(HOME / "root")]):
            raise ToolsMissing(_advice(missing))


def _download(packages: list[str], options: list[str]) -> bool:
    """Whether the archives of all packages, and of what they need, are in HOME/archives now."""
    archives = HOME / "archives"
    shutil.rmtree(archives, ignore_errors=True)
    private_folder(archives)
    planned = _output(["apt-get", *options, "--simulate", "--no-install-recommends", "install", *packages])
    names = re.findall(r"(?m)^Inst (\S+)", planned)
    return bool(names) and _run(["apt-get", *options, "download", *names], cwd=archives)


def _run(command: list[str], cwd: Path | None = None) -> bool:
    done = subprocess.run(command, cwd=cwd, capture_output=True, timeout=FETCH_SECONDS, check=False)
    return done.returncode == 0


def _output(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=FETCH_SECONDS, check=False)
    return done.stdout if done.returncode == 0 else ""
