"""What operators do to a player: ban, grant, end sessions; and the trail that all of it leaves."""

import threading
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.admin.models import LogEntry
from django.db import connection
from django.urls import reverse

from accounts.models import LedgerEntry, Player, Role
from bcraftd import dashboard, economy
from inventory.models import ItemMovement
from market.models import Trade
from tests.operators import Operator, admin, messages_of, populate
from tests.support import Api, queries, resource_id


@pytest.fixture
def olga(world: None) -> Operator:
    return admin()


def submit(operator: Operator, name: str, player: Api, **given: Any) -> Any:
    page = reverse(f"admin:accounts_player_{name}", args=[player.id])
    return operator.client.post(page, {"_form_submitted": "True", **given})


def grant(operator: Operator, player: Api, **given: Any) -> Any:
    return submit(operator, "grant", player, **{"once": str(uuid4()), **given})


# --- Granting ---------------------------------------------------------------------------------------------


def test_coins_and_items_are_given_on_the_record(ada: Api, olga: Operator) -> None:
    ada.get("/api/inventory")

    answer = grant(olga, ada, coins=500, resource=resource_id("mutterwood-log"), quantity=3)

    assert messages_of(answer) == ["ada was given 500 coins, 3 mutterwood-log."]
    assert ada.coins() == 1500
    assert ada.holds("mutterwood-log") == 3
    assert LedgerEntry.objects.filter(player_id=ada.id, transfer__reason="grant").get().amount == 500
    assert ItemMovement.objects.get(player_id=ada.id).reason == "grant"
    trail = LogEntry.objects.get()
    assert (trail.user.login, trail.object_repr) == ("Olga", "ada")
    assert trail.change_message == "Granted 500 coins, 3 mutterwood-log."
    assert economy.audit().ok


def test_a_double_click_gives_once(ada: Api, olga: Operator) -> None:
    once = str(uuid4())
    for _ in range(2):
        assert grant(olga, ada, coins=500, once=once).status_code == 302

    assert ada.coins() == 1500
    assert LogEntry.objects.count() == 1


def test_two_clicks_at_the_same_moment_give_once(ada: Api, olga: Operator) -> None:
    once, ready = str(uuid4()), threading.Barrier(4)

    def click() -> None:
        ready.wait()
        grant(olga, ada, coins=500, once=once)
        connection.close()

    clicks = [threading.Thread(target=click) for _ in range(4)]
    for each in clicks:
        each.start()
    for each in clicks:
        each.join()

    assert ada.coins() == 1500


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"coins": "0"},
        {"coins": "-1"},
        {"coins": "x"},
        {"coins": str(2**60)},
        {"quantity": "3"},
        {"resource": "log"},
        {"resource": "log", "quantity": "0"},
        {"resource": "0", "quantity": "1"},
        {"coins": "5", "once": "nonsense"},
        {"coins": "5", "once": ""},
    ],
)
def test_a_grant_of_no_sense_is_shown_again_and_gives_nothing(ada: Api, olga: Operator, given: dict[str, str]) -> None:
    if given.get("resource") == "log":
        given = {**given, "resource": str(resource_id("mutterwood-log"))}

    answer = grant(olga, ada, **given)

    assert answer.status_code == 200
    assert answer.context["form"].errors
    assert ada.coins() == 1000
    assert not LogEntry.objects.exists()


def test_more_than_anybody_may_hold_is_refused(ada: Api, olga: Operator) -> None:
    answer = grant(olga, ada, coins=2**53 - 1)

    assert answer.status_code == 302
    assert ada.coins() == 1000
    assert not LogEntry.objects.exists()


def test_granting_is_a_permission_of_its_own(ada: Api) -> None:
    mona = Operator.make("mona", Role.MODERATOR, "accounts.change_player")
    assert grant(mona, ada, coins=500).status_code == 403
    nora = Operator.make("nora", Role.MODERATOR, "accounts.grant_player")
    assert grant(nora, ada, coins=500).status_code == 302

    assert ada.coins() == 1500


# --- Banning ----------------------------------------------------------------------------------------------


def test_a_ban_ends_every_session_at_once_and_keeps_its_reason(ada: Api, olga: Operator) -> None:
    elsewhere = Api.signed_in("ada", ada.password)
    assert ada.get("/api/auth/me").status_code == elsewhere.get("/api/inventory").status_code == 200

    answer = submit(olga, "ban", ada, reason="sells logs to himself")

    assert answer.status_code == 302
    for client, path in ((ada, "/api/auth/me"), (elsewhere, "/api/inventory")):
        assert client.get(path).json()["code"] == "session_expired"
    assert Api().post("/api/auth/login", login="ada", password=ada.password).json()["code"] == "bad_credentials"
    assert LogEntry.objects.get().change_message == "Banned: sells logs to himself"
    history = olga.get("accounts_player_history", ada.id).content.decode()
    assert "sells logs to himself" in history

    olga.act("accounts_player", "open", ada.id)
    assert Api.signed_in("ada", ada.password).get("/api/auth/me").status_code == 200


def test_a_ban_without_a_reason_is_asked_again(ada: Api, olga: Operator) -> None:
    assert submit(olga, "ban", ada).status_code == 200
    assert ada.get("/api/auth/me").status_code == 200


def test_nobody_bans_himself_or_above_himself(ada: Api, olga: Operator) -> None:
    mona = Operator.make("mona", Role.MODERATOR, "accounts.change_player")
    for operator, login in ((olga, "olga"), (mona, "olga")):
        player = Player.objects.get(login__iexact=login)
        submit(operator, "ban", Api(id=player.pk), reason="why not")
        assert Player.objects.get(pk=player.pk).is_active, operator.login


def test_sessions_are_ended_without_closing_the_account(ada: Api, olga: Operator) -> None:
    olga.act("accounts_player", "end_sessions", ada.id)

    assert ada.get("/api/auth/me").json()["code"] == "session_expired"
    assert Api.signed_in("ada", ada.password).get("/api/auth/me").status_code == 200
    assert LogEntry.objects.get().change_message == "Sessions ended"


def test_a_moderator_does_not_end_an_admins_sessions(olga: Operator) -> None:
    admins = Api.signed_in("Olga", "correct horse battery")
    mona = Operator.make("mona", Role.MODERATOR, "accounts.change_player")

    mona.act("accounts_player", "end_sessions", Player.objects.get(login="Olga").pk)

    assert admins.get("/api/auth/me").status_code == 200


# --- The trail and the first page -------------------------------------------------------------------------


def test_the_trail_shows_what_was_done_by_whom(ada: Api, olga: Operator) -> None:
    grant(olga, ada, coins=5)
    olga.client.post(reverse("admin:leaderboard_leaderboardrow_refresh_now"), {"_form_submitted": "True"})
    mona = Operator.make("mona", Role.MODERATOR)

    page = mona.get("admin_logentry_changelist")

    text = page.content.decode()
    assert "Granted 5 coins." in text
    assert "Refreshed: 2 players." in text
    assert page.context["cl"].result_count == 2
    assert mona.get("admin_logentry_changelist", q="OLGA").context["cl"].result_count == 2
    assert mona.get("admin_logentry_changelist", q="ad").context["cl"].result_count == 1
    assert mona.get("admin_logentry_changelist", q="mona").context["cl"].result_count == 0


def test_the_first_page_says_how_the_world_stands_in_few_queries(ada: Api, bob: Api, olga: Operator) -> None:
    populate(ada, bob)
    olga.get("index")

    with queries() as seen:
        page = olga.get("index")

    assert len(seen) <= 15, seen
    text = page.content.decode()
    # No worker runs beside a test, and a task has failed.
    assert [row["name"] for row in page.context["troubles"]] == ["worker", "economy"]
    assert "No worker runs" in text
    tiles = {tile["name"]: (tile["value"], tile["note"]) for tile in page.context["tiles"]}
    # Nobody has analyzed the tables of a young world.
    assert (tiles["Players"], tiles["Trades"]) == ((Player.objects.count(), ""), (Trade.objects.count(), ""))
    assert Player.objects.count() >= 2
    assert "a thing" in text


def test_few_rows_are_counted_and_many_estimated_without_going_through_them(
    ada: Api, bob: Api, olga: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    everybody = Player.objects.count()
    monkeypatch.setattr(dashboard, "FEW", 1)
    with queries() as seen:
        assert dashboard._rows(Player, -1) == (1, "at least")
    assert [sql for sql in seen if "LIMIT 2)" in sql] == seen

    with connection.cursor() as cursor:
        cursor.execute("ANALYZE accounts_player")
    (tile,) = [tile for tile in olga.get("index").context["tiles"] if tile["name"] == "Players"]
    assert (tile["value"], tile["note"]) == (everybody, "estimated")
    assert everybody > 1


def test_the_first_page_stands_without_redis(olga: Operator) -> None:
    from tests.servers import redis_start, redis_stop
    from tests.support import redis_is_back

    redis_stop()
    try:
        page = olga.get("index")
    finally:
        redis_start()
        redis_is_back()

    assert page.status_code == 200
    assert page.context["troubles"][0]["name"] == "redis"
