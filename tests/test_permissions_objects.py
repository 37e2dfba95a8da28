"""Whose things a call reads and moves: every operation of the schema, done with another player's token and ids.

An operation needs a row in tests/permissions_rows.py.
"""

from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

import pytest
from django.urls import URLPattern, URLResolver, get_resolver

from accounts.models import Player, PlayerSession, Role
from leaderboard.services import leaderboard_refresh
from tests.permissions import PASSWORD, WOOD, Populated, fingerprint, ids_apart, owned, populate, rows_of, told, trader
from tests.permissions_rows import OWN_OBJECT, OWN_ROWS, PUBLIC, ROWS, Scene, chosen
from tests.support import Api, assert_problem, recipe_id, resource_id, schema

# What the schema's own two paths answer names nobody.
NO_OPERATIONS = {"api/schema", "api/docs"}
# Every name by which a list could be asked for somebody else's rows.
FILTERS = (
    "player",
    "player_id",
    "user",
    "user_id",
    "id",
    "login",
    "owner",
    "seller_id",
    "buyer_id",
    "session_id",
    "role",
)


def operations() -> dict[tuple[str, str], Any]:
    return {
        (method.upper(), path): operation
        for path, methods in schema()["paths"].items()
        for method, operation in methods.items()
    }


@pytest.fixture
def scene(world: None) -> Scene:
    ids_apart()
    dora = trader()
    ada, bob = populate("ada-the-first", 3, dora), populate("bob-the-other", 7, dora)
    leaderboard_refresh(wait=True)
    wood, recipe = resource_id(WOOD), recipe_id("saw-mutterwood-planks")
    for player in (ada, bob):
        player.names.update(resource_id=wood, recipe_id=recipe, profession_id=_joined(player))
    return Scene(ada, bob)


def _joined(player: Populated) -> int:
    return int(player.api.get("/api/auth/me").json()["professions"][0]["id"])


def as_role(player: Populated, role: str) -> None:
    """The player has this role from now on."""
    Player.objects.filter(pk=player.id).update(role=role)


# --- The rows ---------------------------------------------------------------------------------------------


def test_every_operation_of_the_schema_has_its_row_and_no_other(world: None) -> None:
    assert set(ROWS) == set(operations())


def test_what_needs_a_token_is_what_is_not_public(world: None) -> None:
    needs = {key for key, operation in operations().items() if {"accessToken": []} in operation.get("security", [])}

    assert needs == set(chosen(OWN_ROWS, OWN_OBJECT))


def paths(resolver: URLResolver, before: str = "") -> Iterator[tuple[str, Any]]:
    for pattern in resolver.url_patterns:
        route = before + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from paths(pattern, route)
        elif isinstance(pattern, URLPattern):
            yield route, pattern.callback


def test_no_call_is_missing_in_the_schema(world: None) -> None:
    """Or it would be missing here."""
    served = {(route, view) for route, view in paths(get_resolver()) if route.startswith("api/")} - {
        (route, view) for route, view in paths(get_resolver()) if route in NO_OPERATIONS
    }
    methods = [
        method
        for _, view in served
        for method in ("get", "post", "put", "patch", "delete")
        if hasattr(view.cls, method)
    ]
    assert len(methods) == len(ROWS)


def test_both_players_have_rows_of_every_kind(scene: Scene) -> None:
    """Or the tests below would look for what is not there."""
    operators = {"admin.LogEntry", "accounts.Player_groups", "accounts.Player_user_permissions"}

    assert (
        {model._meta.label for model in owned()} - operators
        == {label for label, rows in rows_of(scene.bob.id).items() if rows}
        == {label for label, rows in rows_of(scene.ada.id).items() if rows}
    )


# --- Without a session ------------------------------------------------------------------------------------


def logged_out(player: Populated) -> Api:
    session = player.signed_in()
    assert session.post("/api/auth/logout").status_code == 200
    return session


def closed(player: Populated) -> Api:
    session = player.signed_in()
    Player.objects.filter(pk=player.id).update(is_active=False)
    return session


def deleted(player: Populated) -> Api:
    session = player.signed_in()
    PlayerSession.objects.filter(player_id=player.id).delete()
    return session


NOBODIES: list[tuple[Callable[[Populated], Api], str]] = [
    (lambda player: Api(session={"refresh_token": "none"}), "not_authenticated"),
    (lambda player: Api("no.real.token"), "token_invalid"),
    (lambda player: Api(player.names["refresh_token"]), "token_invalid"),
    (logged_out, "session_expired"),
    (deleted, "session_expired"),
    (closed, "session_expired"),
]
NAMES = ["no token", "a made-up token", "a refresh token", "logged out", "session deleted", "account closed"]


@pytest.mark.parametrize(("nobody", "code"), NOBODIES, ids=NAMES)
def test_who_is_not_signed_in_reaches_what_is_public_and_not_even_his_own_things(
    scene: Scene, nobody: Callable[[Populated], Api], code: str
) -> None:
    by = nobody(scene.ada)
    before = fingerprint()

    for operation in chosen(OWN_ROWS, OWN_OBJECT):
        for of in (scene.ada, scene.bob):
            answer = scene.call(operation, by, of)
            assert_problem(answer, 401, code)
            assert not scene.told_of_bob(answer, frozenset()), operation
    assert fingerprint() == before
    for operation in chosen(PUBLIC):
        if ROWS[operation].reads:
            assert scene.call(operation, by, scene.bob).status_code == 200, operation


# --- With another player's token and ids ------------------------------------------------------------------


@pytest.mark.parametrize("role", Role.values)
def test_a_call_for_own_rows_tells_and_moves_nothing_of_another(scene: Scene, role: str) -> None:
    """Whatever the role: an operator who plays is a player."""
    as_role(scene.ada, role)
    for operation in chosen(OWN_ROWS):
        row, by = ROWS[operation], scene.ada.signed_in()
        before = rows_of(scene.bob.id)

        answer = scene.call(operation, by, scene.bob)

        assert answer.status_code < 300 or answer.status_code == 409, (operation, answer.content)
        assert not scene.told_of_bob(answer, row.shows), operation
        after = rows_of(scene.bob.id)
        assert {label for label in after if after[label] != before[label]} == row.touches, operation


def test_the_same_calls_tell_their_caller_what_is_his(scene: Scene) -> None:
    """Or the test above would have looked for what nobody is told."""
    for operation in chosen(OWN_ROWS):
        if ROWS[operation].reads and operation[1] != "/api/recipes/known":
            assert scene.told_of_bob(scene.call(operation, scene.bob.api, scene.bob), frozenset()), operation


@pytest.mark.parametrize("role", Role.values)
def test_a_call_for_one_object_refuses_another_s_and_leaves_it(scene: Scene, role: str) -> None:
    as_role(scene.ada, role)
    for operation in chosen(OWN_OBJECT):
        before = fingerprint(without=("accounts_playersession",))
        by = scene.ada.signed_in()
        sessions = rows_of(scene.bob.id)["accounts.PlayerSession"]

        answer = scene.call(operation, by, scene.bob)

        assert_problem(answer, *ROWS[operation].refusal)
        assert not scene.told_of_bob(answer, frozenset()), operation
        assert fingerprint(without=("accounts_playersession",)) == before, operation
        assert rows_of(scene.bob.id)["accounts.PlayerSession"] == sessions


def test_the_same_calls_take_their_caller_s_own_object(scene: Scene) -> None:
    for operation in chosen(OWN_OBJECT):
        assert scene.call(operation, scene.bob.api, scene.bob).status_code < 300, operation


def test_nobody_is_told_what_exists_of_another(scene: Scene) -> None:
    """Another's session answers as one that never was."""
    path = "/api/auth/sessions/{}"
    theirs = scene.ada.api.delete(path.format(scene.bob.names["session_id"])).json()
    none = scene.ada.api.delete(path.format("A" * len(scene.bob.names["session_id"]))).json()

    assert {**theirs, "request_id": ""} == {**none, "request_id": ""}


def test_no_list_of_own_rows_can_be_asked_for_another_s(scene: Scene) -> None:
    lists = [path for method, path in chosen(OWN_ROWS) if ROWS[method, path].reads]
    for path, name in product(lists, FILTERS):
        for value in (scene.bob.id, scene.bob.api.login):
            assert_problem(scene.ada.api.get(f"{path}?{name}={value}"), 400, "invalid", name)


@pytest.mark.parametrize(
    ("path", "rows"),
    [
        ("/api/wallet/entries", "entries"),
        ("/api/inventory/movements", "movements"),
        ("/api/market/listings/mine", "listings"),
        ("/api/market/trades", "trades"),
    ],
)
def test_another_players_cursor_leads_into_own_rows_only(scene: Scene, path: str, rows: str) -> None:
    cursor = scene.bob.api.get(f"{path}?limit=1").json()["next"]
    assert cursor is not None

    answer = scene.ada.api.get(f"{path}?limit=100&cursor={cursor}")

    assert not scene.told_of_bob(answer, frozenset())
    own = {row["id"] for row in scene.ada.api.get(f"{path}?limit=100").json()[rows]}
    assert {row["id"] for row in answer.json()[rows]} <= own


def test_another_players_idempotency_key_repeats_nothing_of_his(scene: Scene) -> None:
    path, offer, key = "/api/market/listings", scene.bob.names["offer"], scene.bob.names["key"]
    repeated = scene.bob.api.call("POST", path, offer, Idempotency_Key=key)
    assert repeated["Idempotent-Replayed"] == "true"

    answer = scene.ada.api.call("POST", path, offer, Idempotency_Key=key)

    assert (answer.status_code, answer.json()["seller_id"]) == (201, scene.ada.id)
    assert "Idempotent-Replayed" not in answer


# --- What is public ---------------------------------------------------------------------------------------


def everybody(scene: Scene) -> Iterator[tuple[str, Api]]:
    yield "nobody", Api(session=scene.ada.signed_in().session)
    yield "bob", scene.bob.api
    for role in Role.values:
        as_role(scene.ada, role)
        yield role, scene.ada.signed_in()


def test_what_is_public_shows_nothing_private_and_the_same_to_everybody(scene: Scene) -> None:
    answers: dict[tuple[str, str], Any] = {}
    for who, by in everybody(scene):
        for operation in chosen(PUBLIC):
            row = ROWS[operation]
            if row.reads:
                answer = scene.call(operation, by, scene.bob)
                assert not scene.told_of_bob(answer, row.shows), (operation, who)
                said = {**answer.json(), "source": "", "timestamp": ""}
                assert answers.setdefault(operation, said) == said, (operation, who)


def test_who_comes_in_is_told_of_nobody_else(scene: Scene) -> None:
    by = scene.ada.signed_in()
    for operation in chosen(PUBLIC):
        if not ROWS[operation].reads:
            before = rows_of(scene.bob.id)
            answer = scene.call(operation, by, scene.bob)
            assert answer.status_code < 300, answer.content
            assert not scene.told_of_bob(answer, frozenset()), operation
            assert rows_of(scene.bob.id) == before, operation


def test_who_registers_under_another_s_name_is_told_that_it_is_taken_and_no_more(scene: Scene) -> None:
    taken = {"login": scene.bob.api.login, "email": "x@example.org", "password": PASSWORD}
    before = rows_of(scene.bob.id)

    for body, code in ((taken, "login_taken"), ({**taken, "login": "x-x", "email": _email(scene.bob)}, "email_taken")):
        answer = Api().post("/api/auth/register", **body)
        assert_problem(answer, 409, code)
        assert not scene.told_of_bob(answer, frozenset())
    assert rows_of(scene.bob.id) == before


def _email(player: Populated) -> str:
    return Player.objects.get(pk=player.id).email


def test_a_closed_account_has_no_public_page_and_leaves_the_board(scene: Scene) -> None:
    Player.objects.filter(pk=scene.bob.id).update(is_active=False)
    leaderboard_refresh(wait=True)

    assert_problem(Api().get(f"/api/players/{scene.bob.id}"), 404, "not_found")
    assert not told(Api().get("/api/leaderboard").content, {scene.bob.id, scene.bob.api.login})
