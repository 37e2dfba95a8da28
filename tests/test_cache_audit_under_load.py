"""cache_audit while the game goes on: a write is never taken for a difference."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection, transaction

from accounts.models import PlayerSession
from bcraftd.cache import audit, families
from environment import services as environment
from environment.models import Weather
from inventory.models import Profession, Resource
from leaderboard.services import leaderboard_refresh
from tests.cache_audits import audited, raw
from tests.support import Api, resource_id

SECONDS = 4


def plays(player: Api, other: Api, number: int) -> None:
    """Writes something of each family, and fills what that dropped."""
    player.grant(mutterwood_log=2, coins=100)
    player.get("/api/inventory")
    listing = player.sells("mutterwood-log", 1, 5 + number)
    player.get("/api/market/listings")
    other.post(f"/api/market/listings/{listing['id']}/buy")
    player.get(f"/api/market/listings?resource_id={resource_id('mutterwood-log')}")
    for model, path in ((Resource, "/api/resources"), (Profession, "/api/professions")):
        row = model.objects.order_by("pk")[number % 3]
        row.name = f"Number {number} of {player.login}"
        row.save(update_fields=["name"])
        for each in (path, "/api/recipes/known", "/api/inventory"):
            player.get(each)
    environment.weather_set(weather_id=Weather.objects.filter(is_active=False).order_by("?")[0].pk)
    for path in ("/api/environment/current", "/api/environment/weather", "/api/leaderboard"):
        player.get(path)
    leaderboard_refresh(wait=False)
    second = Api.signed_in(player.login, player.password)
    PlayerSession.objects.filter(session_id=second.session["session_id"]).update(role="moderator")
    second.get("/api/inventory")
    second.post("/api/auth/logout")


def played(player: Api, other: Api, until: float) -> int:
    rounds = 0
    try:
        while time.monotonic() < until:
            plays(player, other, rounds)
            rounds += 1
    finally:
        connection.close()
    return rounds


def test_writers_never_look_like_a_difference(sign_up: Callable[..., Api]) -> None:
    """An audit after the other while four threads write: what one of them has overtaken is not a difference."""
    players = [sign_up(f"player-{number}") for number in range(4)]
    until = time.monotonic() + SECONDS
    checked = 0
    with ThreadPoolExecutor(4) as pool:
        running = [
            pool.submit(played, player, Api(other.token), until)
            for player, other in zip(players, [*players[1:], players[0]], strict=True)
        ]
        while time.monotonic() < until:
            found = audit.run(families.names())
            assert (found.differences, found.problems) == ({}, {})
            checked += found.checked
        assert min(future.result(60) for future in running) >= 1
    assert checked >= 100


def test_a_write_between_the_two_readings_is_no_difference(busy: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second look finds another value, or none, or PostgreSQL as Redis has it."""
    raw("UPDATE inventory_inventoryitem SET quantity = 77")

    def pause(seconds: float) -> None:
        busy.grant(mutterwood_log=1)
        busy.get("/api/inventory")

    monkeypatch.setattr(time, "sleep", pause)
    assert audited("--family", "inventory")[0]["differences"] == []


def test_what_is_not_committed_is_not_compared_with(busy: Api) -> None:
    with transaction.atomic():
        raw("UPDATE inventory_inventoryitem SET quantity = 77")
        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(_audit_in_thread).result(60) == {}
        transaction.set_rollback(True)


def _audit_in_thread() -> dict[Any, Any]:
    try:
        return audit.run(["inventory"]).differences
    finally:
        connection.close()
