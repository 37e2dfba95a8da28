"""REDIS_URL: one server, or a service under Sentinel."""

from typing import Any

import pytest

from bcraftd import checks, redisplace
from bcraftd.redisplace import Service
from tests.test_http_config import start


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("redis+sentinel://a:1,b:2,c:3/game/4", Service((("a", 1), ("b", 2), ("c", 3)), "game", 4)),
        ("redis+sentinel://:p%40ss@a,b/game", Service((("a", 26379), ("b", 26379)), "game", 0, "", "p@ss")),
        ("rediss+sentinel://u:p@[::1]:5/game-1/0", Service((("::1", 5),), "game-1", 0, "u", "p", tls=True)),
        ("redis://:p@a:1/0", None),
    ],
)
def test_a_service_is_read_from_its_url(url: str, expected: Service | None) -> None:
    assert redisplace.service(url) == expected
    assert redisplace.is_understood(url)


@pytest.mark.parametrize(
    "url",
    [
        "redis+sentinel://a:1,b:2",
        "redis+sentinel://a:1,b:2/",
        "redis+sentinel:///game/0",
        "redis+sentinel://a:1,,b:2/game/0",
        "redis+sentinel://a:0/game/0",
        "redis+sentinel://a:65536/game/0",
        "redis+sentinel://a:x/game/0",
        "redis+sentinel://a:1/game/x",
        "redis+sentinel://a:1/game/0/1",
        "redis+sentinel://a:1/game/0?is_master=0",
        "redis+sentinel://::1/game/0",
        "sentinel://a:1/game/0",
    ],
)
def test_a_bad_one_stops_the_start_without_showing_it(url: str) -> None:
    assert not redisplace.is_understood(url)
    secret = url.replace("://", "://:a-secret-word@")
    answer = start("settings.REDIS_URL", REDIS_URL=secret)
    assert answer.returncode != 0
    assert "REDIS_URL: expected redis://" in answer.stderr
    assert "a-secret-word" not in answer.stderr


def test_the_primary_alone_is_asked_with_the_servers_own_password() -> None:
    url = "redis+sentinel://:of-the-server@a:1,b:2/game/3"
    shown = "settings.CACHES['default']['LOCATION'], settings.CACHES['default']['OPTIONS']['PASSWORD'],"
    shown += " settings.CACHES['default']['OPTIONS']['SENTINEL_KWARGS']['password']"
    answer = start(shown, REDIS_URL=url, REDIS_SENTINEL_PASSWORD="of-the-sentinels")
    assert answer.stdout.split() == ["redis://game/3", "of-the-server", "of-the-sentinels"]


@pytest.mark.parametrize(
    ("url", "password", "hosts"),
    [
        ("redis://:p%40@h:1/0", "p@", ["h"]),
        ("redis://h/0", "", ["h"]),
        ("unix:///run/redis.sock", "", []),
        ("redis+sentinel://:p%40@a:1,b:2/game", "p@", ["a", "b"]),
    ],
)
def test_passwords_and_hosts_are_found_in_either_form(url: str, password: str, hosts: list[str]) -> None:
    assert (redisplace.password_of(url), redisplace.hosts_of(url)) == (password, hosts)


@pytest.mark.parametrize(
    ("sentinels", "password", "found"),
    [(("a", "b", "c"), "", []), (("a", "b"), "", ["bcraftd.W001"]), (("a", "a", "a"), "", ["bcraftd.W001"]),
     ((), "", []), ((), "a-word", ["bcraftd.W002"])],
)  # fmt: skip
def test_a_service_that_nobody_would_fail_over_is_warned_of(
    settings: Any, sentinels: tuple[str, ...], password: str, found: list[str]
) -> None:
    settings.REDIS_SERVICE = Service(tuple((host, 26379) for host in sentinels), "game") if sentinels else None
    settings.REDIS_SENTINEL_PASSWORD = password
    assert [message.id for message in checks.sentinels_can_agree(None)] == found
