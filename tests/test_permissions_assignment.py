"""No call takes a column that it does not name: whatever is sent beside a call's own fields is refused and not written.

The columns are those of every model with rows of players, found by itself, and what Django and clients call them.
"""

from collections.abc import Callable
from typing import Any

import pytest
from django.db.models import Field, Model

from accounts.models import Player
from leaderboard.models import LeaderboardRow
from tests.permissions import PASSWORD, WOOD, Populated, fingerprint, owned, populate, trader
from tests.support import Api, assert_problem, recipe_id, resource_id, schema

# What is no column here and would decide something if anybody read it.
BESIDE = {"is_staff", "is_superuser", "permissions", "sid", "jti", "as_operator", "source", "principal", "__proto__"}

# A good body for each call that takes one, so that nothing but the field beside it can be refused.
BODIES: dict[str, Callable[[Populated], dict[str, Any]]] = {
    "/api/auth/register": lambda ada: {"login": "eve", "email": "eve@example.org", "password": PASSWORD},
    "/api/auth/login": lambda ada: {"login": "ada-the-first", "password": PASSWORD},
    "/api/auth/refresh": lambda ada: {"refresh_token": ada.names["refresh_token"]},
    "/api/auth/logout": lambda ada: {},
    "/api/auth/password": lambda ada: {"old_password": PASSWORD, "new_password": "another good one"},
    "/api/professions/{profession_id}/join": lambda ada: {},
    "/api/gather": lambda ada: {"resource_id": resource_id(WOOD)},
    "/api/craft": lambda ada: {"recipe_id": recipe_id("saw-mutterwood-planks"), "quantity": 1},
    "/api/market/listings": lambda ada: {"resource_id": resource_id(WOOD), "quantity": 3, "unit_price": 4},
    "/api/market/listings/{listing_id}/buy": lambda ada: {"quantity": 1},
    "/api/market/listings/{listing_id}/cancel": lambda ada: {},
}


def posts() -> dict[str, set[str]]:
    """The path of every call that parses a body, and the fields that the schema names for it."""
    components, found = schema()["components"]["schemas"], {}
    for path, methods in schema()["paths"].items():
        if operation := methods.get("post"):
            content = operation.get("requestBody", {}).get("content", {})
            name = content["application/json"]["schema"]["$ref"].rsplit("/", 1)[1] if content else ""
            found[path] = set(components[name]["properties"]) if name else set()
    return found


def columns() -> dict[str, Any]:
    """The names of all columns, as fields and as in the database, and a value that would do harm."""
    found: dict[str, Any] = dict.fromkeys(BESIDE, True)
    models: list[type[Model]] = [*owned(), LeaderboardRow]
    for model in models:
        for column in model._meta.get_fields():
            found[column.name] = found[getattr(column, "attname", column.name)] = _harm(column)
    return found


def _harm(column: Any) -> Any:
    if not isinstance(column, Field):
        return [1]
    kind = column.get_internal_type()
    if column.name == "role":
        return "admin"
    if column.name == "status":
        return "sold"
    return True if kind == "BooleanField" else "x" if kind in ("CharField", "EmailField", "DateTimeField") else 1


@pytest.fixture
def dora(world: None) -> Api:
    return trader()


@pytest.fixture
def ada(dora: Api) -> Populated:
    return populate("ada-the-first", 3, dora)


def test_every_call_with_a_body_is_here_and_the_schema_has_no_other(world: None) -> None:
    assert set(BODIES) == set(posts())


def test_the_columns_are_those_that_would_matter() -> None:
    assert {
        "id", "role", "coins", "level", "experience", "is_active", "is_superuser", "is_staff", "password", "groups",
        "player_id", "seller_id", "seller", "buyer_id", "remaining", "status", "expires_at", "views", "refresh_id",
        "session_id", "amount", "system_account", "fee", "total_price", "fingerprint", "joined_at", "rank",
    } <= set(columns())  # fmt: skip


@pytest.mark.parametrize("path", BODIES)
def test_no_column_can_be_written_beside_the_fields_of_a_call(ada: Populated, path: str) -> None:
    beside = {name: value for name, value in columns().items() if name not in posts()[path]}
    by, good = ada.signed_in(), BODIES[path](ada)
    place = path.format(profession_id=_another_profession(), listing_id=ada.names["listing_id"])
    before = fingerprint()

    for name, value in beside.items():
        body = assert_problem(by.call("POST", place, {**good, name: value}), 400, "invalid", name)
        assert [(row["field"], row["code"]) for row in body["errors"]] == [(name, "unknown")]
    together = assert_problem(by.call("POST", place, {**good, **beside}), 400, "invalid")

    assert {(row["field"], row["code"]) for row in together["errors"]} == {(name, "unknown") for name in beside}
    assert fingerprint() == before


def _another_profession() -> int:
    from inventory.models import Profession

    return Profession.objects.get(slug="furnacer").pk


@pytest.mark.parametrize("path", BODIES)
def test_the_same_body_without_them_is_taken(ada: Populated, dora: Api, path: str) -> None:
    """Or the test above would have been refused something else."""
    place = path.format(profession_id=_another_profession(), listing_id=ada.names["listing_id"])
    by = dora if path.endswith("/buy") else ada.signed_in()

    assert by.call("POST", place, BODIES[path](ada)).status_code < 300


@pytest.mark.parametrize(
    "written", ["Role", "ROLE", " role", "role ", "role\0", "r\xf4le", "player.role", "player[role]"]
)
def test_another_spelling_of_a_column_is_as_unknown(ada: Populated, written: str) -> None:
    body = BODIES["/api/auth/register"](ada)

    assert_problem(Api().call("POST", "/api/auth/register", {**body, written: "admin"}), 400, "invalid", written)
    assert not Player.objects.filter(login="eve").exists()


def test_a_new_account_is_a_player_with_the_starting_coins_and_nothing_else(world: None) -> None:
    Api.signed_up("eve", PASSWORD)

    eve = Player.objects.get(login="eve")
    assert (eve.role, eve.coins, eve.level, eve.experience, eve.is_active) == ("player", 1000, 1, 0, True)
    assert not eve.groups.exists()
    assert not eve.is_staff
