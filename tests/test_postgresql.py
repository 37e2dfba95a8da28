"""The connection to PostgreSQL: looked at before each request without asking, and opened again where it is over."""

from typing import Any

import psycopg2
import pytest
from django.db import close_old_connections, connection
from django.db.backends.postgresql import base

from tests import servers
from tests.processes import wait_until
from tests.support import Api

pytestmark = pytest.mark.usefixtures("world")


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """What PostgreSQL answered whenever it was asked for a sign of life."""
    seen: list[bool] = []
    original = base.DatabaseWrapper.is_usable

    def is_usable(self: Any) -> bool:
        seen.append(original(self))
        return seen[-1]

    monkeypatch.setattr(base.DatabaseWrapper, "is_usable", is_usable)
    return seen


def test_a_connection_that_is_well_is_not_asked(asked: list[bool]) -> None:
    connection.ensure_connection()
    assert connection.is_usable()
    assert asked == []


def test_one_that_postgresql_has_ended_is_found_out(asked: list[bool]) -> None:
    connection.ensure_connection()
    ours = connection.connection.info.backend_pid
    settings = connection.settings_dict
    where = {"host": settings["HOST"], "port": settings["PORT"], "user": settings["USER"], "dbname": settings["NAME"]}
    other = psycopg2.connect(**where, password=settings["PASSWORD"])
    with other, other.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s)", [ours])
    other.close()

    wait_until(lambda: not connection.is_usable(), "the end is noticed")

    assert asked == [False]


def test_one_that_we_closed_is_not_usable() -> None:
    connection.ensure_connection()
    connection.connection.close()
    assert not connection.is_usable()


def test_a_restart_costs_no_request_an_answer(api: Api) -> None:
    assert api.get("/api/market/listings/1").status_code == 404
    servers.postgres_restart()
    # What Django does before a request, and its test client does not.
    close_old_connections()
    assert api.get("/api/market/listings/1").status_code == 404
