"""What is cached of one player never reaches another: not by a hit, not by a tag, not by a token, not under load."""

import http.client
import json
import random
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast
from urllib.parse import urlsplit

import pytest
from django.db import connection

from accounts.models import Player
from bcraftd.cache import families, invalidation, store
from leaderboard.services import leaderboard_refresh
from tests.live import server
from tests.support import Api, assert_problem, profession_id, redis_commands, schema

# Professions whose first recipe everybody may make who joined.
TRADES = ["sawyer", "furnacer", "fellmonger", "stillkeeper", "toolwright", "clangsmith", "galleykeep", "tincturer"]
# What is public although it has a place in its key: a resource's offers are everybody's to see.
PUBLIC_PLACES = {"resource_id"}


def own() -> dict[str, Any]:
    """Every read that needs a token, by its path."""
    gets = {path: methods["get"] for path, methods in schema()["paths"].items() if "get" in methods}
    return {path: read for path, read in gets.items() if {"accessToken": []} in read.get("security", [])}


def private() -> list[str]:
    """Those of them that are cached."""
    return [path for path, read in own().items() if "304" in read["responses"]]


@pytest.fixture
def two(ada: Api, bob: Api) -> tuple[Api, Api]:
    """Two players who hold and know different things."""
    for player, trade, amount in ((ada, "sawyer", 5), (bob, "furnacer", 9)):
        assert player.post(f"/api/professions/{profession_id(trade)}/join").status_code == 201
        player.grant(coins=amount, mutterwood_log=amount)
    leaderboard_refresh(wait=True)
    return ada, bob


def data(answer: Any) -> Any:
    """A body without what differs between a hit and a miss."""
    assert answer.status_code == 200, answer.content
    return {**answer.json(), "source": ""}


def warm(player: Api, path: str) -> Any:
    """The answer when it comes from Redis."""
    player.get(path)
    hit = player.get(path)
    assert hit["X-Cache"] == "HIT"
    return hit


# --- Hits, tags, headers, keys ----------------------------------------------------------------------------


def test_the_private_reads_are_known(world: None) -> None:
    assert len(own()) == 9
    assert set(private()) == {"/api/inventory", "/api/recipes/known"}


def test_what_is_hot_for_one_is_read_anew_for_another(two: tuple[Api, Api]) -> None:
    ada, bob = two
    for path in private():
        of_ada = warm(ada, path)

        first, second = bob.get(path), bob.get(path)

        assert (first["X-Cache"], second["X-Cache"]) == ("MISS", "HIT")
        assert data(first) == data(second) != data(of_ada)
        assert data(ada.get(path)) == data(of_ada)


def test_ones_tag_gives_another_his_own_data_and_no_304(two: tuple[Api, Api]) -> None:
    ada, bob = two
    for path in private():
        tag = warm(ada, path)["ETag"]
        for reached in ("MISS", "HIT"):
            answer = bob.get(path, If_None_Match=tag)
            assert (answer.status_code, answer["X-Cache"]) == (200, reached)
            assert answer["ETag"] != tag
            assert data(answer) != data(ada.get(path))
        assert ada.get(path, If_None_Match=tag).status_code == 304


def test_no_proxy_may_give_ones_answer_to_another(two: tuple[Api, Api]) -> None:
    ada, _ = two
    for path in private():
        hit = warm(ada, path)
        head = ada.client.head(path, headers={"Authorization": f"Bearer {ada.token}"})
        answers = [hit, ada.get(path, If_None_Match=hit["ETag"]), head]
        assert [answer.status_code for answer in answers] == [200, 304, 200]
        for answer in answers:
            assert answer["Cache-Control"] == "private, no-cache"
            assert "Authorization" in answer["Vary"]


def test_what_is_a_players_own_and_not_cached_is_kept_by_nobody(two: tuple[Api, Api]) -> None:
    ada, _ = two
    for path in set(own()) - set(private()):
        assert ada.get(path)["Cache-Control"] == "no-store", path


def keys_read(player: Api, path: str) -> set[str]:
    """The keys that a hit asks Redis for, without the session's and those of generations."""
    warm(player, path)
    with redis_commands() as commands:
        player.get(path)
    words = {word for command in commands for word in command[1:] if isinstance(word, str)}
    return {word for word in words if families.owns(word) and not word.startswith("session:")}


def test_the_key_names_the_player(two: tuple[Api, Api]) -> None:
    for path in private():
        keys = [keys_read(player, path) for player in two]
        assert all(len(found) == 1 for found in keys), (path, keys)
        assert [found.pop().split(":")[-1] for found in keys] == [str(player.id) for player in two]


def test_every_entry_is_one_players_or_one_sessions_or_everybodys(two: tuple[Api, Api]) -> None:
    """And those that are everybody's tell the same, whoever has filled them (tests/test_permissions_objects.py)."""
    places = {entry.key: set(entry.parameters) for entry in invalidation.entries()}

    own = {key for key, names in places.items() if names in ({"player_id"}, {"session_id"})}
    assert own == {"inventory:user:{player_id}", "recipes:user:{player_id}", "session:{session_id}"}
    assert all(names <= PUBLIC_PLACES for key, names in places.items() if key not in own), places


# --- Tokens and sessions ----------------------------------------------------------------------------------


def session_key(player: Api) -> str:
    return f"session:{player.session['session_id']}"


def in_redis(key: str) -> bytes:
    found = cast("bytes | None", store.client().get(key))
    assert found is not None
    return found


def test_ones_token_with_anothers_session_is_nobodys(two: tuple[Api, Api]) -> None:
    ada, bob = two
    for path in own():
        warmed = [player.get(path) for player in two]
        assert [answer.status_code for answer in warmed] == [200, 200]
        answer = ada.get(path, X_Session_ID=bob.session["session_id"])
        assert_problem(answer, 401, "token_invalid")


def test_a_session_under_anothers_key_lets_nobody_in(two: tuple[Api, Api]) -> None:
    """Whatever a bug or a hand may have put there: the token says whose it is."""
    ada, bob = two
    for path in own():
        ada.get(path), bob.get(path)
    values = [in_redis(session_key(player)) for player in (bob, ada)]
    for player, value in zip(two, values, strict=True):
        store.client().set(session_key(player), value)

    for path in own():
        assert_problem(ada.get(path), 401, "session_expired")
        assert_problem(bob.get(path), 401, "session_expired")
    store.client().delete(*map(session_key, two))
    assert [player.get("/api/auth/me").json()["login"] for player in two] == ["ada", "bob"]


def test_a_session_that_names_another_player_lets_nobody_in(two: tuple[Api, Api]) -> None:
    ada, bob = two
    ada.get("/api/inventory")
    forged = in_redis(session_key(ada)).replace(b'"player_id":%d' % ada.id, b'"player_id":%d' % bob.id)
    store.client().set(session_key(ada), forged)

    assert b'"player_id":%d' % bob.id in in_redis(session_key(ada))
    assert_problem(ada.get("/api/inventory"), 401, "session_expired")


def test_after_one_has_left_another_at_the_same_machine_gets_his_own(two: tuple[Api, Api]) -> None:
    ada, bob = two
    for path in private():
        warm(ada, path)
    ada.post("/api/auth/logout")
    bob.client = ada.client

    for path in private():
        assert_problem(ada.get(path), 401, "session_expired")
        assert bob.get(path)["X-Cache"] == "MISS"


def test_a_deleted_player_reads_nothing_and_leaves_nothing_to_whoever_has_his_id(
    sign_up: Callable[..., Api], settings: Any
) -> None:
    """Only a player without a history can be deleted at all."""
    settings.STARTING_COINS = 0
    gone = sign_up("gone")
    assert gone.post(f"/api/professions/{profession_id('sawyer')}/join").status_code == 201
    known = data(warm(gone, "/api/recipes/known"))
    warm(gone, "/api/inventory")

    Player.objects.get(pk=gone.id).delete()

    for path in own():
        assert_problem(gone.get(path), 401, "session_expired")
    heir = Player.objects.create_user("heir", "heir@example.org", gone.password, pk=gone.id)
    session = Api.signed_in("heir", gone.password)
    assert heir.pk == gone.id
    assert data(session.get("/api/recipes/known")) == {"source": "", "recipes": []} != known
    assert_problem(gone.get("/api/inventory"), 401, "session_expired")


# --- Many at once -----------------------------------------------------------------------------------------


@pytest.fixture
def many(sign_up: Callable[..., Api]) -> list[Api]:
    """A player for each trade, with things and coins as nobody else has them."""
    players = [sign_up(f"player-{number}") for number in range(len(TRADES))]
    for number, (player, trade) in enumerate(zip(players, TRADES, strict=True)):
        assert player.post(f"/api/professions/{profession_id(trade)}/join").status_code == 201
        player.grant(coins=1009 * (number + 1), mutterwood_log=1013 * (number + 1))
        player.sells("mutterwood-log", number + 1, 10 + number)
    leaderboard_refresh(wait=True)
    return players


def plain(body: bytes) -> Any:
    """What a body says, but for where it came from and when somebody was last seen."""
    said = {**json.loads(body), "source": ""}
    for row in said.get("sessions", []):
        row.pop("last_seen_at")
    return said


def reads(url: str, players: list[Api], expected: dict[tuple[int, str], Any], seed: int) -> Iterator[str]:
    """One connection that speaks for everybody in turn; gives how each answer came, and fails where it is another's."""
    chance = random.Random(seed)
    paths = list(own())
    link = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
    for _ in range(100):
        player, path = chance.choice(players), chance.choice(paths)
        link.request("GET", path, headers={"Authorization": f"Bearer {player.token}"})
        answer = link.getresponse()
        body = answer.read()
        assert answer.status == 200, body
        assert plain(body) == expected[player.id, path], (player.login, path)
        if chance.random() < 0.1:
            store.client().delete(*(f"{family}:user:{player.id}" for family in ("inventory", "recipes")))
        yield answer.headers.get("X-Cache", "")
    link.close()


def test_under_load_everybody_reads_his_own(many: list[Api]) -> None:
    expected = {(player.id, path): plain(player.get(path).content) for player in many for path in own()}
    assert len({json.dumps(said) for said in expected.values()}) >= len(many) * (len(own()) - 1), "but for no trades"
    connection.close()

    with server() as url, ThreadPoolExecutor(8) as pool:
        came = list(pool.map(lambda seed: list(reads(url, many, expected, seed)), range(8)))

    outcomes = {outcome for each in came for outcome in each}
    assert {"HIT", "MISS"} <= outcomes
