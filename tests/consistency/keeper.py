"""What goes on beside the load: kills and faults, dead processes that come back, looks into PostgreSQL, the judge."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from tests.consistency.client import NoAnswer
from tests.consistency.ground import Ground
from tests.consistency.history import GRACE, SECOND
from tests.consistency.schedule import OUTAGES, Fault, Kill, Schedule
from tests.consistency.stage import ApiProcess, Servers
from tests.consistency.truth import Truth

# Seconds between two looks at the same thing.
TEND_SECONDS = 0.05
OUTBOX_SECONDS = 0.1
LOOK_SECONDS = 0.4
JUDGE_SECONDS = 0.25
FORGET_SECONDS = 10.0
# How long after its arrival a read is judged: by then all that bears on it has arrived too.
DELAY_SECONDS = 3.0


class Keeper:
    """Threads that last for a whole run, and two for each episode."""

    def __init__(self, stage: Servers, ground: Ground, processes: Sequence[ApiProcess], truth: Truth) -> None:
        self.stage = stage
        self.processes = processes
        self.ground = ground
        self.faults: Counter[str] = Counter()
        # What a thread met that ends the run; None while all is well.
        self.trouble: BaseException | None = None
        self._truth = truth
        self._looking = threading.Lock()
        self._closing = threading.Event()
        self._schedule: Schedule | None = None
        self._outbox_seen = time.monotonic_ns()
        self._threads = [
            threading.Thread(target=self._repeat, args=(every, action), daemon=True)
            for every, action in (
                (TEND_SECONDS, self._tend),
                (OUTBOX_SECONDS, self._watch_outbox),
                (LOOK_SECONDS, self.look),
                (JUDGE_SECONDS, self._judge),
                (FORGET_SECONDS, self._forget),
            )
        ]

    def start(self) -> None:
        """Takes what there is for granted, and begins."""
        self.look()
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Ends its threads; a process that is coming back is not waited for."""
        self._closing.set()
        for thread in self._threads:
            if thread.is_alive():
                thread.join()
        self._truth.close()

    def guarded(self, action: Callable[..., None], *values: Any) -> None:
        """Runs something in a thread of its own; its trouble ends the run."""
        try:
            action(*values)
        except BaseException as error:
            self.trouble = self.trouble or error

    def _repeat(self, every: float, action: Callable[[], None]) -> None:
        while not self._closing.wait(every):
            self.guarded(action)

    # --- Processes ------------------------------------------------------------------------------------------

    def instruct(self, schedule: Schedule) -> None:
        """Tells every process an episode's waits; one that is dead is told when it comes back."""
        self._schedule = schedule
        for process in self.processes:
            if process.ready.is_set():
                self._instruct(process)

    def _instruct(self, process: ApiProcess) -> None:
        rows = self._schedule.waits if self._schedule is not None else ()
        waits = {row.step: [row.percent / 100, row.ms / 1000] for row in rows}
        try:
            process.call("behave", waits=waits, views=self.ground.told_views())
        except NoAnswer:
            # It has died, and is told when it comes back.
            return

    def _tend(self) -> None:
        """Sees which processes have died, and brings them back, several at once."""
        for process in self.processes:
            if not process.died:
                continue
            process.ready.clear()
            with self.ground.lock:
                self.ground.counts["kills"] += 1
            # Its last writes may have committed without an answer.
            self.look()
            threading.Thread(target=self.guarded, args=(self._bring_back, process), daemon=True).start()

    def _bring_back(self, process: ApiProcess) -> None:
        process.start()
        self._instruct(process)
        process.ready.set()

    def kill(self, kills: Iterable[Kill], over: threading.Event) -> None:
        """Arms processes at their times, until the episode is over."""
        began = time.monotonic()
        for kill in sorted(kills, key=lambda row: row.at):
            if over.wait(max(began + kill.at - time.monotonic(), 0)):
                return
            self.processes[kill.process % len(self.processes)].arm(kill.step)

    # --- Redis ----------------------------------------------------------------------------------------------

    def strike(self, faults: Iterable[Fault], over: threading.Event) -> None:
        """Lets faults happen at their times, until the episode is over."""
        began = time.monotonic()
        for fault in sorted(faults, key=lambda row: row.at):
            if over.wait(max(began + fault.at - time.monotonic(), 0)):
                return
            self._strike(fault)

    def _strike(self, fault: Fault) -> None:
        """A flush is no outage: whoever asks is answered. A pause forgets nothing."""
        history, begin = self.ground.history, 0

        def begins() -> None:
            nonlocal begin
            begin = time.monotonic_ns()
            if fault.kind in OUTAGES:
                with self.ground.lock:
                    history.windows.begins(begin)

        self.stage.strike(fault, begins)
        end = time.monotonic_ns()
        with self.ground.lock:
            if fault.kind in OUTAGES:
                history.windows.ends(end + GRACE)
            if fault.kind != "pause":
                history.memory_lost(begin, end)
            self.faults[fault.kind] += 1

    def _watch_outbox(self) -> None:
        """A busy machine lets a write miss Redis without any fault of ours: the outbox tells."""
        seen = self._outbox_seen
        with self._looking:
            grown = self._truth.wrote_unfenced()
        self._outbox_seen = time.monotonic_ns()
        if grown:
            with self.ground.lock:
                self.ground.counts["unfenced_windows"] += 1
                self.ground.history.windows.add(seen, self._outbox_seen + GRACE)

    # --- Looking and judging --------------------------------------------------------------------------------

    def look(self) -> None:
        """Asks PostgreSQL for every version."""
        sessions = {session.register: session.session_id for session in self.ground.known_sessions()}
        with self._looking:
            versions, time_of_look = self._truth.versions(sessions)
        with self.ground.lock:
            self.ground.history.looked(versions, time_of_look, "a look into PostgreSQL")

    def _judge(self) -> None:
        with self.ground.lock:
            self.ground.history.judge(time.monotonic_ns() - int(DELAY_SECONDS * SECOND))

    def _forget(self) -> None:
        with self.ground.lock:
            self.ground.history.forget(time.monotonic_ns())
