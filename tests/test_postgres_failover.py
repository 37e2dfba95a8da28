"""The PostgreSQL primary dies while players play, and its synchronous standby takes its place."""

from tests.drill.__main__ import folders, with_a_standby


def test_the_primary_dies_under_load_and_every_answered_write_is_there() -> None:
    """The drill itself asserts that the audit of the economy is clean afterwards."""
    with folders() as places:
        [row] = with_a_standby(*places)
    assert (row.lost, row.stale, row.bots.refused) == ([], [], [])
    assert row.record.failed, "it was noticed"
    assert row.normal < row.window, "and over"
