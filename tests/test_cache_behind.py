"""Write-behind: facts gathered in Redis and written in bulk. What fails loses a minute of them at most, and nothing is
ever counted twice."""

from typing import Any, cast

import pytest

from accounts.cache import LAST_SEEN
from accounts.models import PlayerSession
from bcraftd.cache import background, behind, store
from bcraftd.tasks import activity_write
from market.cache import VIEWS
from market.models import Listing
from tests import servers
from tests.support import Api, redis_is_back


def gathered(key: str) -> dict[bytes, bytes]:
    return cast("dict[bytes, bytes]", store.client().hgetall(key))


@pytest.fixture
def listing(ada: Api) -> int:
    ada.grant(mutterwood_log=1)
    return int(ada.sells("mutterwood-log", 1, 30)["id"])


def test_facts_stand_in_redis_until_the_schedule_writes_them(listing: int) -> None:
    for _ in range(3):
        Api().get(f"/api/market/listings/{listing}")
    background.flush()
    assert gathered(VIEWS.key) == {str(listing).encode(): b"3"}
    assert Listing.objects.get().views == 0
    activity_write()
    assert Listing.objects.get().views == 3
    assert gathered(VIEWS.key) == {}


def test_what_a_hung_redis_takes_later_is_counted_once(listing: int) -> None:
    """The call timed out, still lies in its socket, and is sent again when Redis answers."""
    Api().get(f"/api/market/listings/{listing}")
    servers.redis_pause()
    try:
        background.flush()
        assert store.breaker.is_open
    finally:
        servers.redis_resume()
    redis_is_back()
    background.flush()
    assert gathered(VIEWS.key) == {str(listing).encode(): b"1"}


def test_the_latest_of_a_name_stays_the_latest(ada: Api) -> None:
    before = PlayerSession.objects.get().last_seen_at.timestamp()
    name = ada.session["session_id"]
    for moment in (int(before) + 50, int(before) + 20):
        LAST_SEEN.put(name, moment)
        background.flush()
    activity_write()
    assert PlayerSession.objects.get().last_seen_at.timestamp() == int(before) + 50


def test_a_worker_killed_between_taking_and_writing_loses_what_it_took_and_nothing_else(
    listing: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dies(facts: Any) -> int:
        raise SystemExit

    VIEWS.put(str(listing), 5)
    monkeypatch.setattr(VIEWS, "_writer", dies)
    with pytest.raises(SystemExit):
        VIEWS.write()
    monkeypatch.undo()
    VIEWS.put(str(listing), 2)
    assert behind.write_all()[VIEWS.key] == 1
    assert Listing.objects.get().views == 2
