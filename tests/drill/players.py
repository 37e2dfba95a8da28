"""Who notices: players who write at one instance of the API and read at the other, and know what must be there.

Each player is one thread. It gathers, and nobody else changes its inventory; then it asks the other instances for that
inventory. Another quantity than what the answered writes have made is a stale read, and at the end a lost write.
"""

import http.client
import itertools
import json
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

PASSWORD = "Gather-and-craft-47"
TIMEOUT = 30
PAUSE = 0.02


@dataclass
class Record:
    """What all players saw. failed: seconds since the start of each 5xx or broken connection. slow: the longest
    answer, in seconds. outcomes: when each inventory was read, from which instance, and its X-Cache."""

    began: float = field(default_factory=time.monotonic)
    requests: int = 0
    failed: list[tuple[float, str]] = field(default_factory=list)
    stale: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    outcomes: list[tuple[float, int, str]] = field(default_factory=list)
    slowest: float = 0.0
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def now(self) -> float:
        return time.monotonic() - self.began

    @property
    def bypassed(self) -> list[float]:
        """When reads came from PostgreSQL past Redis."""
        return [at for at, _, cache in self.outcomes if cache == "BYPASS"]

    def normal_after(self, moment: float, *, but: int | None = None) -> float:
        """Seconds from the first failure or read past Redis after a moment to the last one; `but` is an instance that
        does not count."""
        past = [at for at, instance, cache in self.outcomes if cache == "BYPASS" and instance != but]
        odd = [at for at in [*past, *(at for at, _ in self.failed)] if at >= moment]
        return max(odd) - min(odd) if odd else 0.0


class Player:
    """One account and its session, on any instance."""

    def __init__(self, instances: list[str], record: Record) -> None:
        self.instances, self.record = instances, record
        self.token, self.login = "", f"drill-{secrets.token_hex(6)}"
        self._turn = itertools.count(secrets.randbelow(2))
        # What was answered, by resource.
        self.sure: dict[int, int] = {}

    def sign_up(self) -> list[int]:
        """Returns the resources that it can gather. Raises AssertionError where the API does not let it in."""
        account = {"login": self.login, "email": f"{self.login}@example.org", "password": PASSWORD}
        assert self.ask(0, "POST", "/api/auth/register", account)[0] == 201
        status, body, _ = self.ask(0, "POST", "/api/auth/login", {"login": self.login, "password": PASSWORD})
        assert status == 200, body
        self.token = body["access_token"]
        _, body, _ = self.ask(0, "GET", "/api/resources?gatherable=true")
        first = next(row for row in body["resources"] if row["rarity"] == "common")
        assert self.ask(0, "POST", f"/api/professions/{first['profession_id']}/join", {})[0] == 201
        return [row["id"] for row in body["resources"] if row["profession_id"] == first["profession_id"]]

    def ask(self, instance: int, method: str, path: str, body: Any = None, key: str = "") -> tuple[int, Any, str]:
        """Status, body and X-Cache; status 0 where the connection broke."""
        host, _, port = self.instances[instance].removeprefix("http://").partition(":")
        headers = {"Content-Type": "application/json", "Host": "localhost"}
        headers |= {"Authorization": f"Bearer {self.token}"} if self.token else {}
        headers |= {"Idempotency-Key": key} if key else {}
        began = time.monotonic()
        connection = http.client.HTTPConnection(host, int(port), timeout=TIMEOUT)
        try:
            connection.request(method, path, json.dumps(body) if body is not None else None, headers)
            answer = connection.getresponse()
            text = answer.read()
            status, cache = answer.status, answer.headers.get("X-Cache", "")
        except (OSError, http.client.HTTPException) as error:
            status, cache, text = 0, "", json.dumps(repr(error)).encode()
        finally:
            connection.close()
        with self.record.lock:
            self.record.requests += 1
            self.record.slowest = max(self.record.slowest, time.monotonic() - began)
            if status == 0 or status >= 500:
                self.record.failed.append((self.record.now, f"{method} {path}: {status} {text[:200]!r}"))
        return status, _body(text), cache

    def round(self, resource_id: int) -> None:
        """Gathers at one instance and looks at the others."""
        here = next(self._turn) % len(self.instances)
        key = secrets.token_hex(8)
        for _ in range(50):
            status, body, _ = self.ask(here, "POST", "/api/gather", {"resource_id": resource_id}, key)
            if status == 200:
                self.sure[resource_id] = self.sure.get(resource_id, 0) + body["quantity"]
                break
            assert status in (0, 409, 500, 502, 503, 504), body
            time.sleep(0.2)
        for there in range(len(self.instances)):
            self.look((here + 1 + there) % len(self.instances))

    def look(self, instance: int) -> None:
        """One read, compared with what is known."""
        status, body, cache = self.ask(instance, "GET", "/api/inventory")
        if status != 200:
            return
        found = {row["resource_id"]: row["quantity"] for row in body["inventory"]}
        record = self.record
        with record.lock:
            record.outcomes.append((record.now, instance, cache))
            if any(found.get(each, 0) != quantity for each, quantity in self.sure.items()):
                record.stale.append(f"{record.now:.2f} s, {cache}: {found} where {self.sure} was answered")

    def settle(self) -> None:
        """At the end: everything that was answered is there."""
        for instance in range(len(self.instances)):
            status, body, _ = self.ask(instance, "GET", "/api/inventory")
            found = {row["resource_id"]: row["quantity"] for row in body["inventory"]} if status == 200 else {}
            if found != {each: quantity for each, quantity in self.sure.items() if quantity}:
                self.record.lost.append(f"{self.login}: {found} where {self.sure} was answered")


def _body(text: bytes) -> Any:
    """What is in an answer; None where it is none of the API's."""
    try:
        return json.loads(text)
    except ValueError:
        return None


@contextmanager
def playing(instances: list[str], number: int = 4) -> Iterator[Record]:
    """Players play for the duration. What they saw is complete afterwards."""
    record, over = Record(), threading.Event()
    players = [Player(instances, record) for _ in range(number)]
    gatherable = [player.sign_up() for player in players]
    errors: list[BaseException] = []

    def play(player: Player) -> None:
        try:
            for resource_id in itertools.cycle(gatherable[0]):
                if over.is_set():
                    return
                player.round(resource_id)
                time.sleep(PAUSE)
        except BaseException as error:
            errors.append(error)
            raise

    threads = [threading.Thread(target=play, args=[player]) for player in players]
    for thread in threads:
        thread.start()
    try:
        yield record
    finally:
        over.set()
        for thread in threads:
            thread.join()
    assert not errors, errors
    for player in players:
        player.settle()
