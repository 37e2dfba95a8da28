"""manage.py cache_stats for people: a table that fits, watching, and what it says without Redis."""

from collections.abc import Callable
from io import StringIO
from types import SimpleNamespace
from typing import cast

import pytest
from django.core.management import CommandError
from rich.console import Console

from bcraftd.management.commands import cache_stats
from tests.cache_counts import owe, report
from tests.programs import command
from tests.servers import redis_start, redis_stop
from tests.support import Api, redis_is_back

pytestmark = pytest.mark.usefixtures("counted_from_nothing")


def test_for_people_it_is_a_table(api: Api) -> None:
    shown = command("cache_stats", "--window", "7")

    for word in (
        "redis_version",
        "timeouts",
        "misses",
        "environment",
        "leaderboard",
        "refused",
        "outbox",
        "last 7 min",
    ):
        assert word in shown


def test_it_fits_100_columns_with_large_numbers_too(api: Api) -> None:
    api.get("/api/market/listings")
    found = report("--window", "60")
    figures = {
        "hits": 98765432, "misses": 1234567, "hit_rate": 0.9876, "bypasses": 123456, "refused_fills": 12345,
        "waits": 12345, "invalidations": 1234567, "fill_ms": 123.456,
    }  # fmt: skip
    for row in found["families"].values():
        row.update(figures, keys=123456, outbox=1234)
        row["window"].update(figures)
    console = Console(file=StringIO(), width=100)

    console.print(cache_stats.tables(found))

    lines = cast("StringIO", console.file).getvalue().splitlines()
    assert max(len(line) for line in lines) <= 100
    assert len(lines) <= 24, "and a terminal of 24 lines"
    [total] = [line for line in lines if line.startswith("leaderboard")]
    assert total.split()[1:] == [str(value) for value in figures.values()] + ["123456", "1234"]


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Watches on a terminal for as many rounds as there are actions, each done before its round."""
    terminal = Console(file=StringIO(), width=100, height=50, force_terminal=True)

    def watching(*actions: Callable[[], object]) -> str:
        left = list(actions)

        def sleep(seconds: float) -> None:
            if not left:
                raise KeyboardInterrupt
            left.pop(0)()

        monkeypatch.setattr(cache_stats, "time", SimpleNamespace(sleep=sleep))
        monkeypatch.setattr(cache_stats.Command, "console", lambda self: terminal)
        command("cache_stats", "--watch")
        assert not left
        return cast("StringIO", terminal.file).getvalue()

    return watching


def _lines_of(shown: str, family: str) -> list[list[str]]:
    return [line.split() for line in shown.splitlines() if family in line]


def test_watching_goes_on_until_it_is_ended_and_then_shows_the_last_state(api: Api, watch: Callable[..., str]) -> None:
    shown = watch(*[lambda: api.get("/api/market/listings")] * 3)

    rounds = _lines_of(shown, "market")
    assert rounds[-1][1:3] == ["2", "1"], "hits, misses"
    assert len(rounds) >= 5


def test_watching_says_that_redis_is_away_and_goes_on(api: Api, watch: Callable[..., str]) -> None:
    api.get("/api/market/listings")

    def back() -> None:
        redis_start()
        redis_is_back()

    shown = watch(redis_stop, lambda: owe(env_current="environment"), back)

    assert "Redis does not answer" in shown
    assert "0 drops wait in the outbox" in shown
    assert "1 drops wait in the outbox" in shown
    assert "Redis does not answer" not in shown[shown.rindex("drops wait in the outbox") :]
    assert _lines_of(shown, "market")[-1][1:3] == ["0", "1"]


def test_without_redis_it_says_so(world: None) -> None:
    redis_stop()
    try:
        for words in ([], ["--json"], ["--watch"]):
            with pytest.raises(CommandError, match="Redis does not answer"):
                command("cache_stats", *words)
    finally:
        redis_start()
        redis_is_back()
