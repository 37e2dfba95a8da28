"""The drill can fail: without what keeps the cache right, each of its judges finds stale reads behind HAProxy.

That it passes with everything on is seen in tests/test_postgres_failover.py, and in all of its faults by `make drill`.
"""

from contextlib import closing

import pytest

from tests.drill.__main__ import folders, on_one_host


def test_players_bots_and_the_checker_notice_a_cache_that_nobody_invalidates(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONSISTENCY_OFF", "fence,drop")
    with folders() as places, closing(on_one_host(*places)) as rows:
        row = next(rows)
    assert row.record.stale
    assert row.bots.stale
    assert row.checked.stale
    assert len(row.bad) >= len(row.stale), "the drill's exit status tells it"
