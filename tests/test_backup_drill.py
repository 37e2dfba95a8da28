"""The drill: a backup while everybody plays, restored into empty servers, and compared; and what is refused.

The target is a PostgreSQL and a Redis of this test's own. `manage.py restore` runs as an operator runs it.
"""

import http.client
import json
import os
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg2
import pytest
import redis

from bcraftd.embedded.postgres import PostgresServer
from bcraftd.embedded.valkey import ValkeyServer
from inventory.models import ItemMovement
from tests.live import server
from tests.programs import command, manage
from tests.support import Api, profession_id, resource_id


@dataclass
class Target:
    """Empty servers."""

    postgres: PostgresServer
    valkey: ValkeyServer

    def manage(self, *words: str) -> Any:
        return manage(*words, DATABASE_URL=self.postgres.url, REDIS_URL=self.valkey.url)

    def restore(self, folder: Path, *words: str) -> Any:
        return self.manage("restore", str(folder), "--yes", *words)

    def ask(self, statement: str) -> Any:
        url = urlsplit(self.postgres.url)
        with (
            psycopg2.connect(
                host=url.hostname, port=url.port, user=url.username, password=url.password, dbname=url.path[1:]
            ) as held,
            held.cursor() as cursor,
        ):
            cursor.execute(statement)
            rows = cursor.fetchall()
        held.close()
        return rows

    def tables(self) -> list[str]:
        return [name for (name,) in self.ask("SELECT relname FROM pg_stat_user_tables ORDER BY 1")]


@pytest.fixture(scope="module")
def servers() -> Iterator[tuple[PostgresServer, ValkeyServer]]:
    # One that other users can reach too: PostgreSQL may have to run as somebody else.
    folder = Path(tempfile.mkdtemp(prefix="bcraftd-"))
    folder.chmod(0o755)
    postgres, valkey = PostgresServer(folder / "postgres", durable=False), ValkeyServer(folder / "redis")
    postgres.start()
    valkey.start()
    yield postgres, valkey
    postgres.stop()
    valkey.stop()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def target(servers: tuple[PostgresServer, ValkeyServer]) -> Iterator[Target]:
    found = Target(*servers)
    yield found
    found.ask("DROP SCHEMA public CASCADE; CREATE SCHEMA public; SELECT 1")
    with redis.Redis.from_url(found.valkey.url) as client:
        client.flushall()


@pytest.fixture
def folder(tmp_path: Path, market: Api) -> Path:
    """A whole backup, to be spoilt."""
    directory = tmp_path / "backups"
    command("backup", str(directory), "--json")
    (found,) = [path for path in directory.iterdir() if path.is_dir()]
    return found


# --- The drill --------------------------------------------------------------------------------------------


def _link(url: str) -> http.client.HTTPConnection:
    where = urlsplit(url)
    return http.client.HTTPConnection(where.hostname or "", where.port, timeout=30)


def everybody_plays(
    url: str, players: list[Api], over: threading.Event, counts: dict[str, int]
) -> list[threading.Thread]:
    """Threads that gather, list and buy over HTTP until they are told to end."""
    log = resource_id("mutterwood-log")

    def play(player: Api) -> None:
        link = _link(url)
        headers = {"Authorization": f"Bearer {player.token}", "Content-Type": "application/json"}

        def call(method: str, path: str, **body: Any) -> tuple[int, Any]:
            link.request(method, path, json.dumps(body) if body or method == "POST" else None, headers)
            answer = link.getresponse()
            return answer.status, json.loads(answer.read() or b"null")

        while not over.is_set():
            call("POST", "/api/gather", resource_id=log)
            status, _ = call("POST", "/api/market/listings", resource_id=log, quantity=1, unit_price=3)
            for offer in call("GET", f"/api/market/listings?resource_id={log}")[1]["listings"][:3]:
                bought, _ = call("POST", f"/api/market/listings/{offer['id']}/buy", quantity=1)
                counts["bought"] += bought == 200
            counts["listed"] += status == 201
        link.close()

    threads = [threading.Thread(target=play, args=[player]) for player in players]
    for thread in threads:
        thread.start()
    return threads


def test_a_backup_under_load_comes_back_whole(
    market: Api, bob: Api, sign_up: Callable[..., Api], target: Target, tmp_path: Path
) -> None:
    players = [market, bob, sign_up("cleo"), sign_up("dora")]
    for player in players:
        player.post(f"/api/professions/{profession_id('timberhand')}/join")
        player.grant(mutterwood_log=500)
    over, counts = threading.Event(), {"bought": 0, "listed": 0}
    with server() as url:
        threads = everybody_plays(url, players, over, counts)
        try:
            while counts["bought"] < 20:
                assert any(thread.is_alive() for thread in threads)
                over.wait(0.1)
            before = dict(counts)
            ran = manage("backup", str(tmp_path), "--json")
            after = dict(counts)
        finally:
            over.set()
            for thread in threads:
                thread.join()
    assert ran.returncode == 0, ran.stderr
    assert after["bought"] > before["bought"], "they went on while it was made"
    manifest = json.loads(ran.stdout)
    assert ItemMovement.objects.count() > manifest["tables"]["inventory_itemmovement"], "and after it"
    (folder,) = [path for path in tmp_path.iterdir() if path.is_dir()]

    restored = target.restore(folder, "--json")

    assert restored.returncode == 0, restored.stderr
    assert json.loads(restored.stdout) == manifest
    for table, rows in manifest["tables"].items():
        assert target.ask(f'SELECT count(*) FROM "{table}"') == [(rows,)], table
    assert target.ask("SELECT sum(coins) FROM accounts_player") == [(manifest["totals"]["coins"],)]
    assert manifest["totals"]["coins"] == manifest["totals"]["ledger"]
    assert manifest["totals"]["items"] == manifest["totals"]["movements"]
    assert manifest["totals"]["trades"] > 0
    audited = target.manage("economy_audit", "--json")
    assert audited.returncode == 0, audited.stdout
    assert json.loads(audited.stdout)["problems"] == []
    assert target.manage("migrate", "--check").returncode == 0

    # What holds histories and sums together came along: triggers, constraints, sequences.
    with pytest.raises(psycopg2.Error, match=r"Cannot update or delete"):
        target.ask("DELETE FROM accounts_ledgerentry RETURNING 1")
    with pytest.raises(psycopg2.Error, match="check constraint"):
        target.ask("UPDATE accounts_player SET coins = -1 RETURNING 1")
    granted = target.manage("grant", market.login, "--coins", "5", "--json")
    assert granted.returncode == 0, granted.stderr


def test_redis_comes_back_and_serves_nothing_old(market: Api, bob: Api, target: Target, tmp_path: Path) -> None:
    bob.get("/api/inventory")
    command("backup", str(tmp_path / "b"), "--json")
    (folder,) = [path for path in (tmp_path / "b").iterdir() if path.is_dir()]
    data = target.valkey.directory / "data"
    target.valkey.stop()
    for left in data.iterdir():
        shutil.rmtree(left) if left.is_dir() else left.unlink()

    refused = target.restore(folder, "--redis-data", str(tmp_path / "b"))
    assert "is not an empty folder" in refused.stderr
    assert target.tables() == []
    restored = target.restore(folder, "--redis-data", str(data))
    target.valkey.start()

    assert restored.returncode == 0, restored.stderr
    with redis.Redis.from_url(target.valkey.url) as client:
        assert client.exists(f"inventory:user:{bob.id}"), "the value is there again"
    # PostgreSQL is changed by somebody whom Redis does not hear: if the old value were served, it would be stale.
    target.ask(
        "SET session_replication_role = replica;"
        f" INSERT INTO inventory_inventoryitem (player_id, resource_id, quantity)"
        f" VALUES ({bob.id}, {resource_id('mutterwood-log')}, 77) RETURNING 1"
    )
    with server(DATABASE_URL=target.postgres.url, REDIS_URL=target.valkey.url) as url:
        link = _link(url)
        link.request("GET", "/api/inventory", headers={"Authorization": f"Bearer {bob.token}"})
        answer = link.getresponse()
        body = json.load(answer)
        assert answer.headers["X-Cache"] == "MISS"
        link.close()
    assert [row["quantity"] for row in body["inventory"]] == [77]


# --- What is refused, with nothing changed ----------------------------------------------------------------


def spoil_manifest(folder: Path, **changes: Any) -> None:
    path = folder / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def cut(folder: Path) -> None:
    os.truncate(folder / "postgresql.dump", (folder / "postgresql.dump").stat().st_size - 1)


def flip(folder: Path) -> None:
    path = folder / "postgresql.dump"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def flip_redis(folder: Path) -> None:
    path = folder / "redis" / "dump.rdb"
    path.write_bytes(path.read_bytes()[:-1] + b"\0")


def lose(folder: Path) -> None:
    (folder / "redis" / "dump.rdb").unlink()


def lose_manifest(folder: Path) -> None:
    (folder / "manifest.json").unlink()


def garble_manifest(folder: Path) -> None:
    (folder / "manifest.json").write_text("{")


def newer_format(folder: Path) -> None:
    spoil_manifest(folder, format=2)


def newer_release(folder: Path) -> None:
    migrations = json.loads((folder / "manifest.json").read_text())["migrations"]
    spoil_manifest(folder, migrations=[*migrations, "market.9999_of_a_later_release"])


def newer_server(folder: Path) -> None:
    spoil_manifest(folder, postgresql={"server": "99.1", "pg_dump": "99.1"})


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (cut, "it was cut or changed"),
        (flip, "its checksum differs"),
        (flip_redis, "its checksum differs"),
        (lose, "is missing"),
        (lose_manifest, "no manifest"),
        (garble_manifest, "no manifest"),
        (newer_format, "format is 2"),
        (newer_release, "is of a newer release"),
        (newer_server, "it is too old"),
    ],
)
def test_a_backup_that_is_not_as_it_was_made_is_refused(
    folder: Path, target: Target, spoil: Callable[[Path], None], words: str
) -> None:
    spoil(folder)

    refused = target.restore(folder)

    assert refused.returncode == 1
    assert words in refused.stderr
    assert target.tables() == []


def test_a_full_target_is_refused(folder: Path, target: Target) -> None:
    assert target.restore(folder).returncode == 0
    target.ask("UPDATE accounts_player SET email = login || '@changed.example' RETURNING 1")

    again = target.restore(folder)

    assert again.returncode == 1
    assert "The database is not empty" in again.stderr
    assert target.ask("SELECT count(*) FROM accounts_player WHERE email LIKE '%@changed.example'") == [(2,)]


def test_a_redis_that_holds_something_is_refused(folder: Path, target: Target) -> None:
    with redis.Redis.from_url(target.valkey.url) as client:
        client.set("somebody", "uses this")

    refused = target.restore(folder)

    assert "Redis holds 1 keys" in refused.stderr
    assert target.tables() == []


def test_nobody_restores_by_accident(folder: Path, target: Target) -> None:
    refused = target.manage("restore", str(folder))

    assert refused.returncode == 1
    assert "Say --yes" in refused.stderr
    assert target.tables() == []


def test_what_is_no_folder_is_said(target: Target, world: None, tmp_path: Path) -> None:
    assert "is not a folder" in target.restore(tmp_path / "nowhere").stderr
