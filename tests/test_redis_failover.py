"""Redis under Sentinel: the primary dies while players play, and nobody reads anything old or gets an error."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.drill.players import playing
from tests.drill.stage import Stage

# The failover itself (down-after, election), the pause of a lease and a probe: the ten seconds.
NORMAL_WITHIN = 10.0


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    folder: Path = tmp_path_factory.mktemp("failover")
    stage = Stage(folder)
    try:
        stage.start()
        yield stage
    finally:
        stage.stop()


def test_the_primary_dies_under_load_and_nobody_is_told_anything_old(stage: Stage) -> None:
    with playing(stage.instances) as record:
        time.sleep(5)
        calm = record.now
        assert not [at for at in record.bypassed if at > 3], "the cache has been used before"
        stage.cluster.first.kill()
        took = stage.cluster.wait_for_primary(stage.cluster.second)
        time.sleep(NORMAL_WITHIN)
    assert record.failed == []
    assert record.stale == []
    assert record.lost == []
    assert took < record.normal_after(calm) < NORMAL_WITHIN, "normal again, and not before there was a primary"
