"""/metrics of a server with two processes: the same sums whichever answers, also after one of them died."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple
from urllib.request import Request, urlopen

import pytest

from bcraftd import processes
from bcraftd.cache import store
from tests import servers
from tests.live import server
from tests.processes import wait_until
from tests.scrapes import Samples, scrape, total

REQUESTS = 40


class Two(NamedTuple):
    """A server of two processes, and where they write what they count."""

    url: str
    folder: Path

    def get(self, path: str, times: int = 1) -> None:
        """Asks over new connections, which the kernel hands to either process."""
        for _ in range(times):
            with urlopen(Request(self.url + path, headers={"Connection": "close"}), timeout=60) as answer:  # noqa: S310
                answer.read()

    def pids(self) -> set[int]:
        """Every process that has ever counted."""
        return {int(path.stem.partition("_")[2]) for path in self.folder.glob("counter_*.db")}


@pytest.fixture
def two(world: None, folder: Path) -> Iterator[Two]:
    store.client().flushdb()
    with server(workers=2, LOG_LEVEL="ERROR", PROMETHEUS_MULTIPROC_DIR=str(folder)) as url:
        both = Two(url, folder)
        # Which one answers is the kernel's to say.
        wait_until(lambda: both.get("/healthz", 5) or len(both.pids()) == 2, "both processes have counted")
        yield both


def of(found: Samples, endpoint: str, **labels: str) -> float:
    return total(found, "bcraftd_http_requests_total", endpoint=endpoint, **labels)


def eventually(two: Two, true: Callable[[Samples], bool], what: str) -> Samples:
    """The first scrape of which something is true."""
    kept: list[Samples] = []

    def seen() -> bool:
        # Whoever was connected to the process that dies is cut off.
        with suppress(OSError):
            kept[:] = [scrape(two.url)]
            return true(kept[0])
        return False

    wait_until(seen, what)
    return kept[0]


def test_every_scrape_has_the_sums_of_both_processes(two: Two) -> None:
    before = scrape(two.url)
    two.get("/api/professions", REQUESTS)

    found = [scrape(two.url) for _ in range(20)]

    for number, each in enumerate(found, start=1):
        assert of(each, "/api/professions") == REQUESTS
        # The first one of all misses, and each process may have to greet Redis first.
        assert of(each, "/api/professions", lane="express", status="200") in range(REQUESTS - 4, REQUESTS)
        assert total(each, "bcraftd_http_request_seconds_count", endpoint="/api/professions") == REQUESTS
        # A scrape counts itself when it is over.
        assert of(each, "/metrics") == of(before, "/metrics") + number
        assert total(each, "bcraftd_processes") == 2
        # The one that is scraped is at work on just that.
        assert total(each, "bcraftd_http_requests_in_progress") == 1


def test_the_breakers_of_both_are_counted(two: Two) -> None:
    servers.redis_stop()
    try:
        opened = eventually(
            two,
            lambda found: two.get("/api/professions", 3) or total(found, "bcraftd_breaker_open") == 2,
            "both go without Redis",
        )
    finally:
        servers.redis_start()

    assert total(opened, "bcraftd_cache_up") == 0
    closed = eventually(two, lambda found: total(found, "bcraftd_breaker_open") == 0, "both are back")
    assert total(closed, "bcraftd_cache_up") == 1


def test_what_a_dead_process_counted_stays_and_what_it_was_doing_goes(two: Two) -> None:
    two.get("/api/professions", REQUESTS)
    first = two.pids()
    victim = min(first)

    os.kill(victim, signal.SIGKILL)

    # granian sees to a new one.
    found = eventually(two, lambda found: len(two.pids()) == 3, "a third process has counted")
    found = eventually(two, lambda found: total(found, "bcraftd_processes") == 2, "two of them live")
    assert not list(two.folder.glob(f"gauge_live*_{victim}.db"))
    assert of(found, "/api/professions") == REQUESTS
    two.get("/api/professions", REQUESTS)
    assert of(scrape(two.url), "/api/professions") == 2 * REQUESTS


def test_a_process_that_lives_is_not_forgotten(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(folder))
    dead = os.fork()
    if dead == 0:
        os._exit(0)
    os.waitpid(dead, 0)
    names = [f"gauge_livesum_{os.getpid()}.db", f"gauge_livesum_{dead}.db", f"counter_{dead}.db", "gauge_livesum_1.db"]
    for name in names:
        (folder / name).touch()

    processes.forget_dead()

    # The first process of all always lives, and mostly is not ours.
    assert {path.name for path in folder.iterdir()} == set(names) - {f"gauge_livesum_{dead}.db"}
