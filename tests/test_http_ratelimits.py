"""Limits on requests: the general one, the named ones, and whose address is believed."""

from collections.abc import Callable
from ipaddress import ip_network
from typing import Any, cast

import pytest

from bcraftd import ratelimits
from bcraftd.cache import store
from bcraftd.network import client_address
from bcraftd.ratelimits import ProcessCounter
from tests import servers
from tests.support import Api, assert_problem

# A window in which no test can meet its end.
DAY = 86400
PUBLIC = "/api/environment/weather"
ME = "/api/auth/me"
HEADERS = ("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset")


@pytest.fixture
def five_a_day(api: Api, settings: Any) -> None:
    settings.RATE_LIMIT_DEFAULT = (5, DAY)


def at(address: str, token: str | None = None) -> Api:
    """A client at another address."""
    api = Api(token)
    api.client.defaults["REMOTE_ADDR"] = address
    return api


def lives() -> dict[str, int]:
    """The counters in Redis and the seconds that they live."""
    keys = cast("list[bytes]", store.client().keys("rl:*"))
    return {key.decode(): store.client().ttl(key) for key in keys}


def used_up(api: Api, path: str = PUBLIC) -> None:
    for _ in range(5):
        assert api.get(path).status_code == 200
    assert_problem(api.get(path), 429, "rate_limited")


# --- The general limit ------------------------------------------------------------------------------------


def test_every_answer_says_how_many_requests_remain(api: Api, five_a_day: None) -> None:
    answers = [api.get(PUBLIC) for _ in range(5)]

    assert [answer["X-RateLimit-Remaining"] for answer in answers] == ["4", "3", "2", "1", "0"]
    assert {answer["X-RateLimit-Limit"] for answer in answers} == {"5"}
    assert all(0 < int(answer["X-RateLimit-Reset"]) <= DAY for answer in answers)
    assert {answer.status_code for answer in answers} == {200}
    assert not any("Retry-After" in answer for answer in answers)


def test_one_too_many_is_refused_and_told_when_to_come_back(api: Api, five_a_day: None) -> None:
    used_up(api)

    answer = api.get(PUBLIC)

    assert_problem(answer, 429, "rate_limited")
    assert (answer["X-RateLimit-Limit"], answer["X-RateLimit-Remaining"]) == ("5", "0")
    assert answer["Retry-After"] == answer["X-RateLimit-Reset"]
    assert 0 < int(answer["Retry-After"]) <= DAY


def test_when_the_window_has_ended_counting_starts_again(api: Api, five_a_day: None) -> None:
    used_up(api)
    store.client().delete("rl:all:address:127.0.0.1")

    assert api.get(PUBLIC)["X-RateLimit-Remaining"] == "4"


def test_a_refused_request_does_nothing(ada: Api, five_a_day: None) -> None:
    used_up(ada)

    assert ada.post("/api/auth/logout").status_code == 429
    assert_problem(at("192.0.2.1").get(ME), 401, "not_authenticated")
    assert Api.signed_in("ada", ada.password).session


@pytest.mark.parametrize("path", ["/api/nothing", "/api", ME, "/api/docs"])
def test_errors_and_unknown_paths_count_and_say_so_too(api: Api, five_a_day: None, path: str) -> None:
    assert api.client.get(path)["X-RateLimit-Remaining"] == "4"
    assert api.client.get(PUBLIC)["X-RateLimit-Remaining"] == "3"


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics", "/admin/login/", "/nothing"])
def test_what_is_not_the_api_is_not_counted(api: Api, five_a_day: None, path: str) -> None:
    assert not any(name in api.client.get(path) for name in HEADERS)
    assert lives() == {}


def test_with_the_limit_off_there_are_no_headers_and_no_counters(api: Api) -> None:
    assert not any(name in api.get(PUBLIC) for name in HEADERS)
    assert lives() == {}


def test_players_are_counted_each_for_themselves_wherever_they_are(ada: Api, bob: Api, five_a_day: None) -> None:
    phone = Api.signed_in("ada", ada.password)
    used_up(ada, ME)

    assert phone.get(ME).status_code == 429
    assert at("192.0.2.1", ada.token).get(ME).status_code == 429
    assert bob.get(ME)["X-RateLimit-Remaining"] == "4"


def test_addresses_are_counted_each_for_themselves(api: Api, five_a_day: None) -> None:
    used_up(api)

    assert at("192.0.2.1").get(PUBLIC)["X-RateLimit-Remaining"] == "4"
    assert at("2001:db8::1").get(PUBLIC)["X-RateLimit-Remaining"] == "4"


def test_an_ipv4_client_of_an_ipv6_socket_is_the_same_client(api: Api, five_a_day: None) -> None:
    at("192.0.2.1").get(PUBLIC)

    assert at("::ffff:192.0.2.1").get(PUBLIC)["X-RateLimit-Remaining"] == "3"


def test_a_token_that_is_not_good_does_not_change_who_is_counted(api: Api, ada: Api, five_a_day: None) -> None:
    used_up(api)
    ada.post("/api/auth/logout")

    for token in (ada.token, "garbage"):
        assert Api(token).get(ME).status_code == 429


def test_a_good_token_is_not_shut_out_by_its_neighbours(api: Api, ada: Api, five_a_day: None) -> None:
    used_up(api)

    assert ada.get(PUBLIC)["X-RateLimit-Remaining"] == "4"


def test_a_counter_always_ends_even_one_that_lost_its_expiry(api: Api, five_a_day: None) -> None:
    api.get(PUBLIC)
    key = "rl:all:address:127.0.0.1"
    assert 0 < lives()[key] <= DAY
    store.client().persist(key)
    assert lives()[key] == -1

    api.get(PUBLIC)

    assert 0 < lives()[key] <= DAY


# --- The named limits -------------------------------------------------------------------------------------


def craft(player: Api) -> Any:
    return player.post("/api/craft", recipe_id=2**40)


def gather(player: Api) -> Any:
    return player.post("/api/gather", resource_id=2**40)


def login(player: Api) -> Any:
    return player.post("/api/auth/login", login="nobody", password="correct horse battery")


def password(player: Api) -> Any:
    return player.post("/api/auth/password", old_password="wrong horse battery", new_password="x")


def register(player: Api) -> Any:
    return player.post("/api/auth/register", login="x")


NAMED = [("CRAFT", craft), ("GATHER", gather), ("LOGIN", login), ("LOGIN", password), ("REGISTER", register)]


@pytest.mark.parametrize(("name", "call"), NAMED)
def test_a_named_limit_counts_its_own_calls_whatever_they_answer(
    ada: Api, settings: Any, name: str, call: Callable[[Api], Any]
) -> None:
    setattr(settings, f"RATE_LIMIT_{name}", (2, DAY))

    assert 429 not in [call(ada).status_code for _ in range(2)]
    answer = call(ada)

    assert_problem(answer, 429, "rate_limited")
    assert (answer["X-RateLimit-Limit"], answer["X-RateLimit-Remaining"]) == ("2", "0")
    assert 0 < int(answer["Retry-After"]) <= DAY
    assert ada.get(ME).status_code == 200
    assert len(lives()) == 1
    assert all(0 < life <= DAY + 60 for life in lives().values())


@pytest.mark.parametrize("call", [craft, gather])
def test_work_is_limited_for_each_player(ada: Api, bob: Api, settings: Any, call: Callable[[Api], Any]) -> None:
    settings.RATE_LIMIT_CRAFT = settings.RATE_LIMIT_GATHER = (1, DAY)
    call(ada)

    assert call(ada).status_code == 429
    assert_problem(call(bob), 404, "not_found")


def test_crafting_and_gathering_have_counters_of_their_own(ada: Api, settings: Any) -> None:
    settings.RATE_LIMIT_CRAFT = settings.RATE_LIMIT_GATHER = (1, DAY)
    craft(ada)
    craft(ada)

    assert_problem(gather(ada), 404, "not_found")


@pytest.mark.parametrize("call", [login, register])
def test_guessing_and_farming_are_limited_for_each_address_whoever_asks(
    api: Api, ada: Api, settings: Any, call: Callable[[Api], Any]
) -> None:
    settings.RATE_LIMIT_LOGIN = settings.RATE_LIMIT_REGISTER = (1, DAY)
    call(api)

    assert call(api).status_code == 429
    assert call(ada).status_code == 429
    assert call(at("192.0.2.1")).status_code in (400, 401)


def test_both_limits_hold_and_the_one_that_refuses_gives_the_figures(ada: Api, settings: Any) -> None:
    settings.RATE_LIMIT_DEFAULT, settings.RATE_LIMIT_CRAFT = (5, DAY), (1, DAY)

    assert craft(ada)["X-RateLimit-Limit"] == "5"
    refused = craft(ada)

    assert (refused.status_code, refused["X-RateLimit-Limit"]) == (429, "1")
    assert ada.get(ME)["X-RateLimit-Remaining"] == "2"


# --- Redis away -------------------------------------------------------------------------------------------


def test_with_redis_away_the_process_counts_for_itself(
    ada: Api, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.RATE_LIMIT_DEFAULT, settings.RATE_LIMIT_CRAFT = (5, DAY), (2, DAY)
    monkeypatch.setattr(ratelimits, "_fallback", ProcessCounter())
    servers.redis_stop()
    try:
        assert [craft(ada).status_code for _ in range(3)] == [404, 404, 429]
        assert [ada.get(ME).status_code for _ in range(3)] == [200, 200, 429]
        assert 0 < int(ada.get(ME)["Retry-After"]) <= DAY
    finally:
        servers.redis_start()


def test_a_process_counts_in_windows_that_end() -> None:
    counter = ProcessCounter()
    assert [counter.count("ada", DAY)[0] for _ in range(3)] == [1, 2, 3]
    assert counter.count("bob", DAY)[0] == 1

    counter._windows["ada"] = (0.0, 3)

    assert counter.count("ada", DAY)[0] == 1


def test_a_process_remembers_no_more_than_its_bound() -> None:
    counter = ProcessCounter()
    for number in range(ProcessCounter.MAX_KEYS + 10):
        counter.count(str(number), DAY)

    assert len(counter._windows) <= ProcessCounter.MAX_KEYS


# --- Whose address is believed ----------------------------------------------------------------------------

TRUSTED = [ip_network("127.0.0.1/32"), ip_network("10.0.0.0/8"), ip_network("2001:db8:1::/48")]


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("203.0.113.5", "192.0.2.1", "203.0.113.5"),
        ("127.0.0.1", "", "127.0.0.1"),
        ("127.0.0.1", "192.0.2.1", "192.0.2.1"),
        ("127.0.0.1", "198.51.100.9, 192.0.2.1", "192.0.2.1"),
        ("127.0.0.1", "192.0.2.1, 10.1.2.3", "192.0.2.1"),
        ("127.0.0.1", "10.9.9.9, 10.1.2.3", "10.9.9.9"),
        ("127.0.0.1", "10.9.9.9, 192.0.2.1, 10.1.2.3", "192.0.2.1"),
        ("2001:db8:1::7", "[2001:db8:2::1]", "2001:db8:2::1"),
        ("::ffff:127.0.0.1", "192.0.2.1", "192.0.2.1"),
        ("127.0.0.1", "::ffff:192.0.2.1", "192.0.2.1"),
        ("127.0.0.1", "garbage", "127.0.0.1"),
        ("127.0.0.1", "192.0.2.1, garbage", "127.0.0.1"),
        ("127.0.0.1", ", ,", "127.0.0.1"),
        ("", "192.0.2.1", "0.0.0.0"),  # noqa: S104
        ("/run/socket", "", "0.0.0.0"),  # noqa: S104
    ],
)
def test_only_what_a_trusted_proxy_wrote_is_believed(settings: Any, peer: str, forwarded: str, client: str) -> None:
    settings.TRUSTED_PROXIES = TRUSTED

    assert client_address({"REMOTE_ADDR": peer, "HTTP_X_FORWARDED_FOR": forwarded}) == client


def test_without_trusted_proxies_a_made_up_address_buys_nothing(api: Api, five_a_day: None) -> None:
    remaining = [api.get(PUBLIC, X_Forwarded_For=f"192.0.2.{n}")["X-RateLimit-Remaining"] for n in range(3)]

    assert remaining == ["4", "3", "2"]


def test_behind_a_trusted_proxy_each_client_is_counted(api: Api, five_a_day: None, settings: Any) -> None:
    settings.TRUSTED_PROXIES = TRUSTED

    assert [api.get(PUBLIC, X_Forwarded_For=f"192.0.2.{n}")["X-RateLimit-Remaining"] for n in (1, 2, 1)] == list("443")
    spoofed = api.get(PUBLIC, X_Forwarded_For="198.51.100.9, 192.0.2.1")
    assert spoofed["X-RateLimit-Remaining"] == "2"
