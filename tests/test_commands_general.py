"""What is the same for every manage.py command of ours: an example in its help, an exit status that tells the truth."""

import json
import os
import pty
import subprocess
import sys
from contextlib import suppress

import pytest
from django.core.management import execute_from_command_line, get_commands, load_command_class

from accounts.models import Player
from bcraftd.commands import ReportingCommand
from tests.programs import ROOT, command, environment, manage
from tests.support import Api

APPS = ("bcraftd", "accounts", "inventory", "market", "environment", "leaderboard")
OURS = sorted(name for name, app in get_commands().items() if app in APPS)
# Words without which a command is not understood.
NEEDED = {
    "backup": ["somewhere"],
    "restore": ["somewhere"],
    "grant": ["ada"],
    "populate": ["--players", "1", "--listings", "0"],
    "simulate": ["--players", "1", "--seconds", "1"],
}
NOWHERE = {"REDIS_URL": "redis://127.0.0.1:1/0"}


def _status(*words: str) -> int:
    """The exit status of a command run in this process."""
    try:
        execute_from_command_line(["manage.py", *words])
    except SystemExit as end:
        return int(end.code or 0)
    return 0


@pytest.mark.parametrize("name", OURS)
def test_help_says_what_it_does_with_an_example_that_works(name: str) -> None:
    ours = load_command_class(get_commands()[name], name)
    assert isinstance(ours, ReportingCommand)
    text, _, example = ours.help.partition(" Example: manage.py ")

    assert text
    assert text.endswith(".")
    program, *words = example.split()
    assert program == name
    # The example's words are ones that the command takes.
    parsed = ours.create_parser("manage.py", name).parse_args(words)
    assert hasattr(parsed, "json")
    assert example in " ".join(ours.create_parser("manage.py", name).format_help().split())


@pytest.mark.parametrize("name", OURS)
def test_an_unknown_option_is_refused(world: None, capsys: pytest.CaptureFixture[str], name: str) -> None:
    assert _status(name, *NEEDED.get(name, []), "--nonsense") == 2

    assert "unrecognized arguments: --nonsense" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        ["grant", "nobody", "--coins", "5"],
        ["grant", "ada"],
        ["grant", "ada", "--item", "moonbeam=1"],
        ["grant", "ada", "--coins", "9007199254740991"],
        ["cache_flush", "--yes"],
        ["cache_flush", "--all"],
    ],
)
def test_what_was_not_done_exits_with_one_and_a_sentence(
    ada: Api, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    assert _status(*words, "--json") == 1

    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("CommandError: ")
    assert said.err.rstrip().endswith(".")
    assert Player.objects.get(pk=ada.id).coins == 1000


@pytest.mark.parametrize(
    "words",
    [["grant"], ["grant", "ada", "--coins", "-5"], ["grant", "ada", "--item", "yawnwort"], ["cache_flush", "--user"]],
)
def test_words_that_make_no_sense_exit_with_two(ada: Api, capsys: pytest.CaptureFixture[str], words: list[str]) -> None:
    assert _status(*words) == 2

    assert "usage: manage.py" in capsys.readouterr().err
    assert Player.objects.get(pk=ada.id).coins == 1000


@pytest.mark.parametrize(
    "name",
    ["cache_flush", "cache_keys", "cache_stats", "economy_audit", "leaderboard_refresh", "listings_expire", "seed"],
)
def test_the_json_is_one_line_and_nothing_else(world: None, name: str) -> None:
    words = ["--all", "--yes"] if name == "cache_flush" else []

    printed = command(name, "--json", *words)

    assert printed.count("\n") == 1
    json.loads(printed)


def test_as_a_program_it_exits_with_zero_where_it_did_its_work(ada: Api) -> None:
    done = manage("grant", "ada", "--coins", "5", "--item", "yawnwort=2", "--json")

    assert (done.returncode, json.loads(done.stdout)) == (0, {"login": "ada", "coins": 1005, "items": {"yawnwort": 2}})
    assert ada.holds("yawnwort") == 2


@pytest.mark.parametrize("name", ["cache_flush", "cache_keys", "cache_stats"])
def test_as_a_program_it_exits_with_one_where_redis_is_down(world: None, name: str) -> None:
    words = ["--all", "--yes"] if name == "cache_flush" else []

    done = manage(name, "--json", *words, **NOWHERE)

    assert (done.returncode, done.stdout) == (1, "")
    assert "CommandError: Redis does not answer" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("name", ["economy_audit", "leaderboard_refresh", "listings_expire", "seed"])
def test_what_needs_only_postgresql_works_without_redis(world: None, name: str) -> None:
    done = manage(name, "--json", **NOWHERE)

    assert done.returncode == 0, done.stderr
    assert isinstance(json.loads(done.stdout), dict)


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        (["economy_audit"], "checks"),
        (["cache_audit"], "keys"),
        (["cache_keys"], "going through the keys"),
        (["leaderboard_refresh"], "refreshing"),
        (["populate", "--players", "2", "--listings", "0"], "players"),
    ],
)
def test_what_takes_long_shows_that_it_works_where_somebody_looks_on(ada: Api, words: list[str], shown: str) -> None:
    assert shown in _at_a_terminal(*words)
    json.loads(_at_a_terminal(*words, "--json"))


def _at_a_terminal(*words: str) -> str:
    """What a command writes to a terminal, escape sequences included."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "manage.py", *words],
        cwd=ROOT,
        env=environment(TERM="xterm", COLUMNS="120"),
        stdin=theirs,
        stdout=theirs,
        stderr=subprocess.DEVNULL,
    )
    os.close(theirs)
    said = b""
    with suppress(OSError):
        # Reading fails once nobody holds the other end.
        while part := os.read(ours, 4096):
            said += part
    os.close(ours)
    assert process.wait(timeout=60) == 0
    return said.decode()
