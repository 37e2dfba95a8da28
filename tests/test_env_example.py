"""What .env.example promises to whoever copies it."""

import re
from pathlib import Path

import environ
import pytest

from tests.composition import COMPOSE_TEXT, EXAMPLE, env_of, example, settings, variables


def test_env_example_names_every_setting_and_only_settings() -> None:
    assert example(EXAMPLE).keys() == settings().keys() | variables(COMPOSE_TEXT).keys()


def test_env_example_shows_the_defaults_that_hold() -> None:
    shown = example(EXAMPLE)
    for name, default in (variables(COMPOSE_TEXT) | settings()).items():
        if default is not None:
            value, commented = shown[name]
            assert commented, name
            assert value.lower() == default.lower(), name


def test_required_settings_stand_empty_in_env_example() -> None:
    required = {"SECRET_KEY", "JWT_SIGNING_KEY", "POSTGRES_PASSWORD", "REDIS_PASSWORD", "COMMANDER_PASSWORD"}
    assert {name for name, value in example(EXAMPLE).items() if value == ("", False)} == required
    for name, default in variables(COMPOSE_TEXT).items():
        if default is None:
            assert not example(EXAMPLE)[name][1], f"{name} is required by docker-compose.yml"


def test_the_command_in_env_example_makes_an_env_file_with_a_secret_in_every_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    made = env_of(EXAMPLE, tmp_path)
    values: dict[str, str] = {}
    monkeypatch.setattr(environ.Env, "ENVIRON", values)
    environ.Env.read_env(str(made))
    assert caplog.text == ""
    assert values.keys() == {name for name, (_, commented) in example(EXAMPLE).items() if not commented}
    assert len(set(values.values())) == len(values)
    for name, value in values.items():
        # Only characters that mean nothing in a URL, in redis.conf or to docker compose.
        assert re.fullmatch(r"[A-Za-z0-9_-]+", value), name
        assert len(value) >= 64 or name == "COMMANDER_USER", name
