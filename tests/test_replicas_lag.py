"""Two instances of the API with a replica of PostgreSQL that lags, is promoted, and is killed: nobody sees less than
what was answered, and reads that may lag are answered there when they can be."""

import itertools
import json
import os
import re
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import psycopg2
import pytest

from bcraftd import replicas
from bcraftd.embedded.postgres import PostgresServer
from tests.drill.players import PASSWORD, Player, Record
from tests.drill.stage import Stage
from tests.drill.standby import following, promote
from tests.processes import wait_until
from tests.scrapes import scrape, total

MOVEMENTS = "/api/inventory/movements?limit=1"


class Played:
    """A stage with a standby that both instances know as their replica."""

    def __init__(self, folder: Path) -> None:
        self.stage = Stage(folder)
        self.stage.start_servers()
        self.standby: PostgresServer = following(self.stage.postgres, folder / "standby", synchronous=False)
        self.stage.serve(DATABASE_REPLICA_URLS=self.standby.url)

    def stop(self) -> None:
        self.stage.stop()
        self.standby.stop()

    def at_standby(self, statement: str, given: dict[str, Any] | None = None) -> Any:
        with closing(psycopg2.connect(self.standby.url)) as connection, connection.cursor() as cursor:
            connection.autocommit = True
            cursor.execute(statement, given)
            return (cursor.fetchone() or [None])[0]

    def pause(self) -> None:
        self.at_standby("SELECT pg_wal_replay_pause()")
        wait_until(lambda: self.at_standby("SELECT pg_get_wal_replay_pause_state()") == "paused", "replay stands still")

    def resume(self) -> None:
        self.at_standby("SELECT pg_wal_replay_resume()")

    def reads(self, outcome: str) -> float:
        """How many lagging reads have ended so, at both instances."""
        found = [scrape(url.replace("127.0.0.1", "localhost")) for url in self.stage.instances]
        return sum(total(each, "bcraftd_replica_reads_total", outcome=outcome) for each in found)

    def player(self) -> tuple[Player, int]:
        """A new one, and something that it can gather."""
        player = Player(self.stage.instances, Record())
        return player, player.sign_up()[0]

    def gather(self, player: Player, resource: int, instance: int = 0) -> int:
        """Gathers until something is found, which leaves a movement; returns how many."""
        while True:
            status, body, _ = player.ask(instance, "POST", "/api/gather", {"resource_id": resource})
            assert status == 200, body
            if body["quantity"]:
                return int(body["quantity"])

    def read_at_replica(self, player: Player, path: str) -> Any:
        """Asks until the replica answers; returns the answer."""
        found: list[Any] = []

        def answered() -> bool:
            before = self.reads("replica")
            found[:] = [player.ask(1, "GET", path)[1]]
            return self.reads("replica") > before

        wait_until(answered, "the replica answers")
        return found[0]


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    folder: Path = tmp_path_factory.mktemp("lagging")
    for each in (folder, folder.parent):
        each.chmod(0o755)
    played = Played(folder)
    yield played
    played.stop()


def test_a_player_reads_what_it_wrote_and_a_quiet_one_is_still_answered_by_the_replica(played: Played) -> None:
    writer, resource = played.player()
    quiet, other = played.player()
    for player, each in ((writer, resource), (quiet, other)):
        played.gather(player, each)
        assert len(played.read_at_replica(player, MOVEMENTS)["movements"]) == 1
    played.pause()
    try:
        behind = played.reads("behind")
        gathered = played.gather(writer, resource)
        newest = writer.ask(1, "GET", MOVEMENTS)[1]["movements"][0]
        assert newest["quantity"] == gathered
        there = played.at_standby("SELECT max(id) FROM inventory_itemmovement")
        assert newest["id"] > there, "the replica does not have it"
        assert played.reads("behind") == behind + 1
        known = played.reads("replica")
        assert quiet.ask(1, "GET", MOVEMENTS)[1]["movements"][0]["id"] <= there
        assert played.reads("replica") == known + 1
    finally:
        played.resume()
    assert played.read_at_replica(writer, MOVEMENTS)["movements"][0]["id"] == newest["id"]


def test_everybody_sees_a_trade_in_the_candles_once_it_was_answered(played: Played) -> None:
    seller, resource = played.player()
    buyer, _ = played.player()
    visitor = Player(played.stage.instances, Record())
    history = f"/api/market/resources/{resource}/history?interval=hour"
    played.gather(seller, resource)
    offer = {"resource_id": resource, "quantity": 1, "unit_price": 7}
    listing = seller.ask(0, "POST", "/api/market/listings", offer)[1]["id"]
    before = sum(each["volume"] for each in played.read_at_replica(visitor, history)["candles"])
    played.pause()
    try:
        assert buyer.ask(0, "POST", f"/api/market/listings/{listing}/buy", {})[0] == 200
        for player, instance in itertools.product((visitor, buyer, seller), (0, 1)):
            candles = player.ask(instance, "GET", history)[1]["candles"]
            assert sum(each["volume"] for each in candles) == before + 1
        for player in (buyer, seller):
            assert player.ask(1, "GET", "/api/market/trades")[1]["trades"][0]["listing_id"] == listing
            assert abs(player.ask(1, "GET", "/api/wallet/entries")[1]["entries"][0]["amount"]) == 7
    finally:
        played.resume()


def test_an_operators_list_shows_what_the_operator_changed(played: Played) -> None:
    player, _ = played.player()
    promoted = "from accounts.models import Player; p = Player.objects.get(login='{}'); p.role = 'admin'; p.save()"
    done = played.stage.manage("shell", "--verbosity", "0", "-c", promoted.format(player.login))
    assert done.returncode == 0, done.stderr
    with httpx.Client(base_url=played.stage.instances[0], headers={"Host": "localhost"}, timeout=60) as browser:

        def post(path: str, **data: Any) -> httpx.Response:
            page = browser.get(path)
            token = re.findall(r'name="csrfmiddlewaretoken" value="(\w+)"', page.text)[0]
            return browser.post(path, data={**data, "csrfmiddlewaretoken": token})

        assert post("/admin/login/", username=player.login, password=PASSWORD).status_code == 302
        page = "/admin/environment/season/"

        def answered() -> bool:
            before = played.reads("replica")
            assert "<th" in browser.get(page).text
            return played.reads("replica") > before

        wait_until(answered, "a list comes from the replica")
        first = re.findall(r"/admin/environment/season/(\d+)/change/", browser.get(page).text)[0]
        form = browser.get(f"{page}{first}/change/").text
        fields = dict(re.findall(r'<input[^>]*name="(\w+)"[^>]*value="([^"]*)"', form))
        fields |= {
            name: re.findall(r'<option value="(\w*)" selected', rest)[0]
            for name, rest in re.findall(r'(?s)<select[^>]*name="(\w+)"(.*?)</select>', form)
            if re.findall(r'<option value="(\w*)" selected', rest)
        }
        played.pause()
        try:
            fields.pop("csrfmiddlewaretoken", None)
            said = post(f"{page}{first}/change/", **{**fields, "name": "Seventh season"})
            assert said.status_code == 302, re.findall(r'(?s)class="errorlist.*?</ul>', said.text)
            # The first page says what was done, and names the row too.
            browser.get(page)
            assert "Seventh season" in browser.get(page).text
            assert played.at_standby("SELECT count(*) FROM environment_season WHERE name = 'Seventh season'") == 0
        finally:
            played.resume()


def test_under_load_no_history_lacks_what_was_answered_however_the_replica_lags(played: Played) -> None:
    over = threading.Event()
    lacking: list[str] = []
    players = [played.player() for _ in range(3)]
    known, behind = played.reads("replica"), played.reads("behind")

    def play(player: Player, resource: int) -> None:
        for turn in itertools.count():
            if over.is_set():
                return
            here, there = turn % 2, (turn + 1) % 2
            gathered = played.gather(player, resource, here)
            for instance in (there, here, there):
                newest = player.ask(instance, "GET", MOVEMENTS)[1]["movements"][0]
                if newest["quantity"] != gathered or newest["id"] <= player.sure.get(0, 0):
                    lacking.append(f"{newest} after {gathered} were found")
            player.sure[0] = newest["id"]
            # Long enough for a replica that replays.
            time.sleep(0.05)
            player.ask(there, "GET", MOVEMENTS)

    threads = [threading.Thread(target=play, args=each) for each in players]
    for thread in threads:
        thread.start()
    for _ in range(6):
        played.pause()
        time.sleep(0.5)
        played.resume()
        time.sleep(0.7)
    over.set()
    for thread in threads:
        thread.join()
    assert lacking == []
    assert [failure for player, _ in players for failure in player.record.failed] == []
    assert played.reads("replica") > known
    assert played.reads("behind") > behind


def test_places_are_audited_and_counted_like_everything_that_is_cached(played: Played) -> None:
    player, resource = played.player()
    played.gather(player, resource)
    player.ask(0, "GET", MOVEMENTS)
    with_replica = {"DATABASE_REPLICA_URLS": played.standby.url}
    audit = played.stage.manage("cache_audit", "--json", **with_replica)
    assert audit.returncode == 0, audit.stdout
    stats = played.stage.manage("cache_stats", "--json", **with_replica)
    assert json.loads(stats.stdout)["families"]["replicas"]["keys"] >= 1


def doctor_says(played: Played, *urls: str) -> tuple[str, str]:
    """Of replicas: the status, and what was found with the mend."""
    report = played.stage.manage("doctor", "--json", DATABASE_REPLICA_URLS=",".join(urls))
    (found,) = (row for row in json.loads(report.stdout)["checks"] if row["name"] == "postgresql replicas")
    return found["status"], f"{found['detail']} {found['mend']}"


def test_the_doctor_tells_a_replica_that_follows_from_one_that_lags_or_copies_another_server(played: Played) -> None:
    status, _ = doctor_says(played)
    assert status == "ok"
    status, said = doctor_says(played, played.standby.url)
    assert (status, "follows the primary" in said) == ("ok", True)

    played.pause()
    try:
        played.gather(*played.player())
        status, said = doctor_says(played, played.standby.url)
    finally:
        played.resume()
    assert (status, "pg_wal_replay_resume" in said) == ("warning", True)

    status, said = doctor_says(played, played.standby.url, os.environ["DATABASE_URL"])
    assert (status, "is no copy of the primary" in said) == ("fault", True)
    assert played.standby.url.split("@")[0] not in said


def test_a_place_in_the_log_of_another_server_or_timeline_says_nothing_of_this_one(played: Played) -> None:
    with closing(psycopg2.connect(played.stage.postgres.url)) as connection, connection.cursor() as cursor:
        cursor.execute(replicas._PLACE)
        system, timeline, lsn = cursor.fetchone() or [None] * 3
    place = {"system": system, "timeline": timeline, "lsn": lsn}
    wait_until(lambda: played.at_standby(replicas._HAS_REPLAYED, place), "the replica has replayed it")
    assert not played.at_standby(replicas._HAS_REPLAYED, {**place, "system": system + 1})
    assert not played.at_standby(replicas._HAS_REPLAYED, {**place, "timeline": timeline + 1})
    assert not played.at_standby(replicas._HAS_REPLAYED, {**place, "lsn": "FFFF/0"})


def test_a_replica_that_is_promoted_or_killed_is_asked_no_more(played: Played) -> None:
    """The last test: the standby is none any more afterwards."""
    player, resource = played.player()
    played.gather(player, resource)
    played.read_at_replica(player, MOVEMENTS)
    promote(played.standby)
    answered = played.reads("replica")
    for _ in range(3):
        gathered = played.gather(player, resource)
        for instance in (0, 1):
            assert player.ask(instance, "GET", MOVEMENTS)[1]["movements"][0]["quantity"] == gathered
    assert played.reads("replica") == answered
    failed = played.reads("failed")
    played.standby.kill()
    for _ in range(5):
        assert player.ask(1, "GET", MOVEMENTS)[0] == 200
    assert played.reads("failed") == failed + 1, "it is asked once, and then rests"
    assert player.record.failed == []
