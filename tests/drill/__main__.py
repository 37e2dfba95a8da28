"""`make drill`: each fault under load, and a table of what players, bots and the consistency checker saw."""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bcraftd.embedded.postgres import PostgresServer
from tests.drill.bots import Seen, simulating
from tests.drill.checker import APPLICATION, Checked, checking
from tests.drill.namespaces import Network
from tests.drill.players import Record, playing
from tests.drill.pooler import Pooler
from tests.drill.stage import Stage
from tests.drill.standby import following, promote

# Seconds of calm before a fault, and of looking on after it.
BEFORE, AFTER = 5.0, 12.0
# What whoever promotes (an operator, Patroni) takes to be sure that PostgreSQL's primary is gone.
NOTICED_AFTER = 2.0
COLUMNS = ("fault", "requests", "of bots", "of the checker", "5xx", "stale reads", "lost writes", "time to normal")


@dataclass
class Row:
    """What one fault did: to the players, the bots and the checker. normal: seconds from the first failure or read past
    Redis of a player's to the last. window: the seconds in which failures are no wonder."""

    fault: str
    record: Record
    bots: Seen
    checked: Checked
    normal: float
    window: float = 0.0

    @property
    def bad(self) -> list[str]:
        """What must not be."""
        late = self.failed if self.normal > self.window or not self.window else []
        return [*late, *self.stale, *self.lost, *self.bots.refused]

    @property
    def failed(self) -> list[str]:
        """What was answered with a 5xx, by the API or by HAProxy, or not at all."""
        return [*(text for _, text in self.record.failed), *self.bots.failed, *self.checked.failed]

    @property
    def stale(self) -> list[str]:
        """Reads that showed less than had been answered, by whoever noticed."""
        return [*self.record.stale, *self.bots.stale, *self.checked.stale]

    @property
    def lost(self) -> list[str]:
        """Answered writes that were not there in the end."""
        return [*self.record.lost, *self.checked.lost]

    @property
    def cells(self) -> tuple[str, ...]:
        bots, checked = self.bots.requests, self.checked.requests
        requests = (self.record.requests + bots + checked, bots, checked)
        counts = (*requests, len(self.failed), len(self.stale), len(self.lost))
        return (self.fault, *(f"{count:,}" for count in counts), f"{self.normal:.1f} s")


@contextmanager
def folders() -> Iterator[tuple[Path, Path]]:
    """One for everything, and one with a short name for PostgreSQL's socket; other accounts get into both."""
    with tempfile.TemporaryDirectory(prefix="drill-") as folder, tempfile.TemporaryDirectory(prefix="bc") as sockets:
        Path(folder).chmod(0o755)
        Path(sockets).chmod(0o777)
        yield Path(folder), Path(sockets)


def struck(stage: Stage, name: str, fault: Callable[[], object], *, cut_off: int | None = None) -> Row:
    """Plays before, during and after a fault: players and the checker at every door, bots at the last one.

    cut_off: an instance that is not normal as long as the fault lasts, by design.
    """
    with simulating(stage) as bots, checking(stage) as checked, playing(stage.doors) as record:
        time.sleep(BEFORE)
        began = record.now
        fault()
        time.sleep(AFTER)
    return Row(name, record, bots, checked, record.normal_after(began, but=cut_off))


def on_one_host(folder: Path, sockets: Path) -> Generator[Row, None, None]:
    """Faults of processes, with HAProxy in front of the API and pgbouncer between the API and PostgreSQL."""
    stage = Stage(folder, application=APPLICATION, balanced=True)
    pooler: Pooler | None = None
    try:
        stage.start_servers()
        pooler = Pooler(folder / "pooler", stage.postgres.url, size=8)
        pooler.start()
        stage.database_url = pooler.url
        stage.serve(DATABASE_POOLED="true")
        first, second = stage.cluster.first, stage.cluster.second
        yield struck(stage, "Redis: the primary is killed", first.kill)
        # It comes back as the replica of the other, and is to be the primary again.
        stage.cluster.restart(first)
        stage.cluster.wait_for_replica(first)
        yield struck(stage, "Redis: a handover", lambda: stage.cluster.hand_over(first))
        yield struck(stage, "Redis: the replica is killed", second.kill)
        yield struck(stage, "one sentinel is killed", stage.cluster.sentinels[0].kill)
        audit = stage.manage("economy_audit", DATABASE_POOLED="true")
        assert audit.returncode == 0, audit.stdout
    finally:
        if pooler is not None:
            pooler.stop()
        stage.stop()


def with_a_standby(folder: Path, sockets: Path) -> Generator[Row, None, None]:
    """The database dies, and the pooler is told of its synchronous standby."""
    stage = Stage(folder, durable=True, application=APPLICATION, balanced=True)
    others: list[Pooler | PostgresServer] = []
    try:
        stage.start_servers()
        standby = following(stage.postgres, folder / "standby")
        others.append(standby)
        pooler = Pooler(folder / "pooler", stage.postgres.url, size=8)
        others.append(pooler)
        pooler.start()
        stage.database_url = pooler.url
        stage.serve(DATABASE_POOLED="true")

        def fail_over() -> None:
            stage.postgres.kill()
            time.sleep(NOTICED_AFTER)
            promote(standby)
            pooler.point_at(standby.url)

        row = struck(stage, "PostgreSQL: the primary is killed, its standby promoted", fail_over)
        row.window = 15.0
        yield row
        audit = stage.manage("economy_audit", DATABASE_POOLED="true")
        assert audit.returncode == 0, audit.stdout
    finally:
        stage.stop()
        for other in others:
            other.stop()


def on_two_hosts(folder: Path, sockets: Path) -> Generator[Row, None, None]:
    """A split between hosts: the primary, a sentinel and an instance here, everything else there."""
    with Network() as network:
        left, right = network.places()
        places = [left, right, left, right, right]
        stage = Stage(folder, places=places, hosts=[left, right], sockets=sockets, application=APPLICATION)
        try:
            stage.start()

            def split() -> None:
                network.split()
                stage.cluster.wait_for_primary(stage.cluster.second)

            yield struck(stage, "network: the primary's side is split off (*)", split, cut_off=0)
            yield struck(stage, "network: the split is over", network.heal)
        finally:
            stage.stop()


def main(words: list[str]) -> int:
    """Prints the table; returns 1 where a row is not as it must be."""
    parser = argparse.ArgumentParser(prog="python -m tests.drill", description="Breaks what the API stands on.")
    parser.add_argument("--off", default="", help="mechanisms to switch off: fence, lease, drop (with commas)")
    # The instances inherit it, and tests/consistency/app.py reads it.
    os.environ["CONSISTENCY_OFF"] = parser.parse_args(words).off
    rows = []
    for play in (on_one_host, on_two_hosts, with_a_standby):
        with folders() as places:
            for row in play(*places):
                sys.stderr.write(f"{row.fault}: done\n")
                rows.append(row)
    table = [COLUMNS, *(row.cells for row in rows)]
    widths = [max(len(line[column]) for line in table) for column in range(len(COLUMNS))]
    for line in table:
        sys.stdout.write("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() + "\n")
    sys.stdout.write("(*) the side of most sentinels; the other one is served by PostgreSQL until the split is over\n")
    bad = [each for row in rows for each in row.bad]
    for each in bad[:20]:
        sys.stdout.write(f"{each}\n")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
