"""PostgreSQL and pgbouncer of deploy/, run with real servers, which take over from each other."""

import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path

import psycopg2
import pytest

from tests.deployed import ADDRESSES, nobody_tells_a_password
from tests.processes import wait_until
from tests.replicated import Replicated


@pytest.fixture
def replicated(folder: Path) -> Iterator[Replicated]:
    with ExitStack() as running:
        yield Replicated(folder, running)


def test_a_commit_is_on_both_servers_and_the_standby_is_promoted_by_hand(replicated: Replicated) -> None:
    ask = replicated.ask
    with nobody_tells_a_password():
        replicated.start("postgres-primary")
        replicated.start("postgres-replica")
        replicated.start_pooler()
    wait_until(
        lambda: (
            ask("postgres-primary", "SELECT application_name, sync_state FROM pg_stat_replication")
            == [("postgres_replica", "sync")]
        ),
        "commits wait for the standby",
    )
    assert ask("postgres-primary", "SELECT slot_name, active FROM pg_replication_slots") == [("postgres_replica", True)]
    # What asks outside a transaction is limited too.
    assert ask("pgbouncer", "SHOW statement_timeout") == [("7s",)]
    ask("pgbouncer", "CREATE TABLE kept (number int)")
    ask("pgbouncer", "INSERT INTO kept VALUES (1)")
    wait_until(
        lambda: ask("postgres-replica", "SELECT to_regclass('kept') IS NOT NULL") == [(True,)], "it is there too"
    )
    wait_until(lambda: ask("postgres-replica", "SELECT * FROM kept") == [(1,)], "and so is the row")
    with pytest.raises(psycopg2.errors.ReadOnlySqlTransaction):
        ask("postgres-replica", "INSERT INTO kept VALUES (2)")

    # As the page has it: the primary is gone, the standby is promoted, the pooler is pointed at it.
    replicated.children["postgres-primary"].send(signal.SIGKILL)
    replicated.children["postgres-primary"].wait(30)
    replicated.pg_ctl("postgres-replica", "promote", "--wait")
    replicated.point_pooler_at("postgres-replica")

    def written() -> bool:
        with suppress(psycopg2.Error):
            ask("pgbouncer", "INSERT INTO kept VALUES (3)")
            return True
        return False

    wait_until(written, "the pooler writes to the new primary, and the commit waits for nobody")
    # What migrations and backups use finds it as well.
    both = f"{ADDRESSES['postgres-primary']},{ADDRESSES['postgres-replica']}"
    assert ask("", "SELECT * FROM kept ORDER BY 1", host=both, target_session_attrs="read-write") == [(1,), (3,)]

    # The former primary becomes the standby of the new one.
    with nobody_tells_a_password():
        replicated.copy_anew("postgres-primary", "postgres-replica")
    replicated.start("postgres-primary")
    assert ask("postgres-primary", "SELECT pg_is_in_recovery()") == [(True,)]
    ask("postgres-replica", "ALTER SYSTEM SET synchronous_standby_names = 'postgres_primary'")
    ask("postgres-replica", "SELECT pg_reload_conf()")
    wait_until(
        lambda: (
            ask("postgres-replica", "SELECT application_name, sync_state FROM pg_stat_replication")
            == [("postgres_primary", "sync")]
        ),
        "commits wait for the new standby",
    )
    ask("pgbouncer", "INSERT INTO kept VALUES (4)")
    wait_until(lambda: ask("postgres-primary", "SELECT count(*) FROM kept") == [(3,)], "it follows")

    # They change places: who asks meanwhile waits, and gets an answer.
    replicated.children["pgbouncer"].send(signal.SIGUSR1)
    with ThreadPoolExecutor(1) as other:
        # The pooler pauses when the last transaction has ended, and takes no new one.
        waiting = other.submit(ask, "pgbouncer", "INSERT INTO kept VALUES (5) RETURNING number", connect_timeout=20)
        replicated.children["postgres-replica"].stop()
        replicated.pg_ctl("postgres-primary", "promote", "--wait")
        replicated.point_pooler_at("postgres-primary")
        replicated.children["pgbouncer"].send(signal.SIGUSR2)
        assert waiting.result(30) == [(5,)]
    assert ask("postgres-primary", "SELECT count(*) FROM kept") == [(4,)]
