"""How one program is held: it is stopped alone, leaves nobody behind, and says why it could not start."""

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bcraftd.embedded.files import kept_secret, open_log, tail, write_private
from bcraftd.embedded.process import Child, ServerError, free_port
from tests.processes import processes_in, wait_until, wait_until_empty

# --- The leash


@pytest.fixture
def leash(folder: Path) -> Iterator[Callable[..., Child]]:
    """Makes a Child that runs a shell script; all of them are stopped at the end."""
    made: list[Child] = []

    def make(script: str, grace: float = 15.0) -> Child:
        made.append(Child("test", ["sh", "-c", script], log=folder / "child.log", cwd=folder, grace=grace))
        return made[-1]

    yield make
    for child in made:
        child.stop()


def test_a_command_is_stopped_without_its_children_being_signalled(folder: Path, leash: Callable[..., Child]) -> None:
    script = """
        sh -c 'trap "echo signalled >> told; exit" TERM; echo ready > up; while :; do sleep 0.1; done' &
        trap 'echo stopping >> told; kill -KILL $!; exit 0' TERM; while :; do sleep 0.1; done
    """
    running = leash(script, grace=60)
    running.start()
    wait_until((folder / "up").exists, "the grandchild")
    running.stop()
    assert (folder / "told").read_text() == "stopping\n"
    assert running.wait() == 0


def test_what_does_not_stop_is_killed(folder: Path, leash: Callable[..., Child]) -> None:
    running = leash('trap "" TERM; echo ready > up; while :; do sleep 0.1; done', grace=0.5)
    running.start()
    wait_until((folder / "up").exists, "the child")
    running.stop()
    assert running.wait() == 128 + signal.SIGKILL
    assert not running.running


def test_orphans_of_a_command_that_died_are_killed(folder: Path, leash: Callable[..., Child]) -> None:
    running = leash("setsid sleep 1000 & sleep 1000 & exit 3")
    running.start()
    assert running.wait(60) == 3


def test_what_a_killed_guard_left_is_killed_on_stop(folder: Path, leash: Callable[..., Child]) -> None:
    running = leash('trap "" TERM; sleep 1000 & echo ready > up; wait; sleep 1000', grace=0.5)
    running.start()
    wait_until((folder / "up").exists, "the child")
    (guard,) = (pid for pid in processes_in(folder) if os.getpgid(pid) == pid)  # it leads the session
    os.kill(guard, signal.SIGKILL)
    wait_until(lambda: not running.running, "the guard's end")
    running.stop()
    wait_until_empty(folder)


def test_a_killed_guard_still_ends_the_server(folder: Path, leash: Callable[..., Child]) -> None:
    """The kernel tells the command to stop, should the one who started both be gone as well."""
    running = leash("exec sleep 1000")
    running.start()
    (guard,) = (pid for pid in processes_in(folder) if os.getpgid(pid) == pid)
    os.kill(guard, signal.SIGKILL)
    wait_until_empty(folder)


def test_a_command_that_does_not_exist_says_so(folder: Path, leash: Callable[..., Child]) -> None:
    missing = Child("test", ["/no/such/program"], log=folder / "child.log", cwd=folder)
    missing.start()
    assert missing.wait(60) == 127
    assert "/no/such/program" in missing.tail()
    missing.stop()
    with pytest.raises(ServerError, match="does not run"):
        missing.send(signal.SIGTERM)


def test_a_command_runs_once_at_a_time(folder: Path, leash: Callable[..., Child]) -> None:
    running = leash("sleep 1000")
    running.start()
    with pytest.raises(ServerError, match="running already"):
        running.start()
    running.stop()
    running.stop()
    running.start()
    assert running.running
    running.stop()


# --- Files


def test_secrets_and_private_files(tmp_path: Path) -> None:
    secret = kept_secret(tmp_path / "secret")
    assert len(secret) >= 50
    assert kept_secret(tmp_path / "secret") == secret
    assert kept_secret(tmp_path / "other") != secret
    write_private(tmp_path / "file", "one")
    write_private(tmp_path / "file", "two")
    assert (tmp_path / "file").read_text() == "two"
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}


def test_a_long_log_is_put_aside(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(b"old\n" * 3_000_000)
    os.close(open_log(log))
    assert log.stat().st_size == 0
    assert (tmp_path / "log.1").stat().st_size == 12_000_000
    assert tail(log) == "(the log is empty)"
    assert tail(tmp_path / "log.1", 2) == "old\nold"
    assert tail(tmp_path / "none").startswith("(no log")


def test_a_free_port_is_free() -> None:
    assert 1024 < free_port() < 65536
