"""Reading settings from the environment, strictly: a malformed value stops the start with its name."""

import ipaddress
import os
import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import environ
from django.core.exceptions import ImproperlyConfigured

from bcraftd import redisplace

T = TypeVar("T")

RATE = re.compile(r"([1-9][0-9]{0,6})/([smhd])")
# What Django's checks have as id and hint: settings are read before these can run.
HINT = "See .env.example for what it is."
SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def parse_rate(text: str) -> tuple[int, int] | None:
    """`"60/m"` gives `(60, 60)`: requests and the window in seconds. `"off"` gives None.

    Raises ValueError for anything else.
    """
    if text.lower() == "off":
        return None
    match = RATE.fullmatch(text)
    if match is None:
        raise ValueError("expected a number, a slash and one of s, m, h, d (as in 60/m), or off")
    return int(match[1]), SECONDS[match[2]]


def _malformed(name: str, why: object) -> ImproperlyConfigured:
    return ImproperlyConfigured(f"{name}: {why}. {HINT} (bcraftd.E012)")


def _flag(text: str) -> bool:
    known = {"true": True, "1": True, "yes": True, "on": True, "false": False, "0": False, "no": False, "off": False}
    try:
        return known[text.lower()]
    except KeyError:
        raise ValueError("expected true or false") from None


def _networks(text: str) -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    return [ipaddress.ip_network(part.strip()) for part in text.split(",") if part.strip()]


class Config:
    """Typed access to the environment. A value that is set but empty counts as not set, because
    docker compose passes every variable of its list, also the ones that the operator left out."""

    def __init__(self, *files: Path) -> None:
        self.env = environ.Env()
        for file in files:
            if file.is_file():
                before = set(os.environ)
                # What is already set stays: the environment wins, then the first file.
                self.env.read_env(str(file), overwrite=False)
                # An empty line (`.env.example` as it comes) leaves the setting to the next file.
                for name in set(os.environ) - before:
                    if not os.environ[name]:
                        del os.environ[name]

    def _read(self, name: str, parse: Callable[[str], T], default: T | None, required: bool) -> T | None:
        text = os.environ.get(name, "").strip()
        if not text:
            if required:
                raise ImproperlyConfigured(f"{name} is not set. {HINT} (bcraftd.E011)")
            return default
        try:
            return parse(text)
        except ValueError as error:
            raise _malformed(name, error) from None

    def text(self, name: str, default: str = "") -> str:
        """The text of a setting."""
        return self._read(name, lambda text: text, default, False) or ""

    def secret(self, name: str) -> str:
        """A setting that has no default. Raises ImproperlyConfigured where it is missing."""
        return self._read(name, lambda text: text, None, True) or ""

    def number(self, name: str, default: int, minimum: int = 0, maximum: int = 2**53 - 1) -> int:
        """A whole number within bounds."""

        def parse(text: str) -> int:
            if not re.fullmatch(r"-?[0-9]{1,18}", text):
                raise ValueError("expected a whole number")
            if not minimum <= int(text) <= maximum:
                raise ValueError(f"expected a number from {minimum} to {maximum}")
            return int(text)

        value = self._read(name, parse, default, False)
        return default if value is None else value

    def seconds(self, name: str, default: float) -> float:
        """A duration in seconds, greater than zero."""

        def parse(text: str) -> float:
            if not re.fullmatch(r"[0-9]{1,6}(\.[0-9]{1,6})?", text) or float(text) <= 0:
                raise ValueError("expected seconds, greater than zero")
            return float(text)

        return self._read(name, parse, default, False) or default

    def flag(self, name: str, default: bool) -> bool:
        """true or false."""
        value = self._read(name, _flag, default, False)
        return default if value is None else value

    def rate(self, name: str, default: str) -> tuple[int, int] | None:
        """A rate limit as (requests, seconds), None where it is off."""
        text = self.text(name, default)
        try:
            return parse_rate(text)
        except ValueError as error:
            raise _malformed(name, error) from None

    def words(self, name: str, default: str = "") -> list[str]:
        """Words separated by commas."""
        return [word.strip() for word in self.text(name, default).split(",") if word.strip()]

    def networks(self, name: str) -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
        """Addresses or networks separated by commas."""
        return self._read(name, _networks, [], False) or []

    def database(self, name: str) -> dict[str, Any]:
        """A PostgreSQL URL as Django's dictionary. Raises ImproperlyConfigured where it is missing or another kind."""
        return self._database(name, self.secret(name))

    def databases(self, name: str) -> list[dict[str, Any]]:
        """PostgreSQL URLs separated by commas. Within one, commas are between hosts."""
        urls = re.split(r"\s*,\s*(?=\w+://)", self.text(name).strip(", "))
        return [self._database(name, url) for url in urls if url]

    def _database(self, name: str, url: str) -> dict[str, Any]:
        parsed: dict[str, Any] = {}
        if url.startswith(("postgres://", "postgresql://")):
            # What urlsplit says of a bad port or address would show half of the URL; the form is enough.
            with suppress(ValueError):
                parsed = dict(self.env.db_url_config(url))
        if parsed.get("ENGINE") != "django.db.backends.postgresql" or not parsed.get("NAME"):
            raise _malformed(name, "expected postgres://user:password@host:port/database")
        return parsed

    def redis(self, *names: str) -> str:
        """The first Redis URL that is set, "" where none is. Raises ImproperlyConfigured for a bad one."""
        for name in names:
            url = self.text(name)
            if url and not redisplace.is_understood(url):
                raise _malformed(name, f"expected {redisplace.FORMS}")
            if url:
                return url
        return ""

    def choice(self, name: str, default: str, known: Sequence[str]) -> str:
        """One of some words, in capitals."""
        value = self.text(name, default).upper()
        if value not in known:
            raise _malformed(name, f"expected one of {', '.join(known)}")
        return value
