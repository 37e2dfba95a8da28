"""What refuses the start, in every program that serves: the API's server, the worker and each command.

Each case starts real processes and reads what they say before they end.
"""

import os
import re
import secrets
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bcraftd import checks, secrecy
from bcraftd.embedded.process import free_port
from bcraftd.network import is_loopback

ROOT = Path(__file__).resolve().parent.parent
CHECK = ("manage.py", "check")
SERVE = ("-c", "import bcraftd.wsgi; print('it would serve')")
RANDOM = secrets.token_urlsafe(48)


def start(*words: str, **settings: str) -> "subprocess.Popen[str]":
    """A program of ours on other settings. It has no connection to make before it is refused."""
    return subprocess.Popen(
        [sys.executable, *words],
        cwd=ROOT,
        env={**os.environ, **settings},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def ends(program: "subprocess.Popen[str]") -> tuple[int, str]:
    """Its exit status, and all that it said."""
    try:
        said, _ = program.communicate(timeout=120)
    finally:
        program.kill()
    return program.returncode, said


REFUSED: list[tuple[str, str, dict[str, str]]] = [
    ("bcraftd.E001", "SECRET_KEY", {"SECRET_KEY": RANDOM[:31]}),
    ("bcraftd.E001", "JWT_SIGNING_KEY", {"JWT_SIGNING_KEY": RANDOM[:31]}),
    ("bcraftd.E002", "JWT_SIGNING_KEY", {"SECRET_KEY": RANDOM, "JWT_SIGNING_KEY": RANDOM}),
    ("bcraftd.E003", "CACHES", {"DJANGO_SETTINGS_MODULE": "tests.settings_pickle"}),
    ("bcraftd.E007", "SECRET_KEY", {"SECRET_KEY": "django-insecure-" + RANDOM}),
    ("bcraftd.E007", "JWT_SIGNING_KEY", {"JWT_SIGNING_KEY": "a" * 64}),
    ("bcraftd.E007", "METRICS_TOKEN", {"METRICS_TOKEN": "changeme"}),
    ("bcraftd.E007", "DATABASE_URL", {"DATABASE_URL": "postgres://postgres:postgres@db.internal/game"}),
    ("bcraftd.E007", "REDIS_PASSWORD", {"REDIS_URL": "redis://:Change_Me@cache.internal:6379/0"}),
    ("bcraftd.E008", "DEBUG", {"DEBUG": "true", "BIND": "0.0.0.0"}),  # noqa: S104
    ("bcraftd.E009", "REDIS_URL", {"REDIS_URL": "redis://cache.internal:6379/0"}),
    ("bcraftd.E009", "REDIS_HOST", {"REDIS_URL": "", "REDIS_HOST": "10.0.0.7"}),
    (
        "bcraftd.E007",
        "DATABASE_REPLICA_URLS",
        {"DATABASE_REPLICA_URLS": "postgres://postgres:postgres@b.internal/game"},
    ),
    ("bcraftd.E010", "DATABASE_REPLICA_URLS", {"DATABASE_REPLICA_URLS": "postgres:///game,postgres:///game"}),
    ("bcraftd.E012", "DATABASE_REPLICA_URLS", {"DATABASE_REPLICA_URLS": "mysql://player@b.internal/game"}),
    ("bcraftd.E011", "SECRET_KEY", {"SECRET_KEY": ""}),
    ("bcraftd.E011", "JWT_SIGNING_KEY", {"JWT_SIGNING_KEY": ""}),
    ("bcraftd.E011", "DATABASE_URL", {"DATABASE_URL": ""}),
]


@pytest.mark.parametrize(("why", "name", "given"), REFUSED, ids=[f"{why} {name}" for why, name, _ in REFUSED])
def test_an_unsafe_setting_stops_the_server_and_every_command_with_its_name(
    why: str, name: str, given: dict[str, str]
) -> None:
    programs = [start(*words, **given) for words in (SERVE, CHECK)]

    for status, said in map(ends, programs):
        assert status != 0, said
        assert why in said, said
        assert name in said, said
        assert "it would serve" not in said
        for secret in given.values():
            assert len(secret) < 12 or "tests." in secret or secret not in said, "no secret is shown"


def test_the_settings_of_the_tests_are_served() -> None:
    programs = [start(*words, REDIS_URL="redis://127.0.0.1:1/0") for words in (SERVE, CHECK)]

    assert [ends(program)[0] for program in programs] == [0, 0]


def test_granian_gives_up_before_it_answers_anybody() -> None:
    """Where it is told to replace dead workers, it gives up once they die young; how young is the machine's speed."""
    where = ["--interface", "wsgi", "--host", "127.0.0.1", "--port", str(free_port()), "--workers", "2", "--no-ws"]

    server = start("-m", "granian", *where, "bcraftd.wsgi:application", REDIS_URL="redis://cache.internal:6379/0")

    status, said = ends(server)
    assert status != 0
    assert "This cannot be served" in said
    assert "bcraftd.E009" in said


def test_the_worker_does_not_start_either() -> None:
    status, said = ends(start("manage.py", "qcluster", JWT_SIGNING_KEY="short"))

    assert status != 0
    assert "bcraftd.E001" in said


def test_granians_own_host_counts_also_where_bind_does_not_name_it() -> None:
    options = ["--interface", "wsgi", "--host", "0.0.0.0", "--port", str(free_port()), "--no-ws"]  # noqa: S104

    status, said = ends(start("-m", "granian", *options, "bcraftd.wsgi:application", DEBUG="true"))

    assert status != 0
    assert "bcraftd.E008" in said
    assert "0.0.0.0" in said  # noqa: S104


# --- What counts as known, uniform, loopback --------------------------------------------------------------


@pytest.mark.parametrize(
    "secret",
    ["changeme", "Change-Me", "CHANGE_THIS_IN_PRODUCTION", "django-insecure-x7$k", "your-secret-key", "password123",
     "my.secret.key", "default", "redis", "postgres", "admin", "bcraftd", "tests-only-secret-key", "example-token"],
)  # fmt: skip
def test_what_stands_in_examples_is_known(secret: str) -> None:
    assert secrecy.is_known(secret)


@pytest.mark.parametrize(
    "secret", ["a" * 64, "0123456789abcdef" * 4, "abcdefghijklmnopqrstuvwxyz0123456789", "ab" * 32]
)
def test_one_letter_again_and_again_and_a_sequence_are_uniform(secret: str) -> None:
    assert secrecy.is_uniform(secret)


def test_what_the_hint_makes_is_neither() -> None:
    for _ in range(1000):
        for made in (secrets.token_urlsafe(48), secrets.token_hex(32)):
            assert not secrecy.is_known(made)
            assert not secrecy.is_uniform(made)


def keys_in_the_repository() -> Iterator[tuple[str, str]]:
    """Every value that some file gives a key, wherever it stands."""
    files = [
        path for pattern in ("*", ".ci/*", "docs/*", "tests/**/*.py", "*/tests/*.py") for path in ROOT.glob(pattern)
    ]
    for path in [*files, ROOT / ".env.example"]:
        if path.is_file() and path.suffix != ".lock" and path.name != ".env":
            text = path.read_text(encoding="utf-8", errors="replace")
            for value in re.findall(
                r"(?:SECRET_KEY|JWT_SIGNING_KEY)[\"']?\s*[=:]\s*[\"']?([\w-]{8,})(?![\w.(-])", text
            ):
                yield path.name, value


def test_every_key_that_stands_in_this_repository_is_refused() -> None:
    found = list(keys_in_the_repository())

    assert [name for name, _ in found if name == "Makefile"], "the type checker's"
    for name, value in found:
        assert secrecy.is_known(value) or secrecy.is_uniform(value) or len(value) < checks.MIN_KEY_BYTES, (name, value)


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.8.8.8", "::1", "[::1]", "::ffff:127.0.0.1", "localhost", "LocalHost"]
)
def test_loopback_is_known_by_name_and_address(host: str) -> None:
    assert is_loopback(host)


ELSEWHERE = ["0.0.0.0", "::", "0", "10.0.0.1", "redis", "localhost.example.org", "", "::ffff:10.0.0.1"]  # noqa: S104


@pytest.mark.parametrize("host", ELSEWHERE)
def test_everything_else_can_be_reached(host: str) -> None:
    assert not is_loopback(host)


@pytest.mark.parametrize(
    ("words", "environment", "hosts"),
    [
        ([], {}, {"127.0.0.1"}),
        (["granian", "--host", "0.0.0.0"], {}, {"127.0.0.1", "0.0.0.0"}),  # noqa: S104
        (["granian", "--host=::"], {}, {"127.0.0.1", "::"}),
        (["granian"], {"GRANIAN_HOST": "10.0.0.1"}, {"127.0.0.1", "10.0.0.1"}),
        (["manage.py", "runserver"], {}, {"127.0.0.1"}),
        (["manage.py", "runserver", "8000"], {}, {"127.0.0.1"}),
        (["manage.py", "runserver", "0:8000"], {}, {"127.0.0.1", "0"}),
        (["manage.py", "runserver", "--noreload", "[::]:8000"], {}, {"127.0.0.1", "[::]"}),
        (["manage.py", "grant", "ada", "10:20"], {}, {"127.0.0.1"}),
    ],
)
def test_where_a_program_listens_is_read_from_its_own_words(
    monkeypatch: pytest.MonkeyPatch, words: list[str], environment: dict[str, str], hosts: set[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["program", *words])
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    assert checks.listening() == hosts


@pytest.mark.parametrize(
    ("url", "refused"),
    [
        ("redis://127.0.0.1:6379/0", False),
        ("redis://localhost/0", False),
        ("redis://[::1]:6379/0", False),
        ("unix:///run/redis.sock", False),
        ("redis://:f3kq9vx2@cache:6379/0", False),
        ("redis://cache:6379/0?password=f3kq9vx2", False),
        ("rediss://cache:6380/0", True),
        ("redis://user@cache:6379/0", True),
        ("redis://:@cache:6379/0", True),
        ("redis://0.0.0.0:6379/0", True),
    ],
)
def test_a_redis_elsewhere_needs_a_password(settings: Any, url: str, refused: bool) -> None:
    settings.REDIS_URL = url

    assert [message.id for message in checks.redis_asks_who_is_there(None)] == ["bcraftd.E009"] * refused


def test_a_server_on_this_machine_may_have_a_simple_password(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.REDIS_URL = "redis://:redis@127.0.0.1:6379/0"
    monkeypatch.setitem(settings.DATABASES["default"], "HOST", "")
    monkeypatch.setitem(settings.DATABASES["default"], "PASSWORD", "postgres")

    assert checks.secrets_are_not_known(None) == []
