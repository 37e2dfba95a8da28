"""manage.py cache_audit: its exit status, its table, and what it says where a server is away."""

import json
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from bcraftd.cache import families
from tests import programs
from tests.cache_audits import audited, raw
from tests.servers import postgres_restart, redis_start, redis_stop
from tests.support import Api, redis_is_back


def test_its_exit_status_tells_what_is_left(busy: Api) -> None:
    assert programs.manage("cache_audit").returncode == 0
    raw("UPDATE inventory_inventoryitem SET quantity = 77")

    found = programs.manage("cache_audit", "--json")
    repaired = programs.manage("cache_audit", "--repair")
    clean = programs.manage("cache_audit")

    assert found.returncode == 1
    assert {row["family"] for row in json.loads(found.stdout)["differences"]} == {"inventory"}
    assert "Values that differ: 1." in found.stderr
    assert repaired.returncode == 0, repaired.stderr
    assert "1 differ, 1 keys dropped" in repaired.stdout
    assert clean.returncode == 0
    assert clean.stdout.strip().endswith("values checked, no difference")


class Terminal(StringIO):
    """Somebody looks on."""

    def isatty(self) -> bool:
        return True


def test_for_people_it_is_a_table_under_a_bar(busy: Api) -> None:
    raw("UPDATE inventory_inventoryitem SET quantity = 77")
    screen = Terminal()

    with pytest.raises(CommandError, match="Values that differ: 1"):
        call_command("cache_audit", stdout=screen)

    assert f"inventory:user:{busy.id}" in screen.getvalue()
    assert "keys" in screen.getvalue()
    with pytest.raises(CommandError):
        call_command("cache_audit", stdout=(file := StringIO()))
    assert "inventory[0].quantity: 3 in Redis, 77 in PostgreSQL" in file.getvalue()


def test_an_unknown_family_is_refused_and_so_is_what_is_no_cache(world: None) -> None:
    for name in ("coins", families.RATE_LIMITS, families.ACTIVITY):
        with pytest.raises(CommandError, match=f"invalid choice: '{name}'"):
            call_command("cache_audit", "--family", name)


def test_without_redis_it_says_so(world: None) -> None:
    redis_stop()
    try:
        ended = programs.manage("cache_audit", "--json")
        with pytest.raises(CommandError, match="Redis does not answer"):
            call_command("cache_audit")
    finally:
        redis_start()
    assert (ended.returncode, ended.stdout) == (1, "")
    assert "Redis does not answer" in ended.stderr
    redis_is_back()


def test_without_postgresql_it_says_so(busy: Api) -> None:
    nowhere = f"{programs.environment()['DATABASE_URL']}_that_is_not_there"
    ended = programs.manage("cache_audit", DATABASE_URL=nowhere)
    assert ended.returncode == 1
    assert "PostgreSQL does not answer" in ended.stderr


def test_an_audit_outlives_a_restart_of_postgresql(busy: Api) -> None:
    postgres_restart()
    assert audited()[0]["differences"] == []
