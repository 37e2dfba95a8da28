"""What the driver's threads do: have batches read, read over HTTP, write. Each returns when the episode is over."""

import random
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from tests.consistency.client import Failed, NoAnswer, NobodyThere
from tests.consistency.ground import Ground, Session
from tests.consistency.history import Read, Write
from tests.consistency.schedule import Schedule
from tests.consistency.stage import Door
from tests.consistency.views import ENDED, View, session_view

# Stands for whichever session is to be opened or ended: each has a register of its own.
SESSION = "session"
QUIETER = 0.25
WAYS = ("save", "update", "bulk_update")
# How long a thread waits where no process is up or there is nothing to read yet, in seconds.
NOTHING_THERE = 0.02


class Lane:
    """One thread of an episode. `pace` is how many seconds it waits after each action, beside a writer's thinking."""

    def __init__(
        self, ground: Ground, schedule: Schedule, over: threading.Event, seed: str, name: str, pace: float = 0.0
    ) -> None:
        self.ground = ground
        self.schedule = schedule
        self.over = over
        self.pace = pace
        self.chance = random.Random(f"{seed}/{name}")
        self.connections = {process.number: process.connection() for process in ground.processes}
        self.views = sorted(name for name, view in ground.views.items() if self._takes_part(view))
        self.registers = {
            family: self._some_of(ground.registers.get(family, [SESSION]), seed) for family in schedule.families
        }
        self.rest_begins = time.monotonic() + schedule.seconds

    def _some_of(self, registers: list[str], seed: str) -> list[str]:
        """Those of a family that this episode writes, the same ones in all lanes, and another one first each time."""
        mixed = random.Random(seed).sample(registers, len(registers))
        return mixed[: self.schedule.keys]

    def _takes_part(self, view: View) -> bool:
        return any(register.partition(":")[0] in self.schedule.families for register, _, _ in view.shows)

    def run(self, action: Callable[[Door], None]) -> None:
        """Repeats an action, each time on a process that is up, until the episode is over."""
        try:
            self._repeat(action)
        finally:
            for connection in self.connections.values():
                connection.close()

    def _repeat(self, action: Callable[[Door], None]) -> None:
        while not self.over.is_set():
            up = [process for process in self.ground.processes if process.ready.is_set()]
            if not up:
                self.over.wait(NOTHING_THERE)
                continue
            process = self.chance.choice(up)
            try:
                action(process)
            except NoAnswer as error:
                self.ground.note_silence(f"process {process.number}: {error}")
                self.over.wait(NOTHING_THERE)
            except Failed as error:
                self.ground.note_failure(f"process {process.number}: {error}")
            if self.pace:
                self.over.wait(self.pace)

    # --- Reading --------------------------------------------------------------------------------------------

    def batch(self, process: Door) -> None:
        """A batch of reads inside the process."""
        sessions = self._sessions()
        if not self.views and not sessions:
            self.over.wait(NOTHING_THERE)
            return
        answer = self.connections[process.number].call(
            "reads",
            views=self.views,
            sessions={session.register: session.session_id for session in sessions},
            count=self.schedule.batch,
            seed=self.chance.getrandbits(32),
        )
        where = f"process {process.number}"
        self.ground.note_reads(
            [read for row in answer["reads"] if (read := self._read_of(where, answer["pid"], *row)) is not None]
        )

    def _read_of(
        self, where: str, pid: int, name: str, start: int, end: int, outcome: str, versions: list[int] | None
    ) -> Read | None:
        if versions is None:
            self.ground.note_failure(f"{where}: reading {name}: {outcome}")
            return None
        view = self.ground.views.get(name)
        registers = [name] if view is None else [register for register, _, _ in view.shows]
        return Read(start, end, pid, f"{where} {outcome} {name}", list(zip(registers, versions, strict=True)))

    def http(self, process: Door) -> None:
        """One read through an endpoint, as a player's client makes it."""
        sessions = {session.register: session for session in self._sessions()}
        if not self.views and not sessions:
            self.over.wait(NOTHING_THERE)
            return
        name = self.chance.choice([*self.views, *sessions])
        view = self.ground.views.get(name) or session_view(name, sessions[name].session_id)
        token = sessions[name].token if name in sessions else self.ground.tokens.get(view.player, "")
        pid, start = process.pid, time.monotonic_ns()
        status, data, outcome = self.connections[process.number].ask("GET", view.path, token=token)
        end = time.monotonic_ns()
        if name in sessions and status == 401:
            data = None
        elif status != 200:
            self.ground.note_failure(f"process {process.number}: GET {view.path}: {status} {data}")
            return
        shown = [(row[0], version) for row, version in zip(view.shows, view.versions(data), strict=True)]
        how = f"process {process.number} {outcome or status} GET {view.path}"
        self.ground.note_reads([Read(start, end, pid, how, shown)])

    def _sessions(self) -> list[Session]:
        return self.ground.known_sessions() if "session" in self.schedule.families else []

    # --- Writing --------------------------------------------------------------------------------------------

    def write(self, process: Door) -> None:
        """One write, then a pause. Each register of a family is written a quarter as often as the one before it."""
        if time.monotonic() > self.rest_begins:
            self.over.wait()
            return
        registers = self.registers[self.chance.choice(self.schedule.families)]
        (register,) = self.chance.choices(registers, [QUIETER**place for place in range(len(registers))])
        if register == SESSION:
            self._write_session(process)
        else:
            self._write_register(process, register)
        self.over.wait(self.chance.random() * self.schedule.think_ms / 1000)

    def _write_register(self, process: Door, register: str) -> None:
        how, buyer = self.chance.choice(WAYS), self.chance.choice(self.ground.players)
        answer = self._asked(process, register, "write", register=register, how=how, buyer=buyer)
        text = f"the answer to a write in process {process.number}"
        self.ground.note_write(register, Write(answer["start"], answer["end"], answer["pid"]), answer["version"], text)

    def _write_session(self, process: Door) -> None:
        session = self.ground.session_to_end(self.chance)
        if session is None:
            player = self.chance.choice(self.ground.players)
            self.ground.note_session(player, self.connections[process.number].call("open", player=player))
            return
        answer = self._asked(process, session.register, "end", player=session.player, session_id=session.session_id)
        text = f"the answer to its end in process {process.number}"
        self.ground.note_write(session.register, Write(answer["start"], answer["end"], answer["pid"]), ENDED, text)

    def _asked(self, process: Door, written: str, call: str, /, **body: Any) -> Any:
        """A write; where it has no answer, or a bad one, nobody knows whether it took place."""
        pid, start = process.pid, time.monotonic_ns()
        try:
            return self.connections[process.number].call(call, **body)
        except NobodyThere:
            raise
        except (NoAnswer, Failed):
            self.ground.note_lost(written, Write(start, time.monotonic_ns(), pid))
            raise


def lanes(
    ground: Ground, schedule: Schedule, over: threading.Event, seed: str, pace: float = 0.0
) -> Iterator[tuple[Callable[..., None], Callable[[Door], None]]]:
    """What each thread of an episode runs, and with which action, until `over`."""
    for kind, count in (("batch", schedule.readers), ("http", schedule.clients), ("write", schedule.writers)):
        for number in range(count):
            lane = Lane(ground, schedule, over, seed, f"{kind}/{number}", pace)
            yield lane.run, getattr(lane, kind)
