"""Every scheduled task: what it writes is fresh at once. They are found, not listed: one without a scenario fails."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone
from django.utils.module_loading import import_string

from bcraftd import schedules
from bcraftd.models import IdempotencyKey
from environment.cache import CURRENT, WEATHER
from environment.tasks import weather_advance
from tests import coverage_reads as reads
from tests.coverage_scenarios import (
    Scenario,
    Write,
    bob_rises,
    holds,
    keeps,
    listing,
    makes,
    old_sessions,
    overdue,
    player,
    set_scene,
    weather_is_over,
    would_notice,
)
from tests.support import Api


@pytest.fixture(autouse=True)
def _scene(ada: Api, bob: Api) -> None:
    set_scene(ada)


def _task(name: str, first: Callable[[], None] = lambda: None) -> Callable[[], Write]:
    def before() -> Write:
        def write() -> None:
            first()
            import_string(name)()

        return write

    return before


def _somebody_looks() -> None:
    assert Api.signed_in("bob", "correct horse battery").get(f"/api/market/listings/{listing().pk}").status_code == 200


def _yesterdays_answer() -> None:
    yesterday = timezone.now() - timedelta(hours=25)
    IdempotencyKey.objects.create(player=player("ada"), key="k", status=200, body=b"{}", created_at=yesterday)


TASKS: dict[str, Scenario] = {
    "accounts.tasks.sessions_sweep": makes(_task("accounts.tasks.sessions_sweep", old_sessions), "sessions"),
    "bcraftd.tasks.activity_write": keeps(
        _task("bcraftd.tasks.activity_write", _somebody_looks), "Nothing shows how often, or when last."
    ),
    "bcraftd.tasks.economy_audit": keeps(
        _task("bcraftd.tasks.economy_audit"), "It reads; what it keeps of it nothing cached shows."
    ),
    "bcraftd.tasks.idempotency_sweep": keeps(
        _task("bcraftd.tasks.idempotency_sweep", _yesterdays_answer), "A kept answer is read from PostgreSQL."
    ),
    "environment.tasks.weather_advance": keeps(
        _task("environment.tasks.weather_advance", weather_is_over),
        "It only writes down what every reader already sees.",
    ),
    "leaderboard.tasks.leaderboard_refresh": makes(
        _task("leaderboard.tasks.leaderboard_refresh", bob_rises), "leaderboard"
    ),
    "market.tasks.listings_expire": makes(_task("market.tasks.listings_expire", overdue), "market", "inventory"),
}


@pytest.mark.parametrize("name", sorted({each.task for each in schedules.declared()}))
def test_what_a_task_writes_is_fresh_at_once(name: str) -> None:
    assert name in TASKS, f"{name} is scheduled, and has no scenario in {__name__}.TASKS."
    holds(TASKS[name])


@pytest.mark.parametrize("name", [name for name, scenario in TASKS.items() if scenario.stale])
def test_without_the_invalidation_a_task_leaves_something_stale(name: str) -> None:
    would_notice(TASKS[name])


def test_every_task_names_what_it_makes_stale_or_says_why_nothing_is() -> None:
    assert set(TASKS) == {each.task for each in schedules.declared()}
    for name, scenario in TASKS.items():
        assert bool(scenario.stale) != bool(scenario.reason), name


def test_the_weather_that_moves_on_drops_its_keys_though_readers_saw_it_coming() -> None:
    """What they saw they had reckoned; another duration, set later, would have them reckon otherwise."""
    reads.scripts_are_known()
    weather_is_over()
    with reads.drops([*reads.markers(CURRENT, [{}]), *reads.markers(WEATHER, [{}])]):
        assert weather_advance() is not None
