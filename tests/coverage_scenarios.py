"""Scenarios of the tests of coverage: a write by a service or a task, and what it makes stale."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from django.utils import timezone

from accounts.models import Player, PlayerSession
from bcraftd.cache import behind
from environment.models import Weather
from leaderboard.services import leaderboard_refresh
from market.models import Listing
from tests import coverage_reads as reads
from tests import coverage_rows as rows
from tests.support import Api, profession_id, resource_id

Write = Callable[[], object]


@dataclass(frozen=True)
class Scenario:
    """`before` sets the scene and returns the write; `stale` is what would be stale without the invalidation, or
    `reason` says why nothing would."""

    before: Callable[[], Write]
    stale: frozenset[str] = frozenset()
    reason: str = ""


def makes(before: Callable[[], Write], *families: str) -> Scenario:
    return Scenario(before, frozenset(families))


def keeps(before: Callable[[], Write], reason: str) -> Scenario:
    return Scenario(before, reason=reason)


def set_scene(ada: Api) -> None:
    """Ada works at two trades, holds logs and sells some. The board knows everybody."""
    for slug in ("timberhand", "sawyer"):
        ada.post(f"/api/professions/{profession_id(slug)}/join")
    ada.grant(mutterwood_log=50)
    ada.sells("mutterwood-log", 5, 10)
    leaderboard_refresh(wait=True)


def holds(scenario: Scenario) -> None:
    """The write leaves nothing stale."""
    write = scenario.before()
    reads.read_all()
    assert reads.stale() == []
    write()
    assert reads.stale() == []


def would_notice(scenario: Scenario) -> None:
    """Without the invalidation it would."""
    write = scenario.before()
    reads.read_all()
    with reads.nothing_invalidates():
        write()
    assert scenario.stale <= reads.stale_families()


def player(login: str) -> Player:
    return Player.objects.get(login=login)


def listing() -> Listing:
    return Listing.objects.order_by("pk")[0]


def session(login: str) -> PlayerSession:
    return PlayerSession.objects.get(player__login=login)


def log_id() -> int:
    return resource_id("mutterwood-log")


# --- What nothing but the clock knows ---------------------------------------------------------------------


def old_sessions() -> None:
    """Ada was last seen two days ago, which nothing but this clock knows; nothing that says otherwise waits."""
    behind.write_all()
    rows.silently(PlayerSession).filter(player__login="ada").update(last_seen_at=timezone.now() - timedelta(days=2))


def overdue() -> None:
    """Ada's listing has run out, which nothing but this clock knows."""
    rows.silently(Listing).update(expires_at=timezone.now() - timedelta(seconds=1))


def weather_is_over() -> None:
    """The weather's time has been over for long, which nothing but this clock knows."""
    rows.silently(Weather).filter(is_active=True).update(active_since=timezone.now() - timedelta(days=3))


def bob_rises() -> None:
    """Bob is of another level, which no board knows yet."""
    rows.silently(Player).filter(login="bob").update(level=99)
