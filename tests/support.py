"""Helpers of the tests: a client of the API that holds every answer against the schema, counters of queries and
Redis commands, and quick ways to make a world."""

import json
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from io import StringIO
from typing import Any

from django.contrib.auth.hashers import Argon2PasswordHasher
from django.db import connection
from django.db.models import Model
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import Resolver404, resolve
from jsonschema import Draft202012Validator
from redis.connection import AbstractConnection

# Stay between tests: what migrate itself wrote.
KEPT_TABLES = ("django_migrations", "django_content_type", "auth_permission")


class QuickArgon2(Argon2PasswordHasher):
    """The real algorithm at its smallest size: most tests sign up players, and none measures the hash."""

    time_cost, memory_cost, parallelism = 1, 8, 1


def clean_world() -> None:
    """Empties every table. Triggers and foreign keys are off for it: histories may not be deleted otherwise."""
    with connection.cursor() as cursor:
        tables = [name for name in connection.introspection.table_names(cursor) if name not in KEPT_TABLES]
        deletes = "".join(f'DELETE FROM "{name}";' for name in tables)
        cursor.execute(f"SET session_replication_role = replica; {deletes} SET session_replication_role = origin;")
        cursor.execute("REFRESH MATERIALIZED VIEW mv_leaderboard")


# By process and database: a copy of a process has other servers.
_seeded: dict[tuple[int, str], dict[str, str]] = {}


def catalogue_again() -> None:
    """The catalogue in tables that clean_world() has emptied: seeded the first time, afterwards the same rows in a
    tenth of the time, with the ids that they had."""
    from inventory.models import Profession, Rarity, Recipe, RecipeIngredient, Resource
    from inventory.seeding import catalogue_seed

    place = (os.getpid(), connection.settings_dict["NAME"])
    with connection.cursor() as cursor:
        if rows := _seeded.get(place):
            cursor.execute("SET session_replication_role = replica")
            for table, text in rows.items():
                cursor.copy_expert(f'COPY "{table}" FROM STDIN', StringIO(text))
            cursor.execute("SET session_replication_role = origin")
            return
        catalogue_seed()
        rows = _seeded[place] = {}
        for model in (Rarity, Profession, Resource, Recipe, RecipeIngredient):
            cursor.copy_expert(f'COPY "{model._meta.db_table}" TO STDOUT', written := StringIO())
            rows[model._meta.db_table] = written.getvalue()


@cache
def schema() -> dict[str, Any]:
    """The OpenAPI document, closed: an object may have no property that it does not name."""
    from drf_spectacular.generators import SchemaGenerator

    document: dict[str, Any] = json.loads(json.dumps(SchemaGenerator().get_schema(request=None, public=True)))
    for component in document["components"]["schemas"].values():
        if component.get("type") == "object":
            component["additionalProperties"] = False
    return document


def check_against_schema(response: Any, method: str) -> None:
    """Fails where an answer's status, type or body is not what the schema promises."""
    try:
        match = resolve(response.wsgi_request.path_info)
    except Resolver404:
        return
    if not match.route.startswith("api/") or match.route in ("api/schema", "api/docs"):
        return
    template = "/" + re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", match.route)
    operation = schema()["paths"][template].get(method.lower())
    if operation is None:
        assert response.status_code in (405, 401), (method, template, response.status_code)
        return
    promised = operation["responses"].get(str(response.status_code))
    assert promised is not None, f"{method} {template} does not promise {response.status_code}: {response.content!r}"
    if not response.content:
        return
    kind = response["Content-Type"].split(";")[0]
    assert kind in promised["content"], f"{method} {template} {response.status_code} promises no {kind}"
    Draft202012Validator({**promised["content"][kind]["schema"], "components": schema()["components"]}).validate(
        json.loads(response.content)
    )


class Api:
    """A game client. Each call returns Django's response; `.json()` is the body."""

    def __init__(self, token: str | None = None, **facts: Any) -> None:
        self.client = Client(raise_request_exception=False)
        self.token = token
        self.id: int = facts.get("id", 0)
        self.login: str = facts.get("login", "")
        self.password: str = facts.get("password", "")
        self.session: dict[str, Any] = facts.get("session", {})

    @classmethod
    def signed_up(cls, login: str, password: str) -> "Api":
        registered = cls().post("/api/auth/register", login=login, email=f"{login}@example.org", password=password)
        assert registered.status_code == 201, registered.content
        return cls.signed_in(login, password, id=registered.json()["id"])

    @classmethod
    def signed_in(cls, login: str, password: str, **facts: Any) -> "Api":
        answer = cls().post("/api/auth/login", login=login, password=password)
        assert answer.status_code == 200, answer.content
        session = answer.json()
        return cls(session["access_token"], login=login, password=password, session=session, **facts)

    def call(self, method: str, path: str, body: Any = None, *, raw: bytes | None = None, **headers: str) -> Any:
        """Any call. `raw` sends bytes as they are; headers are given as X_Cache for X-Cache."""
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.token is not None:
            given.setdefault("Authorization", f"Bearer {self.token}")
        data = raw if raw is not None else (json.dumps(body).encode() if body is not None else b"")
        response = self.client.generic(method, path, data, content_type="application/json", headers=given)
        check_against_schema(response, method)
        return response

    def get(self, path: str, **headers: str) -> Any:
        return self.call("GET", path, None, raw=None, **headers)

    def post(self, path: str, **body: Any) -> Any:
        return self.call("POST", path, body)

    def delete(self, path: str) -> Any:
        return self.call("DELETE", path)

    # What tests do all the time.

    def coins(self) -> int:
        return int(self.get("/api/auth/me").json()["coins"])

    def holds(self, slug: str) -> int:
        rows = self.get("/api/inventory").json()["inventory"]
        return next((row["quantity"] for row in rows if row["slug"] == slug), 0)

    def grant(self, *, coins: int = 0, **items: int) -> None:
        """Gives through the service, as `manage.py grant` does; `mutterwood_log=5` is the slug mutterwood-log."""
        from inventory.services import player_grant

        player_grant(login=self.login, coins=coins, items={name.replace("_", "-"): n for name, n in items.items()})

    def sells(self, slug: str, quantity: int, unit_price: int) -> dict[str, Any]:
        """Lists items; returns the listing."""
        answer = self.post(
            "/api/market/listings", resource_id=resource_id(slug), quantity=quantity, unit_price=unit_price
        )
        assert answer.status_code == 201, answer.content
        return dict(answer.json())


def resource_id(slug: str) -> int:
    from inventory.models import Resource

    return Resource.objects.values_list("pk", flat=True).get(slug=slug)


def recipe_id(slug: str) -> int:
    from inventory.models import Recipe

    return Recipe.objects.values_list("pk", flat=True).get(slug=slug)


def profession_id(slug: str) -> int:
    from inventory.models import Profession

    return Profession.objects.values_list("pk", flat=True).get(slug=slug)


# It begins with a capital or a number, is not shouted, and ends with a full stop.
SENTENCE = re.compile(r"(?s)[A-Z0-9].*[a-z].*\.")


def assert_problem(
    response: Any, status: int, code: str, field: str | None = None, *, says: object = ""
) -> dict[str, Any]:
    """The answer is RFC 9457's with this status and code, and tells it in a sentence in which `says` occurs; `field`
    is among the named ones."""
    assert response.status_code == status, response.content
    assert response["Content-Type"] == "application/problem+json"
    body: dict[str, Any] = response.json()
    assert body["code"] == code, body
    assert body["status"] == status
    assert body["request_id"] == response["X-Request-ID"]
    assert str(says) in body["detail"], body
    # What is wrong with a field is told after the field's name.
    assert body.get("errors") or SENTENCE.fullmatch(body["detail"]), body
    if field is not None:
        assert field in [row["field"] for row in body.get("errors", [])], body
    return body


@contextmanager
def queries() -> Iterator[list[str]]:
    """The SQL that runs inside, without what opens connections and transactions."""
    seen: list[str] = []
    with CaptureQueriesContext(connection) as captured:
        yield seen
    noise = ("BEGIN", "COMMIT", "SAVEPOINT", "RELEASE", "ROLLBACK", "SET ")
    seen += [row["sql"] for row in captured.captured_queries if not row["sql"].startswith(noise)]


def locks(sql: Iterable[str]) -> list[str]:
    """The statements that lock rows, in their order."""
    return [statement for statement in sql if re.search(r"FOR (NO KEY )?UPDATE", statement)]


def written(sql: Iterable[str], model: type[Model]) -> list[set[str]]:
    """The columns that each UPDATE of a model's table sets."""
    updates = (re.match(f'UPDATE "{model._meta.db_table}" SET (.*) WHERE ', statement) for statement in sql)
    return [set(re.findall(r'"(\w+)" = ', update[1])) for update in updates if update]


# What redis-py and our greeting send on each new connection.
_GREETINGS = frozenset({"HELLO", "AUTH", "CLIENT", "SELECT", "INFO"})


@contextmanager
def redis_commands() -> Iterator[list[tuple[Any, ...]]]:
    """The commands that this thread sends to Redis inside, in order, as redis-py packs them."""
    import threading

    seen: list[tuple[Any, ...]] = []
    here = threading.get_ident()
    original = AbstractConnection.send_command

    def recording(self: Any, *args: Any, **options: Any) -> Any:
        if threading.get_ident() == here and args[0] not in _GREETINGS:
            seen.append(args)
        return original(self, *args, **options)

    AbstractConnection.send_command = recording  # type: ignore[method-assign]
    try:
        yield seen
    finally:
        AbstractConnection.send_command = original  # type: ignore[method-assign]


@contextmanager
def setting(**values: Any) -> Iterator[None]:
    """Other settings for the duration."""
    from django.test import override_settings

    with override_settings(**values):
        yield


def redis_is_back() -> None:
    """Waits until this process uses Redis again: it probes once a second, and replays the outbox first."""
    from bcraftd.cache import store
    from tests.processes import wait_until

    wait_until(store.recovered, "Redis is used again")


def unstamped(stored: bytes) -> dict[str, Any]:
    """A cached value's object without the stamp that it stands with in Redis."""
    found: dict[str, Any] = json.loads(stored)
    assert list(found)[-1] == "cached"
    del found["cached"]
    return found
