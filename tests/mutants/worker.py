"""What a mutant's process needs: a database and a Redis of its own, and the quickest tests first.

mutmut forks a process per mutant and runs pytest in it; pyproject.toml's [tool.mutmut] names this module as a plugin.
"""

import fcntl
import json
import os
from contextlib import closing, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import hypothesis
import psycopg2
import pytest

# Set by `python -m tests.mutants`: the migrated database that each process copies, and the folder of the run.
TEMPLATE = "MUTANTS_TEMPLATE"
HOME = "MUTANTS_HOME"
# In that folder: what failed without any mutant, where mutmut itself says no more than that something did.
FAILURES = "failures.txt"
# Redis has as many databases.
MAX_SLOTS = 16
APPS = ("accounts", "environment", "inventory", "market")
# A test that calls one of these needs servers that are nobody else's.
BREAKERS = {"redis_stop", "redis_pause", "postgres_restart"}


def own_servers(template: str) -> None:
    """Points this process at a fresh copy of the template, and at a database of Redis that no other process uses."""
    from django.conf import settings
    from django.core.cache import caches
    from django.db import connection

    number = _take_slot()
    name = f"{template}_{number}"
    with closing(psycopg2.connect(os.environ["DATABASE_URL"])) as server:
        server.autocommit = True
        with server.cursor() as cursor:
            cursor.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
            cursor.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
    connection.close()
    settings.DATABASES["default"]["NAME"] = connection.settings_dict["NAME"] = name
    url = urlsplit(os.environ["REDIS_URL"])._replace(path=f"/{number}").geturl()
    os.environ["REDIS_URL"] = settings.REDIS_URL = settings.CACHES["default"]["LOCATION"] = url
    with suppress(AttributeError):
        del caches["default"]


def _take_slot() -> int:
    """The first number that no living process holds; the kernel gives it back when this one ends, however it ends."""
    for number in range(MAX_SLOTS):
        slot = os.open(Path(os.environ[HOME], f"slot-{number}"), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(slot, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(slot)
            continue
        return number
    raise RuntimeError(f"more than {MAX_SLOTS} processes at once")


def pytest_configure() -> None:
    """The same examples each time, so that the score is too; a failing one need not be made smaller."""
    phases = [hypothesis.Phase.explicit, hypothesis.Phase.generate]
    hypothesis.settings.register_profile("mutants", derandomize=True, database=None, deadline=None, phases=phases)
    hypothesis.settings.load_profile("mutants")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """An app's own tests answer for it. What would break the servers for others is left out; the quickest go first."""
    app = os.environ.get("MUTANT_UNDER_TEST", "").split(".")[0]
    apart = {item.nodeid for item in items if isinstance(item, pytest.Function) and BREAKERS & _names(item)}
    if app in APPS:
        apart |= {item.nodeid for item in items if not item.nodeid.startswith(f"{app}/")}
    config.hook.pytest_deselected(items=[item for item in items if item.nodeid in apart])
    items[:] = [item for item in items if item.nodeid not in apart]
    times: dict[str, Any] = {}
    with suppress(FileNotFoundError):
        times = json.loads(Path("mutmut-stats.json").read_text())["duration_by_test"]
    items.sort(key=lambda item: times.get(item.nodeid, 0))


def _names(item: pytest.Function) -> set[str]:
    return set(item.function.__code__.co_names)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """A test that fails without a mutant stops the run."""
    _note(report)


def pytest_collectreport(report: pytest.CollectReport) -> None:
    """So does a file that cannot be imported."""
    _note(report)


def _note(report: pytest.TestReport | pytest.CollectReport) -> None:
    if report.failed and os.environ.get("MUTANT_UNDER_TEST", "") in ("", "stats", "list_all_tests"):
        with Path(os.environ[HOME], FAILURES).open("a") as file:
            file.write(f"{report.nodeid}\n{report.longreprtext}\n")
