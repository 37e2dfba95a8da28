"""Settings from the environment: a malformed value stops the start with its name."""

import os
import subprocess
import sys
from collections.abc import Callable
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import environ
import pytest
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from bcraftd import checks
from bcraftd.config import Config, parse_rate

ROOT = Path(__file__).resolve().parent.parent
Read = Callable[[Config], Any]


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, Read], Any]:
    """`read(text, how)`: what the setting X is read as."""

    def reading(text: str, how: Read) -> Any:
        monkeypatch.setenv("X", text)
        return how(Config())

    return reading


def number(config: Config) -> int:
    return config.number("X", 7, 1, 100)


def seconds(config: Config) -> float:
    return config.seconds("X", 0.5)


def flag(config: Config) -> bool:
    return config.flag("X", True)


def rate(config: Config) -> tuple[int, int] | None:
    return config.rate("X", "60/m")


def networks(config: Config) -> list[Any]:
    return config.networks("X")


def words(config: Config) -> list[str]:
    return config.words("X", "a,b")


def database(config: Config) -> dict[str, object]:
    return config.database("X")


def redis(config: Config) -> str:
    return config.redis("X")


def level(config: Config) -> str:
    return config.choice("X", "INFO", ("INFO", "ERROR"))


@pytest.mark.parametrize(
    ("how", "text", "value"),
    [
        (number, "1", 1),
        (number, " 100 ", 100),
        (seconds, "0.25", 0.25),
        (seconds, "3", 3.0),
        (flag, "false", False),
        (flag, "OFF", False),
        (flag, "0", False),
        (flag, "Yes", True),
        (rate, "10/s", (10, 1)),
        (rate, "20/h", (20, 3600)),
        (rate, "5/d", (5, 86400)),
        (rate, "off", None),
        (rate, "OFF", None),
        (networks, "10.0.0.1, 2001:db8::/32", [ip_network("10.0.0.1/32"), ip_network("2001:db8::/32")]),
        (words, "x, y ,,z", ["x", "y", "z"]),
        (redis, "redis://:pw@host:6379/2", "redis://:pw@host:6379/2"),
        (redis, "rediss://host", "rediss://host"),
        (redis, "unix:///run/redis.sock", "unix:///run/redis.sock"),
        (level, "error", "ERROR"),
    ],
)
def test_a_well_formed_value_is_read(read: Callable[[str, Read], Any], how: Read, text: str, value: Any) -> None:
    assert read(text, how) == value


@pytest.mark.parametrize("text", ["", "   "])
@pytest.mark.parametrize(
    ("how", "value"),
    [
        (number, 7),
        (seconds, 0.5),
        (flag, True),
        (rate, (60, 60)),
        (networks, []),
        (words, ["a", "b"]),
        (redis, ""),
        (level, "INFO"),
    ],
)
def test_an_empty_value_is_as_none(read: Callable[[str, Read], Any], how: Read, text: str, value: Any) -> None:
    assert read(text, how) == value


MALFORMED: list[tuple[Read, list[str]]] = [
    (number, ["0", "101", "-1", "1.5", "ten", "1e2", "0x10", "1_0", "٣", "9" * 30]),
    (seconds, ["0", "0.0", "-1", "nan", "inf", "1e3", "soon", "1,5"]),
    (flag, ["2", "maybe", "tru", "nein"]),
    (rate, ["60", "60/", "0/m", "-1/m", "60/w", "60/2m", "1.5/m", "6 0/m", "m/60", "none", "9" * 8 + "/m"]),
    (networks, ["localhost", "10.0.0.1/8", "10.0.0", "10.0.0.0/33", "10.0.0.1;10.0.0.2"]),
    (database, ["", "db", "mysql://u:p@h/db", "postgres://", "http://h/db", "://", "postgres://[::1/db"]),
    (database, ["postgres://u:secret@h:port/db", "postgres://u:secret@h:70000/db"]),
    (redis, ["localhost:6379", "http://h", "redis://h:port/0", "redis://:secret@h:70000", "redis://h/cache"]),
    (redis, ["redis://[::1/0"]),
    (level, ["loud", "20"]),
]


@pytest.mark.parametrize(("how", "text"), [(how, text) for how, texts in MALFORMED for text in texts])
def test_a_malformed_value_stops_the_start_with_its_name_and_no_secret(
    read: Callable[[str, Read], Any], how: Read, text: str
) -> None:
    with pytest.raises(ImproperlyConfigured, match=r"^X(:| is not set)") as stopped:
        read(text, how)

    assert "secret" not in str(stopped.value)


def test_a_missing_secret_says_where_to_read_what_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("X", raising=False)

    with pytest.raises(ImproperlyConfigured, match=r"X is not set\. See \.env\.example"):
        Config().secret("X")


def test_a_database_url_is_read_with_its_options(read: Callable[[str, Read], Any]) -> None:
    found = read("postgresql://ada:p%40ss@db:5433/game?sslmode=require", database)

    assert (found["NAME"], found["USER"], found["PASSWORD"], found["HOST"], found["PORT"]) == (
        "game", "ada", "p@ss", "db", 5433,
    )  # fmt: skip
    assert found["OPTIONS"] == {"sslmode": "require"}


def test_the_first_redis_url_that_is_set_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("X", "")
    monkeypatch.setenv("Y", "redis://y")
    monkeypatch.setenv("Z", "redis://z")

    assert Config().redis("X", "Y", "Z") == "redis://y"


@pytest.mark.parametrize(("text", "rate"), [("60/m", (60, 60)), ("1/s", (1, 1)), ("9999999/d", (9999999, 86400))])
def test_a_rate_is_requests_and_seconds(text: str, rate: tuple[int, int]) -> None:
    assert parse_rate(text) == rate


def test_the_environment_wins_over_the_first_file_and_that_over_the_second(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Set and deleted, so that what the files leave in the environment is taken away again.
    for name in ("ONE", "TWO", "THREE", "FOUR"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    (tmp_path / "first").write_text("ONE=first\nTWO=first\nFOUR=\n")
    (tmp_path / "second").write_text("ONE=second\nTWO=second\nTHREE=second\nFOUR=second\n")
    monkeypatch.setenv("ONE", "environment")

    config = Config(tmp_path / "first", tmp_path / "missing", tmp_path / "second")

    assert [config.text(name) for name in ("ONE", "TWO", "THREE", "FOUR")] == [
        "environment",
        "first",
        "second",
        "second",
    ]


# --- The settings themselves, in a process of their own ---------------------------------------------------

REDIS_NAMES = ("REDIS_URL", "REDIS_URI", "REDIS_HOST", "REDIS_PORT", "REDIS_DB", "REDIS_PASSWORD")


def start(expression: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Prints an expression over the settings, started with no Redis settings but the given ones."""
    clean = {name: value for name, value in os.environ.items() if name not in REDIS_NAMES}
    program = f"from bcraftd import settings; print({expression})"
    return subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env={**clean, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("environment", "url"),
    [
        ({}, "redis://127.0.0.1:6379/0"),
        ({"REDIS_URL": "redis://a:1/1", "REDIS_URI": "redis://b:2/2", "REDIS_HOST": "c"}, "redis://a:1/1"),
        ({"REDIS_URL": "", "REDIS_URI": "redis://b:2/2", "REDIS_HOST": "c"}, "redis://b:2/2"),
        ({"REDIS_HOST": "cache", "REDIS_PORT": "6380", "REDIS_DB": "3"}, "redis://cache:6380/3"),
        ({"REDIS_HOST": "cache", "REDIS_PASSWORD": "p@ss/w:rd"}, "redis://:p%40ss%2Fw%3Ard@cache:6379/0"),
    ],
)
def test_redis_is_found_by_url_or_by_its_parts(environment: dict[str, str], url: str) -> None:
    assert start("settings.REDIS_URL", **environment).stdout.strip() == url


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SECRET_KEY", ""),
        ("JWT_SIGNING_KEY", ""),
        ("DATABASE_URL", "sqlite:///db"),
        ("REDIS_URL", "localhost:6379"),
        ("REDIS_PORT", "six"),
        ("RATE_LIMIT_CRAFT", "ten a minute"),
        ("TRUSTED_PROXIES", "proxy"),
        ("CACHE_SESSION_TTL", "59"),
        ("MARKET_FEE_PERCENT", "101"),
        ("DEBUG", "perhaps"),
        ("LOG_LEVEL", "LOUD"),
    ],
)
def test_a_malformed_setting_stops_the_start_with_its_name(name: str, value: str) -> None:
    stopped = start("1", **{name: value})

    assert stopped.returncode != 0
    assert f"ImproperlyConfigured: {name}" in stopped.stderr.splitlines()[-1]


def test_options_of_the_database_url_are_kept_beside_ours() -> None:
    answer = start("settings.DATABASES['default']['OPTIONS']", DATABASE_URL="postgres://u:p@h/db?sslmode=require")

    assert "'sslmode': 'require'" in answer.stdout
    assert "statement_timeout" in answer.stdout


def test_a_standby_among_the_hosts_that_the_primary_is_found_in_is_no_second_naming(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hosts = "postgres://bcraftd@a,b:5432/game?target_session_attrs="
    for wanted, found in (("standby", []), ("read-write", ["bcraftd.E010"])):
        databases = {
            name: environ.Env().db_url_config(hosts + each)
            for name, each in (("default", "read-write"), ("replica-1", wanted))
        }
        monkeypatch.setattr(settings, "DATABASES", databases)
        assert [message.id for message in checks.replicas_are_others(None)] == found
