"""manage.py populate: a world of which the audit finds nothing, whole after each batch, that the cache knows of."""

import json
import os
import random
import signal
import subprocess
import sys
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection
from django.db.models import F, Sum

from accounts.models import LedgerTransfer, Player, PlayerStatistics
from bcraftd import economy
from bcraftd.leveling import level_at
from bcraftd.models import OutboxRow
from bcraftd.population import names, rows
from bcraftd.population.world import populate
from inventory.models import ItemMovement, PlayerProfession, Resource
from leaderboard.models import LeaderboardRow
from market.models import Listing, Trade
from tests import programs
from tests.cache_audits import audited
from tests.processes import wait_until
from tests.support import Api, assert_problem, clean_world, resource_id, setting
from tests.test_commands_cache_audit import Terminal


def made(*words: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(programs.command("populate", "--json", *words))
    return found


def problems() -> dict[str, int]:
    return economy.audit().counts


def test_the_world_is_as_large_as_was_asked_and_the_audit_finds_nothing(world: None) -> None:
    report = made("--players", "600", "--listings", "900", "--seed", "7")

    assert set(report) == {"players", "listings", "seconds"}
    assert (report["players"], report["listings"]) == (600, 900)
    assert problems() == {}
    assert (Player.objects.count(), Listing.objects.count()) == (600, 900)
    assert set(Listing.objects.values_list("status", flat=True)) == {"active", "sold", "cancelled", "expired"}
    assert set(ItemMovement.objects.values_list("reason", flat=True)) == set(ItemMovement.Reason.values)
    assert set(LedgerTransfer.objects.values_list("reason", flat=True)) == {"starting_coins", "grant", "trade"}
    assert Trade.objects.filter(fee__gt=0).exists()
    assert LeaderboardRow.objects.count() == 600
    assert not OutboxRow.objects.exists()


def test_levels_are_those_of_the_experience_and_players_have_that_of_their_professions(world: None) -> None:
    made("--players", "300", "--listings", "300")

    for player in Player.objects.annotate(learned=Sum("professions__experience")):
        assert player.experience == (player.learned or 0)
        assert player.level == level_at(player.experience, 100)
    assert all(row.level == level_at(row.experience, 50) for row in PlayerProfession.objects.all())
    # Who sells something has learned how to get it.
    assert not Listing.objects.filter(seller__professions=None).exists()


def test_prices_are_around_the_value(world: None) -> None:
    made("--players", "300", "--listings", "2000")

    value = F("unit_price") / (F("resource__base_value") * F("resource__rarity__value_multiplier"))
    ratios = sorted(Listing.objects.filter(resource__base_value__gte=10).values_list(value, flat=True))
    assert 0.85 < ratios[len(ratios) // 2] < 1.2
    assert ratios[0] > 0.2
    assert ratios[-1] < 5


def test_it_adds_to_a_world_that_is_there_and_the_same_seed_adds_others(ada: Api, bob: Api) -> None:
    ada.grant(mutterwood_log=9)
    ada.sells("mutterwood-log", 3, 5)
    before = {player.pk: (player.login, player.coins) for player in Player.objects.all()}

    for _ in range(2):
        made("--players", "150", "--listings", "150", "--seed", "7")

    assert problems() == {}
    assert Player.objects.count() == 302
    assert {player.pk: (player.login, player.coins) for player in Player.objects.filter(pk__in=before)} == before
    assert ada.coins() == 1000
    # What is done next comes after all of it.
    assert bob.post(f"/api/market/listings/{ada.sells('mutterwood-log', 1, 5)['id']}/buy").status_code == 200
    assert problems() == {}


def figures() -> list[tuple[Any, ...]]:
    """The world by everything that does not depend on ids and times."""
    players = PlayerStatistics.objects.order_by("player_id").values_list(
        "player__coins", "player__experience", "items_crafted", "items_gathered", "sales_value", "purchases_value"
    )
    offers = Listing.objects.order_by("id").values_list("resource__slug", "quantity", "remaining", "unit_price")
    return [*players, *offers]


def test_a_seed_makes_the_same_world_again(world: None) -> None:
    populate(players=250, listings=200, seed=11)
    first = figures()
    clean_and_seed()
    populate(players=250, listings=200, seed=11)
    second = figures()
    clean_and_seed()
    populate(players=250, listings=200, seed=12)

    assert len(first) == 450
    assert first == second
    assert figures() != first


def clean_and_seed() -> None:
    clean_world()
    call_command("seed", stdout=StringIO())


def test_what_the_cache_had_of_the_market_and_the_board_is_not_served_any_more(busy: Api) -> None:
    log = resource_id("mutterwood-log")
    pages = [f"/api/market/listings?resource_id={log}", "/api/market/listings?ordering=-created_at", "/api/leaderboard"]
    for page in pages:
        busy.get(page)
        assert busy.get(page)["X-Cache"] == "HIT"

    made("--players", "400", "--listings", "3000", "--seed", "2")

    shown = busy.get(pages[0]).json()["listings"]
    cheapest = Listing.objects.filter(resource_id=log, status="active").order_by("unit_price", "id")[:50]
    assert [row["id"] for row in shown] == [listing.pk for listing in cheapest]
    assert len(shown) > 1
    assert busy.get(pages[2]).json()["total"] == Player.objects.filter(is_active=True).count()
    assert audited()[0]["differences"] == []


def test_without_a_password_nobody_comes_in_and_with_one_everybody(api: Api) -> None:
    made("--players", "3", "--listings", "0")
    made("--players", "2", "--listings", "0", "--password", "a word for all of them")
    locked, *_, opened = Player.objects.order_by("pk").values_list("login", flat=True)

    for login, password in [(locked, ""), (locked, "a word for all of them"), (opened, "another word")]:
        answer = api.post("/api/auth/login", login=login, password=password or "!")
        assert_problem(answer, 401, "bad_credentials")
    assert api.post("/api/auth/login", login=opened, password="a word for all of them").status_code == 200


@pytest.mark.parametrize(("coins", "fee"), [(0, 5), (1000, 0), (1000, 100)])
def test_the_settings_of_the_economy_hold(world: None, coins: int, fee: int) -> None:
    with setting(STARTING_COINS=coins, MARKET_FEE_PERCENT=fee):
        made("--players", "200", "--listings", "300", "--seed", "4")

    assert problems() == {}
    assert LedgerTransfer.objects.filter(reason="starting_coins").count() == (200 if coins else 0)
    assert Trade.objects.exists()


def test_a_single_player_has_nobody_to_trade_with(world: None) -> None:
    made("--players", "1", "--listings", "50")

    assert problems() == {}
    assert not Trade.objects.exists()


def test_who_has_a_login_of_ours_by_chance_keeps_it(api: Api) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT nextval('accounts_player_id_seq')")
        following = cursor.fetchone()[0] + 2
    # The first player's of the batch to come.
    taken = names.login(random.Random("5:0:logins"), following)
    theirs = Api.signed_up(taken.upper(), "correct horse battery")

    made("--players", "120", "--listings", "10", "--seed", "5")

    assert theirs.id == following - 1
    assert Player.objects.filter(login__iexact=taken).get().pk == theirs.id
    assert Player.objects.count() == 121
    assert problems() == {}


def test_every_trigger_looks_on_and_a_wrong_batch_leaves_nothing(world: None, monkeypatch: pytest.MonkeyPatch) -> None:
    entries = rows._entries

    def short(*arguments: Any) -> rows.Text:
        text = entries(*arguments)
        del text.lines[-1]
        return text

    monkeypatch.setattr(rows, "_entries", short)

    with pytest.raises(IntegrityError, match=r"does not sum to zero|fewer than two entries"):
        populate(players=100, listings=100, seed=1)

    assert not Player.objects.exists()
    assert not LedgerTransfer.objects.exists()
    assert problems() == {}


# Small batches, so that there are many to be killed in.
MANY = """
import django
django.setup()
from bcraftd.population import world
world.BATCH = 100
world.populate(players=40_000, listings=40_000, seed=3)
"""


def test_killed_in_the_middle_it_leaves_whole_batches_and_a_cache_that_is_right(busy: Api) -> None:
    running = subprocess.Popen(
        [sys.executable, "-c", MANY], cwd=programs.ROOT, env=programs.environment(), stdin=subprocess.DEVNULL
    )
    try:
        wait_until(lambda: Player.objects.count() > 1_000, "some batches are there")
    finally:
        os.kill(running.pid, signal.SIGKILL)
        running.wait()

    # What was being written when it died is still ended by PostgreSQL, or committed.
    wait_until(lambda: not others(), "PostgreSQL has noticed")
    number = Player.objects.count() - 1
    assert 1_000 <= number < 40_000
    assert number % 100 == 0
    assert Listing.objects.count() - 1 == number
    assert problems() == {}
    assert audited()[0]["differences"] == []


def others() -> int:
    """Connections that do something in this database, beside this one."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
            " AND backend_type = 'client backend' AND state <> 'idle'"
        )
        return int(cursor.fetchone()[0])


def test_for_people_there_is_a_bar_and_a_sentence(world: None) -> None:
    screen = Terminal()

    call_command("populate", "--players", "120", "--listings", "30", stdout=screen)

    assert "players and listings" in screen.getvalue()
    assert "150/150" in screen.getvalue()
    assert screen.getvalue().rstrip().splitlines()[-1].startswith("players: 120, listings: 30, seconds: ")


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["--players", "0", "--listings", "1"], "expected a whole number"),
        (["--players", "1", "--listings", "101"], "more than 100 listings for each player"),
        (["--players", "ten", "--listings", "1"], "expected a whole number"),
    ],
)
def test_amounts_that_make_no_sense_are_refused(world: None, words: list[str], why: str) -> None:
    with pytest.raises(CommandError, match=why):
        made(*words)
    assert not Player.objects.exists()


def test_without_a_catalogue_it_says_what_to_do(world: None) -> None:
    clean_world()

    with pytest.raises(CommandError, match=r"manage\.py seed"):
        made("--players", "10", "--listings", "10")

    assert not Resource.objects.exists()


def test_without_postgresql_it_says_so(world: None) -> None:
    nowhere = f"{programs.environment()['DATABASE_URL']}_that_is_not_there"
    ended = programs.manage("populate", "--players", "1", "--listings", "1", DATABASE_URL=nowhere)
    assert ended.returncode == 1
    assert "PostgreSQL does not answer" in ended.stderr
