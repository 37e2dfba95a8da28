"""The consistency checker: its judge, its schedules, a short run with everything on, and one without each mechanism.

A longer run is `make check-consistency`; see tests/consistency/.
"""

import dataclasses
import json
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.consistency.__main__ import arguments, check
from tests.consistency.floors import FOREVER, Floor, Windows
from tests.consistency.history import GRACE, HORIZON, SECOND, History, Read, Write
from tests.consistency.schedule import AIMED, SCHEDULES, Schedule, drawn, shrunk
from tests.consistency.stage import Servers, running

X = "inventory:1"
SECONDS = 32


@pytest.fixture(scope="module")
def stage() -> Iterator[Servers]:
    """Servers that may be flushed and killed; the API processes are each run's own."""
    with running(Servers) as started:
        yield started


# --- The judge --------------------------------------------------------------------------------------------
# Times are small numbers here, nanoseconds in a run.


def judged(history: History) -> tuple[int, int]:
    """Stale reads and excused ones."""
    history.judge(FOREVER)
    return history.totals.violations, history.totals.excused


def read(start: int, end: int, version: int, register: str = X, process: int = 0) -> Read:
    return Read(start, end, process, "process 0 HIT", [(register, version)])


def write(start: int, end: int, process: int = 1) -> Write:
    return Write(start, end, process)


def test_a_read_that_shows_what_was_answered_is_right() -> None:
    history = History()
    history.answered(X, write(10, 20), 1, "a write")
    history.read([read(21, 22, 1), read(21, 22, 2), read(5, 30, 0)], 30)
    assert judged(history) == (0, 0)


def test_a_read_that_began_after_a_writes_answer_and_shows_less_is_stale() -> None:
    history = History()
    history.answered(X, write(10, 20), 1, "a write")
    history.read([read(21, 22, 0)], 30)
    assert judged(history) == (1, 0)
    (violation,) = history.violations
    assert (violation.register, violation.version, violation.known.version) == (X, 0, 1)
    assert "showed version 0" in str(violation)
    assert "by a write" in str(violation)


def test_a_read_that_began_before_the_answer_may_show_either() -> None:
    history = History()
    history.answered(X, write(10, 20), 1, "a write")
    history.read([read(20, 40, 0), read(15, 40, 1)], 50)
    assert judged(history) == (0, 0)


def test_what_one_reader_has_seen_no_later_reader_may_miss() -> None:
    history = History()
    history.read([read(10, 20, 5), read(21, 22, 4)], 30)
    assert judged(history) == (1, 0)


def test_what_postgresql_has_shown_no_later_reader_may_miss() -> None:
    history = History()
    history.lost(X, write(1, 5))
    history.looked({X: 3}, 10, "a look")
    history.read([read(9, 12, 2), read(11, 12, 2)], 30)
    assert judged(history) == (1, 0)


def test_registers_do_not_bear_on_each_other() -> None:
    history = History()
    history.answered(X, write(10, 20), 7, "a write")
    history.read([read(30, 31, 0, "market:1")], 40)
    assert judged(history) == (0, 0)


def test_one_read_of_several_registers_is_stale_once() -> None:
    history = History()
    for register in ("market:1", "market:2"):
        history.answered(register, write(10, 20), 1, "a write")
    history.read([Read(30, 31, 0, "process 0 HIT listings", [("market:1", 0), ("market:2", 0)])], 40)
    assert judged(history) == (1, 0)
    assert len(history.violations) == 2


def test_an_answer_that_arrives_late_still_counts() -> None:
    history = History()
    history.read([read(21, 22, 0)], 30)
    history.answered(X, write(10, 20), 1, "a write")
    assert judged(history) == (1, 0)


def test_reads_are_judged_only_once_all_has_arrived() -> None:
    history = History()
    history.answered(X, write(10, 20), 1, "a write")
    history.read([read(21, 22, 0)], 30)
    history.judge(29)
    assert history.totals.reads == 0
    history.judge(30)
    assert history.totals.violations == 1


def test_an_outage_excuses_what_was_written_meanwhile_for_as_long_as_the_relay_may_take() -> None:
    history = History()
    history.answered(X, write(10, 20), 1, "a write")
    history.windows.begins(100)
    history.answered(X, write(110, 120), 2, "a write")
    history.read([read(130, 140, 1)], 140)
    history.windows.ends(200 + GRACE)
    history.read([read(200 + GRACE, 210 + GRACE, 1)], 210 + GRACE)
    assert judged(history) == (0, 2)
    history.read([read(201 + GRACE, 210 + GRACE, 1)], 210 + GRACE)
    assert judged(history) == (1, 2)
    assert history.totals.strict == 1


def test_an_outage_does_not_excuse_what_was_answered_before_it() -> None:
    history = History()
    history.answered(X, write(10, 20), 1, "a write")
    history.windows.add(100, 200)
    history.read([read(150, 160, 0)], 300)
    assert judged(history) == (1, 0)


def test_an_outage_does_not_excuse_a_process_from_what_it_has_written_itself() -> None:
    history = History()
    history.windows.add(100, 200)
    history.answered(X, write(110, 120, process=7), 1, "a write")
    history.read([read(130, 140, 0, process=8)], 300)
    assert judged(history) == (0, 1)
    history.read([read(130, 140, 0, process=7)], 300)
    assert judged(history) == (1, 1)


def test_a_write_whose_fence_was_flushed_away_counts_from_its_answer_and_not_from_who_saw_it_before() -> None:
    history = History()
    history.answered(X, write(100, 200), 1, "a write")
    history.memory_lost(120, 121)
    history.read([read(150, 160, 1), read(170, 180, 0)], 300)
    assert judged(history) == (0, 1)
    history.read([read(201, 210, 0)], 300)
    assert judged(history) == (1, 1)


def test_a_flush_excuses_nothing_of_a_register_that_nobody_was_writing() -> None:
    history = History()
    history.answered(X, write(100, 110), 1, "a write")
    history.memory_lost(120, 121)
    history.read([read(150, 160, 0)], 300)
    assert judged(history) == (1, 0)


def test_a_flushed_fence_of_a_writer_that_died_excuses_until_the_next_write_is_answered() -> None:
    history = History()
    history.lost(X, write(100, 200))
    history.memory_lost(120, 121)
    history.looked({X: 1}, 210, "a look")
    history.read([read(220, 230, 0)], 230)
    assert judged(history) == (0, 1)
    history.answered(X, write(300, 310), 2, "a write")
    history.looked({X: 3}, 320, "a look")
    history.read([read(330, 340, 2)], 340)
    assert judged(history) == (1, 1)


def test_what_was_seen_before_a_write_began_is_not_excused_by_it() -> None:
    history = History()
    history.memory_lost(0, FOREVER)
    history.looked({X: 1}, 50, "a look")
    history.answered(X, write(100, 200), 2, "a write")
    history.read([read(60, 70, 0), read(150, 160, 0)], 300)
    assert judged(history) == (1, 1)


def test_answered_writes_that_postgresql_lacks_are_lost_and_others_are_not() -> None:
    history = History()
    history.answered(X, write(10, 20), 3, "a write")
    history.answered("market:1", write(10, 20), 5, "a write")
    history.lost("market:1", write(30, 40))
    assert history.lacking({X: 3, "market:1": 6, "market:2": 0}) == []
    (lost,) = history.lacking({X: 2, "market:1": 5})
    assert lost == f"{X}: version 2, and 3 was known by a write"


def test_without_a_flush_a_writer_that_died_excuses_nothing() -> None:
    history = History()
    history.lost(X, write(100, 200))
    history.memory_lost(200 + 2 * SECOND, 201 + 2 * SECOND)
    history.looked({X: 1}, 210, "a look")
    history.read([read(220 + 3 * SECOND, 230 + 3 * SECOND, 0)], 230)
    assert judged(history) == (1, 0)


def test_what_is_older_than_any_read_is_let_go_but_not_the_floor() -> None:
    history = History()
    for number in range(1000):
        history.answered(X, write(number * SECOND, number * SECOND + 1), number, "a write")
        history.answered(f"session:{number}", write(number * SECOND, number * SECOND + 1), 1, "its end")
        history.retire(f"session:{number}", number * SECOND)
    history.forget(1000 * SECOND)
    kept = HORIZON // SECOND + 2
    assert len(history._registers) <= kept
    assert len(history._registers[X].writes) <= kept
    assert len(history._registers[X].answered._steps) <= kept
    history.read([read(2000 * SECOND, 2001 * SECOND, 998)], 0)
    assert judged(history) == (1, 0)


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 30))), st.integers(0, 31))
def test_a_floor_is_the_highest_version_known_before(known: list[tuple[int, int]], time: int) -> None:
    floor = Floor()
    for version, moment in known:
        floor.rise(version, moment, "somebody")
    expected = max((version for version, moment in known if moment < time), default=None)
    assert floor.at(time).version == expected if expected is not None else floor.at(time).source == "nobody"


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 9))), st.integers(0, 45))
def test_a_window_begins_where_the_first_of_those_that_overlap_begins(rows: list[tuple[int, int]], time: int) -> None:
    windows = Windows()
    for begin, length in rows:
        windows.add(begin, begin + length)

    def is_covered(moment: float) -> bool:
        return any(begin <= moment <= begin + length for begin, length in rows)

    first: float = time
    while is_covered(first - 0.5):
        first -= 0.5
    assert windows.beginning(time) == (first if is_covered(time) else None)


# --- Schedules --------------------------------------------------------------------------------------------


def test_a_seed_draws_the_same_schedules_each_time() -> None:
    assert drawn(7, 20) == drawn(7, 20)
    assert drawn(7, 20) != drawn(8, 20)


@given(SCHEDULES)
def test_a_schedule_is_read_back_as_it_was_written(schedule: Schedule) -> None:
    assert Schedule.from_json(schedule.to_json()) == schedule


def test_a_failing_schedule_is_made_smaller() -> None:
    schedule = next(row for row in drawn(3, 50) if len(row.families) > 1 and len(row.waits) > 3)
    needed = schedule.waits[2]
    smaller = shrunk(schedule, lambda part: needed in part.waits, 200, 1)
    assert smaller is not None
    assert (smaller.waits, smaller.kills, smaller.faults) == ((needed,), (), ())
    assert len(smaller.families) == 1


def test_a_schedule_whose_failure_does_not_come_again_is_left_as_it_is() -> None:
    assert shrunk(drawn(3, 5)[4], lambda part: False, 20, 1) is None


# --- Runs -------------------------------------------------------------------------------------------------


def test_no_read_is_stale_however_processes_die_and_redis_fails(
    stage: Servers, capsys: pytest.CaptureFixture[str]
) -> None:
    status = check(stage, arguments(["--seconds", str(SECONDS), "--shrink", "0"]), 1)
    told = capsys.readouterr()
    numbers = json.loads(told.out.splitlines()[-1])
    assert (status, numbers["violations"]) == (0, 0), told.err
    assert numbers["failures"] == 0, told.err
    assert numbers["seed"] == 1
    assert min(numbers["kills"], numbers["redis_faults"]) >= 3, numbers
    # A tenth of what two idle cores do.
    assert (numbers["reads"] >= 2000, numbers["writes"] >= 100, numbers["hits"] >= 500) == (True, True, True), numbers
    # What is excused must stay the exception.
    assert numbers["strict_reads"] > numbers["reads"] / 3, numbers
    assert numbers["excused_reads"] < numbers["reads"] / 100, numbers


@pytest.mark.parametrize("mechanism", sorted(AIMED))
def test_a_mechanism_that_is_switched_off_is_found_out(
    stage: Servers, capsys: pytest.CaptureFixture[str], mechanism: str
) -> None:
    status = check(stage, arguments(["--seconds", "30", "--shrink", "0", "--off", mechanism]), 1)
    told = capsys.readouterr()
    schedule, line = told.out.splitlines()
    numbers = json.loads(line)
    assert (status, numbers["off"]) == (1, mechanism)
    assert numbers["violations"] >= 1, told.err
    assert "STALE" in told.err
    assert dataclasses.asdict(Schedule.from_json(schedule)) == dataclasses.asdict(AIMED[mechanism])
