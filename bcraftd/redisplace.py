"""Where Redis is: one server, or the primary of a service that Sentinels watch over."""

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

from redis.connection import parse_url

SENTINEL_SCHEMES = ("redis+sentinel", "rediss+sentinel")
SENTINEL_PORT = 26379
FORMS = "redis://:password@host:port/number or redis+sentinel://:password@host:port,host:port/service/number"


@dataclass(frozen=True, slots=True)
class Service:
    """A service under Sentinel. username and password are those of Redis itself, "" for none; tls: whether Redis is
    spoken to by TLS."""

    sentinels: tuple[tuple[str, int], ...]
    name: str
    db: int = 0
    username: str = ""
    password: str = ""
    tls: bool = False

    @property
    def location(self) -> str:
        """The URL by which django-redis and redis-py name it: the service stands in the host's place."""
        return f"{'rediss' if self.tls else 'redis'}://{self.name}/{self.db}"


def service(url: str) -> Service | None:
    """The service that a URL names, None where it names one server. Raises ValueError for a malformed one."""
    parts = urlsplit(url)
    if parts.scheme not in SENTINEL_SCHEMES:
        return None
    login, _, hosts = parts.netloc.rpartition("@")
    found = re.fullmatch(r"/([A-Za-z0-9._-]+)(?:/([0-9]{1,4}))?", parts.path)
    if found is None or parts.query or parts.fragment:
        raise ValueError("a service's name is missing")
    username, _, password = login.partition(":")
    return Service(
        tuple(_address(host) for host in hosts.split(",")),
        found[1],
        int(found[2] or 0),
        unquote(username),
        unquote(password),
        parts.scheme == SENTINEL_SCHEMES[1],
    )


def _address(text: str) -> tuple[str, int]:
    """`host`, `host:port` or `[address]:port` in two parts. Raises ValueError."""
    found = re.fullmatch(r"(\[[0-9a-fA-F:.]+\]|[^\[\]:/@\s]+)(?::([0-9]{1,5}))?", text)
    if found is None or not 0 < int(found[2] or SENTINEL_PORT) < 65536:
        raise ValueError("a sentinel is no host:port")
    return found[1].strip("[]"), int(found[2] or SENTINEL_PORT)


def is_understood(url: str) -> bool:
    """Whether the client library will understand all of it; it takes a database that is no number for 0."""
    try:
        if service(url) is not None:
            return True
        parsed: dict[str, Any] = parse_url(url)
        database = urlsplit(url).path.strip("/")
    except ValueError:
        return False
    return "path" in parsed or not database or "db" in parsed


def password_of(url: str) -> str:
    """The password in a URL, "" where it has none."""
    found = service(url)
    return found.password if found is not None else str(parse_url(url).get("password") or "")


def hosts_of(url: str) -> list[str]:
    """The hosts that a URL names: the server's, or the sentinels'. Empty for a socket on this machine."""
    found = service(url)
    if found is not None:
        return [host for host, _ in found.sentinels]
    parsed: dict[str, Any] = parse_url(url)
    return [] if "path" in parsed else [str(parsed.get("host", "localhost"))]
