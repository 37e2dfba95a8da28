"""A folder that other users can reach too."""

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from bcraftd.cache import background, store
from bcraftd.cache.service import CacheService
from leaderboard.services import leaderboard_refresh
from tests.cache_audits import HOT
from tests.lane import Lane
from tests.manifests import FOLDERS, KUBERNETES, rendered
from tests.processes import processes_in, wait_until_empty
from tests.support import Api, profession_id, resource_id, setting


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that every user can reach, unlike pytest's own; at the end nothing may run in it any more."""
    path = Path(tempfile.mkdtemp(prefix="bcraftd-"))
    path.chmod(0o755)
    try:
        yield path
        wait_until_empty(path)
    finally:
        for pid in processes_in(path):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def lane(world: None, settings: Any) -> Lane:
    """The express lane, with the general limit on: the tests' own servers count nothing otherwise."""
    settings.RATE_LIMIT_DEFAULT = (1000, 60)
    return Lane()


@pytest.fixture
def market(ada: Api, bob: Api) -> Api:
    """Two listings of one resource, a profession joined, everybody on the leaderboard. Gives their seller."""
    ada.grant(mutterwood_log=10)
    for price in (3, 4):
        ada.sells("mutterwood-log", 2, price)
    assert ada.post(f"/api/professions/{profession_id('sawyer')}/join").status_code in (200, 201)
    leaderboard_refresh(wait=True)
    return ada


@pytest.fixture
def busy(ada: Api) -> Api:
    """Somebody has looked at everything that is kept in Redis, and there is something in all of it."""
    ada.grant(mutterwood_log=5)
    ada.sells("mutterwood-log", 2, 10)
    assert ada.post(f"/api/professions/{profession_id('sawyer')}/join").status_code == 201
    leaderboard_refresh(wait=True)
    # A slow machine must not find them gone.
    with setting(CACHE_USER_INVENTORY_TTL=3600, CACHE_MARKET_LISTINGS_TTL=3600):
        for path, *_ in HOT:
            assert ada.get(path.format(log=resource_id("mutterwood-log"))).status_code == 200
    return ada


@pytest.fixture
def cache(world: None) -> Iterator[CacheService]:
    """A service on the same database as the API's cache."""
    with CacheService.from_settings() as made:
        yield made


@pytest.fixture
def counted_from_nothing(world: None) -> None:
    """What an earlier test could not write while Redis was away goes with the rest."""
    background.flush()
    store.client().flushdb()


@pytest.fixture(params=FOLDERS, ids=lambda folder: str(folder.relative_to(KUBERNETES)))
def objects(request: pytest.FixtureRequest) -> list[dict[str, Any]]:
    """All that one folder of manifests is rendered to."""
    return rendered(request.param)
