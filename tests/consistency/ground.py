"""What all threads of the driver share: the processes, what there is to read and write, and what has happened."""

import random
import threading
import time
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from tests.consistency.client import Failed, NoAnswer
from tests.consistency.history import History, Read, Write
from tests.consistency.stage import Door
from tests.consistency.views import View

# Sessions that are read: live ones, and ended ones until as many have followed.
SESSIONS = 8


@dataclass(slots=True)
class Session:
    """A session that the checker opened; its register is ALIVE until the session is ENDED."""

    register: str
    player: int
    session_id: str
    token: str
    ending: bool = False


class Ground:
    """What all lanes share: the processes, the views, the sessions, and where they write down what happened."""

    def __init__(self, processes: Sequence[Door]) -> None:
        self.processes = processes
        self.views: dict[str, View] = {}
        self.players: list[int] = []
        self.registers: dict[str, list[str]] = {}
        # Player to the token of a session that lasts, and which no register is about.
        self.tokens: dict[int, str] = {}
        self.sessions: deque[Session] = deque(maxlen=SESSIONS)
        self.history = History()
        self.counts: Counter[str] = Counter()
        self.failures: deque[str] = deque(maxlen=20)
        self.silences: deque[str] = deque(maxlen=20)
        self.lock = threading.Lock()
        self._opened = 0

    def learn(self, world: Mapping[str, Any]) -> None:
        """Takes in what there is to read and to write, as a process has prepared it."""
        self.views = {row["name"]: View.of(row) for row in world["views"]}
        self.registers, self.players = world["registers"], world["players"]

    def told_views(self) -> list[dict[str, Any]]:
        """The views, as a process is told them."""
        return [asdict(view) for view in self.views.values()]

    def renew_tokens(self) -> None:
        """Signs the players in. One whose processes die meanwhile goes without; its reads count as failures."""
        for player in self.players:
            for process in self.processes:
                try:
                    self.tokens[player] = process.call("open", player=player)["token"]
                    break
                except (NoAnswer, Failed):
                    continue

    def forget(self) -> None:
        """Starts anew: nothing is known, and no session is read."""
        with self.lock:
            self.history = History()
            self.sessions.clear()

    def note_reads(self, reads: Sequence[Read]) -> None:
        with self.lock:
            self.history.read(reads, time.monotonic_ns())
            self.counts["reads"] += len(reads)
            self.counts["hits"] += sum(" HIT " in read.how for read in reads)

    def note_write(self, register: str, write: Write, version: int, how: str) -> None:
        with self.lock:
            self.history.answered(register, write, version, how)
            self.counts["writes"] += 1

    def note_lost(self, register: str, write: Write) -> None:
        with self.lock:
            self.history.lost(register, write)
            self.counts["lost_writes"] += 1

    def note_failure(self, text: str) -> None:
        """Something was answered with an error, which no fault of Redis explains."""
        with self.lock:
            self.counts["failures"] += 1
            self.failures.append(text)

    def note_silence(self, text: str) -> None:
        """Something had no answer, or none of the API's."""
        with self.lock:
            self.counts["unanswered"] += 1
            self.silences.append(text)

    def note_session(self, player: int, opened: Mapping[str, str]) -> None:
        """A new session has a register of its own; the oldest one is not asked for again."""
        with self.lock:
            self._opened += 1
            if len(self.sessions) == SESSIONS:
                self.history.retire(self.sessions[0].register, time.monotonic_ns())
            self.sessions.append(Session(f"session:{self._opened}", player, opened["session_id"], opened["token"]))

    def session_to_end(self, chance: random.Random) -> Session | None:
        """One that lives and that nobody else is about to end; None where there are few, and one should be opened."""
        with self.lock:
            living = [session for session in self.sessions if not session.ending]
            if len(living) <= SESSIONS // 2:
                return None
            session = chance.choice(living)
            session.ending = True
            return session

    def known_sessions(self) -> list[Session]:
        with self.lock:
            return list(self.sessions)
