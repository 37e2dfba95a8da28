"""The API behind Debian's pgbouncer in transaction mode: two connections for all, and none of them anybody's own."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg2
import pytest

from tests.drill.players import playing
from tests.drill.pooler import Pooler
from tests.drill.stage import Stage

# What a transaction of ours sees of itself. The counter shows that the statements before it told the trigger nothing.
TRANSACTION = """
from django.db import connection, transaction
from bcraftd.models import OutboxRow
from inventory.models import Resource
import json
def words():
    with connection.cursor() as cursor:
        names = ["statement_timeout", "lock_timeout", "transaction_timeout", "bcraftd.writer"]
        cursor.execute("SELECT " + ", ".join(f"current_setting('{name}', true)" for name in names))
        return cursor.fetchone()
outside = words()
with transaction.atomic():
    inside = words()
Resource.objects.order_by("pk").first().save()
Resource.objects.filter(pk=Resource.objects.order_by("pk").first().pk).update(base_value=7)
rows = [row.pk for row in Resource.objects.order_by("pk").iterator(chunk_size=2)]
print(json.dumps([outside, inside, OutboxRow.objects.exclude(table_name="").count(), len(rows)]))
"""


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Stage, Pooler]]:
    folder: Path = tmp_path_factory.mktemp("pooled")
    # Another account than root's runs the pooler.
    for each in (folder, folder.parent):
        each.chmod(0o755)
    stage = Stage(folder)
    try:
        stage.start_servers()
        pooler = Pooler(folder / "pooler", stage.postgres.url)
        pooler.start()
        stage.database_url = pooler.url
        stage.serve(DATABASE_POOLED="true")
        yield stage, pooler
        pooler.stop()
    finally:
        stage.stop()


def test_players_trade_through_two_connections(stage: tuple[Stage, Pooler]) -> None:
    with playing(stage[0].instances, number=6) as record:
        time.sleep(6)
    assert (record.failed, record.stale, record.lost) == ([], [], [])
    assert record.requests > 200
    audit = stage[0].manage("economy_audit", DATABASE_POOLED="true")
    assert audit.returncode == 0, audit.stdout
    with psycopg2.connect(stage[0].postgres.url) as connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        assert cursor.fetchone() == (stage[1].size,), "all of them through the pooler"
        cursor.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'")
        assert cursor.fetchone() == (0,), "no lock outlives its transaction"


def test_each_transaction_says_what_a_connection_cannot(stage: tuple[Stage, Pooler]) -> None:
    done = stage[0].manage("shell", "--verbosity", "0", "-c", TRANSACTION, DATABASE_POOLED="true")
    assert done.returncode == 0, done.stderr
    outside, inside, told, rows = json.loads(done.stdout)
    assert inside == ["7s", "5s", "8s", "project"]
    # Nothing is left on a connection that others get.
    assert outside[0] == "0"
    assert not outside[3]
    assert told == 0, "the triggers take our own writes for our own"
    assert rows > 2
