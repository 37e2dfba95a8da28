"""How a session lives and ends: written through to Redis, kept by PostgreSQL, ended at once everywhere."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
from django.db import transaction
from django.utils import timezone

from accounts import services
from accounts.cache import SESSION
from accounts.models import Player, PlayerSession
from accounts.tasks import sessions_sweep
from bcraftd.cache import Fresh, WriteThrough, store
from bcraftd.tasks import activity_write
from inventory.tests.support import clock
from market.tests.support import row_locked
from tests import servers
from tests.support import Api, assert_problem, queries, redis_commands, resource_id, unstamped, written

ME = "/api/auth/me"
# A page that signed-in players read and that Redis holds.
INVENTORY = "/api/inventory"


def key_of(player: Api) -> str:
    return f"session:{player.session['session_id']}"


def in_redis(player: Api) -> Any:
    body = cast("bytes | None", store.client().get(key_of(player)))
    return None if body is None else unstamped(body)


def ttl_of(player: Api) -> int:
    return store.client().ttl(key_of(player))


def test_a_login_writes_the_session_through_to_redis_as_json(ada: Api) -> None:
    row = PlayerSession.objects.get()

    assert store.client().type(key_of(ada)) == b"string"
    value = in_redis(ada)
    times = [datetime.fromisoformat(value.pop(name)) for name in ("created_at", "last_seen_at")]
    assert times == [row.created_at, row.last_seen_at]
    assert value == {"session_id": row.session_id, "player_id": ada.id, "login": "ada", "role": "player"}
    assert 86400 - 60 < ttl_of(ada) <= 86400


def test_a_session_has_the_role_of_its_player_and_a_name_that_nobody_guesses(ada: Api) -> None:
    Player.objects.update(role="moderator")

    moderator = Api.signed_in("ada", ada.password)

    row = PlayerSession.objects.get(session_id=moderator.session["session_id"])
    assert (row.role, in_redis(moderator)["role"], moderator.get(ME).json()["role"]) == ("moderator",) * 3
    # 32 random bytes, as letters fit for a URL.
    assert len(row.session_id) == 43


def test_a_login_stands_where_writing_it_through_goes_wrong(ada: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(WriteThrough, "commit", lambda *_: 1 / 0)

    phone = Api.signed_in("ada", ada.password)

    assert phone.get(ME).status_code == 200


def test_a_request_with_the_session_in_redis_runs_no_sql_and_slides_its_life(ada: Api) -> None:
    ada.get(INVENTORY)
    store.client().expire(key_of(ada), 100)

    with queries() as seen, redis_commands() as commands:
        answer = ada.get(INVENTORY)

    assert answer["X-Cache"] == "HIT"
    assert seen == []
    # One for the session, one for the page.
    assert len(commands) == 2, commands
    assert 86400 - 60 < ttl_of(ada) <= 86400


def test_a_session_evicted_from_redis_is_filled_again_from_postgresql(ada: Api) -> None:
    before = in_redis(ada)
    store.client().delete(key_of(ada))
    ada.get(ME)
    store.client().delete(key_of(ada))

    with queries() as seen:
        assert ada.get(INVENTORY).status_code == 200

    # The session with its player; the inventory.
    assert len(seen) == 2, seen
    assert {**in_redis(ada), "last_seen_at": ""} == {**before, "last_seen_at": ""}
    assert 0 < ttl_of(ada) <= 86400


def test_without_key_and_row_the_session_has_expired(ada: Api) -> None:
    PlayerSession.objects.all().delete()

    assert in_redis(ada) is None
    assert_problem(ada.get(ME), 401, "session_expired")
    assert in_redis(ada) is None


def test_a_session_that_postgresql_knows_as_too_old_is_not_filled_again(ada: Api, settings: Any) -> None:
    store.client().delete(key_of(ada))
    PlayerSession.objects.update(last_seen_at=timezone.now() - timedelta(seconds=settings.CACHE_SESSION_TTL))

    assert_problem(ada.get(ME), 401, "session_expired")


def test_the_life_of_a_session_is_a_setting(sign_up: Callable[..., Api], settings: Any) -> None:
    settings.CACHE_SESSION_TTL = 120

    assert 60 < ttl_of(sign_up("ada")) <= 120


def new_password(player: Player) -> None:
    player.set_password("another long staple")


def new_role(player: Player) -> None:
    player.role = "moderator"


def closed(player: Player) -> None:
    player.is_active = False


@pytest.mark.parametrize("change", [new_password, new_role, closed])
@pytest.mark.parametrize("named", [False, True])
def test_a_change_of_password_role_or_standing_ends_every_session_at_once(
    api: Api, ada: Api, bob: Api, change: Callable[[Player], None], named: bool
) -> None:
    other = Api.signed_in("ada", ada.password)
    player = Player.objects.get(login="ada")
    change(player)

    # As the admin does, whole rows, and as a shell may, by column.
    player.save(update_fields=["password", "role", "is_active"] if named else None)

    for session in (ada, other):
        assert in_redis(session) is None
        assert_problem(session.get(ME), 401, "session_expired")
        token = session.session["refresh_token"]
        assert_problem(api.post("/api/auth/refresh", refresh_token=token), 401, "session_expired")
    assert bob.get(ME).status_code == 200


def test_a_change_that_is_rolled_back_ends_nothing(ada: Api) -> None:
    player = Player.objects.get()
    with transaction.atomic():
        player.role = "admin"
        player.save()
        transaction.set_rollback(True)

    assert ada.get(ME).json()["role"] == "player"


def test_other_changes_end_no_session_and_a_new_login_name_is_seen(ada: Api) -> None:
    player = Player.objects.get()
    player.login = "ada-lovelace"
    player.save()

    assert ada.get(ME).json()["login"] == "ada-lovelace"
    assert in_redis(ada)["login"] == "ada-lovelace"


def test_moving_coins_leaves_the_session_in_redis(ada: Api) -> None:
    ada.grant(coins=5)

    assert in_redis(ada) is not None


def test_a_write_through_that_comes_after_the_sessions_end_stores_nothing(ada: Api) -> None:
    session = PlayerSession.objects.get()
    store.client().delete(key_of(ada))
    through = WriteThrough(SESSION, {"session_id": session.session_id})
    player = Player.objects.get()
    new_password(player)
    player.save()

    through.commit(Fresh({"session_id": session.session_id, "player_id": ada.id, "login": "ada", "role": "player"}))

    assert in_redis(ada) is None
    assert_problem(ada.get(ME), 401, "session_expired")


def test_a_password_changed_while_it_was_checked_opens_no_session(ada: Api) -> None:
    from bcraftd.errors import Refusal

    checked = Player.objects.get()
    now = Player.objects.get()
    new_password(now)
    now.save()

    with pytest.raises(Refusal, match="bad_credentials"):
        services.session_open(player=checked, user_agent="", address="127.0.0.1")
    assert not PlayerSession.objects.exists()


# --- Refreshing -------------------------------------------------------------------------------------------


def test_a_session_is_over_at_the_very_end_of_its_life_and_not_before(api: Api, ada: Api, settings: Any) -> None:
    now = timezone.now()
    over = now - timedelta(seconds=settings.CACHE_SESSION_TTL)
    with clock(now):
        PlayerSession.objects.update(last_seen_at=over)
        token = ada.session["refresh_token"]
        assert_problem(api.post("/api/auth/refresh", refresh_token=token), 401, "session_expired")

        PlayerSession.objects.update(last_seen_at=over + timedelta(microseconds=1))
        assert api.post("/api/auth/refresh", refresh_token=token).status_code == 200

    assert PlayerSession.objects.get().last_seen_at == now


def test_a_refresh_does_not_wait_for_what_the_player_does_meanwhile(api: Api, ada: Api) -> None:
    with row_locked(Player, ada.id):
        answer = api.post("/api/auth/refresh", refresh_token=ada.session["refresh_token"])

    assert answer.status_code == 200


def test_a_refresh_writes_the_new_token_and_when_it_was_used_and_nothing_else(api: Api, ada: Api) -> None:
    with queries() as sql:
        api.post("/api/auth/refresh", refresh_token=ada.session["refresh_token"])

    assert written(sql, PlayerSession) == [{"refresh_id", "last_seen_at"}]


def test_who_uses_a_token_again_is_told_that_the_session_has_ended(api: Api, ada: Api) -> None:
    token = ada.session["refresh_token"]
    api.post("/api/auth/refresh", refresh_token=token)

    again = api.post("/api/auth/refresh", refresh_token=token)

    assert_problem(again, 401, "token_invalid", says="session has been ended")


# --- Last seen --------------------------------------------------------------------------------------------


def test_last_seen_is_gathered_in_redis_and_written_behind(ada: Api, bob: Api) -> None:
    long_ago = timezone.now() - timedelta(hours=3)
    PlayerSession.objects.update(last_seen_at=long_ago)
    ada.get(INVENTORY)

    assert PlayerSession.objects.get(player_id=ada.id).last_seen_at == long_ago
    assert activity_write()["activity:last_seen"] == 1

    assert timezone.now() - PlayerSession.objects.get(player_id=ada.id).last_seen_at < timedelta(minutes=1)
    assert PlayerSession.objects.get(player_id=bob.id).last_seen_at == long_ago
    assert not store.client().exists("activity:last_seen")
    assert activity_write()["activity:last_seen"] == 0


def test_last_seen_never_goes_back(ada: Api) -> None:
    ada.get(INVENTORY)
    later = datetime(2100, 1, 1, tzinfo=UTC)
    PlayerSession.objects.update(last_seen_at=later)

    activity_write()

    assert PlayerSession.objects.get().last_seen_at == later


def test_the_sweep_deletes_only_what_was_not_used_for_a_whole_life(ada: Api, bob: Api, settings: Any) -> None:
    over = timezone.now() - timedelta(seconds=settings.CACHE_SESSION_TTL + 1)
    PlayerSession.objects.filter(player_id=bob.id).update(last_seen_at=over)
    activity_write()
    PlayerSession.objects.filter(player_id=bob.id).update(last_seen_at=over)

    assert sessions_sweep() == 1

    assert [row.player_id for row in PlayerSession.objects.all()] == [ada.id]
    assert in_redis(bob) is None


def test_the_sweep_spares_a_session_whose_use_is_still_being_gathered(ada: Api, settings: Any) -> None:
    PlayerSession.objects.update(last_seen_at=timezone.now() - timedelta(seconds=settings.CACHE_SESSION_TTL + 1))
    ada.get(INVENTORY)

    assert sessions_sweep() == 0

    assert ada.get(ME).status_code == 200


# --- Redis away -------------------------------------------------------------------------------------------


def test_with_redis_stopped_players_log_in_work_and_log_out(api: Api, ada: Api) -> None:
    servers.redis_stop()
    try:
        assert ada.get(ME).status_code == 200
        phone = Api.signed_in("ada", ada.password)
        assert phone.get(ME).status_code == 200
        renewed = api.post("/api/auth/refresh", refresh_token=phone.session["refresh_token"])
        assert renewed.status_code == 200
        assert phone.post("/api/auth/logout").status_code == 200
        assert_problem(phone.get(ME), 401, "session_expired")
    finally:
        servers.redis_start()

    assert_problem(phone.get(ME), 401, "session_expired")
    assert ada.get(ME).status_code == 200


def test_a_session_ended_while_redis_was_away_stays_dead_when_it_is_back(ada: Api) -> None:
    assert in_redis(ada) is not None
    servers.redis_stop()
    try:
        ada.post("/api/auth/logout")
    finally:
        servers.redis_start()

    # Dead at once, because this process owes Redis the drop; and gone from there once it has tried again.
    deadline = time.monotonic() + 30
    while in_redis(ada) is not None:
        assert_problem(ada.get(ME), 401, "session_expired")
        assert time.monotonic() < deadline, "the drop was never replayed"
    assert_problem(ada.get(ME), 401, "session_expired")


def test_with_redis_away_last_seen_is_written_to_postgresql_now_and_then(ada: Api) -> None:
    PlayerSession.objects.update(last_seen_at=timezone.now() - timedelta(seconds=301))
    servers.redis_stop()
    try:
        with queries() as first:
            ada.get(f"/api/market/resources/{resource_id('mutterwood-log')}/summary")
            ada.get(ME)
        with queries() as second:
            ada.get(ME)
    finally:
        servers.redis_start()

    assert len([sql for sql in first if sql.startswith("UPDATE")]) == 1
    assert not [sql for sql in second if sql.startswith("UPDATE")]
    assert timezone.now() - PlayerSession.objects.get().last_seen_at < timedelta(minutes=1)


def test_with_the_cache_off_sessions_live_in_postgresql_alone(sign_up: Callable[..., Api], settings: Any) -> None:
    settings.CACHE_ENABLED = False
    ada = sign_up("ada")

    assert ada.get(ME).status_code == 200
    assert in_redis(ada) is None
    ada.post("/api/auth/logout")
    assert_problem(ada.get(ME), 401, "session_expired")
