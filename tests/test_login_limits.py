"""Limits on guessing passwords: by address and by login, at both doors, between processes, with Redis and without."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import timedelta
from ipaddress import ip_network
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from axes.models import AccessAttempt
from django.db import connection
from django.db.models import F
from django.test import Client
from django.urls import reverse

from bcraftd import windows
from bcraftd.models import LimitWindow
from bcraftd.network import counted_address
from tests import live, servers
from tests.operators import PASSWORD, Operator, admin
from tests.support import Api, assert_problem, queries

# A window in which no test can meet its end.
DAY = 86400
WRONG = "wrong horse battery"


@pytest.fixture
def without_redis(api: Api) -> Iterator[None]:
    servers.redis_stop()
    yield
    servers.redis_start()


def at(address: str, token: str | None = None) -> Api:
    """A client at another address."""
    api = Api(token)
    api.client.defaults["REMOTE_ADDR"] = address
    return api


def login(api: Api, name: str = "ada", password: str = WRONG, **headers: str) -> Any:
    return api.call("POST", "/api/auth/login", {"login": name, "password": password}, raw=None, **headers)


def statuses(answers: list[Any]) -> list[int]:
    return [answer.status_code for answer in answers]


# --- By address, without Redis ----------------------------------------------------------------------------


def knock(base: str) -> int:
    """The status of a login at a server of its own."""
    body = json.dumps({"login": "nobody", "password": WRONG}).encode()
    request = Request(f"{base}/api/auth/login", body, {"Content-Type": "application/json"})  # noqa: S310
    try:
        with urlopen(request, timeout=60) as answer:  # noqa: S310 - our own server's
            return int(answer.status)
    except HTTPError as error:
        return error.code


def test_without_redis_all_processes_count_an_address_together(without_redis: None) -> None:
    with ExitStack() as stack:
        bases = [stack.enter_context(live.server(RATE_LIMIT_LOGIN="6/d")) for _ in range(2)]
        with ThreadPoolExecutor(8) as threads:
            found = list(threads.map(knock, bases * 8))

    assert sorted(found) == [401] * 6 + [429] * 10


@pytest.mark.parametrize("path", ["/api/auth/login", "/api/auth/register"])
def test_without_redis_guesses_and_new_accounts_are_counted_in_postgresql(
    without_redis: None, settings: Any, path: str
) -> None:
    settings.RATE_LIMIT_LOGIN = settings.RATE_LIMIT_REGISTER = (2, DAY)

    answers = [Api().post(path, login="x") for _ in range(3)]

    assert statuses(answers) == [400, 400, 429]
    assert 0 < int(answers[2]["Retry-After"]) <= DAY
    assert (answers[2]["X-RateLimit-Limit"], answers[2]["X-RateLimit-Remaining"]) == ("2", "0")
    assert at("192.0.2.1").post(path, login="x").status_code == 400
    assert LimitWindow.objects.count() == 2


def test_without_redis_work_is_counted_by_each_process_and_costs_no_sql(
    ada: Api, without_redis: None, settings: Any
) -> None:
    settings.RATE_LIMIT_CRAFT = settings.RATE_LIMIT_DEFAULT = (1000, DAY)

    ada.post("/api/craft", recipe_id=2**40)

    assert not LimitWindow.objects.exists()


def test_with_redis_there_postgresql_counts_no_address(api: Api, settings: Any) -> None:
    settings.RATE_LIMIT_LOGIN = (2, DAY)

    assert statuses([login(api) for _ in range(3)]) == [401, 401, 429]
    assert not LimitWindow.objects.exists()


# --- By login, from wherever ------------------------------------------------------------------------------


@pytest.fixture
def three_failures(settings: Any) -> None:
    """RATE_LIMIT_LOGIN_FAILURES=3/d with LOGIN_FAILURE_LIMIT=0"""
    settings.RATE_LIMIT_LOGIN_FAILURES = (3, DAY)
    settings.AXES_ENABLED = True
    settings.AXES_FAILURE_LIMIT = 2**31 - 1


def guessed(times: int = 3, name: str = "ada") -> None:
    """Guesses from an address each."""
    assert statuses([login(at(f"192.0.2.{number}"), name) for number in range(times)]) == [401] * times


def test_many_addresses_get_no_more_guesses_at_a_login_than_one(ada: Api, three_failures: None) -> None:
    guessed()

    for password in (WRONG, ada.password):
        answer = login(at("198.51.100.1"), password=password)
        assert_problem(answer, 429, "rate_limited")
        assert 0 < int(answer["Retry-After"]) <= DAY
        assert (
            answer.json()["detail"]
            == f"Too many failed logins. Try again in {-(-int(answer['Retry-After']) // 60)} minutes."
        )


def test_an_unknown_login_is_held_the_same(api: Api, three_failures: None) -> None:
    guessed(name="nobody")

    assert_problem(login(at("198.51.100.1"), "NoBody"), 429, "rate_limited")
    assert login(at("198.51.100.1"), "nobody2").status_code == 401


def test_where_a_player_came_in_lately_nobody_elses_failures_shut_them_out(
    api: Api, ada: Api, three_failures: None
) -> None:
    assert login(at("203.0.113.5"), password=ada.password).status_code == 200
    guessed()

    assert login(at("198.51.100.1"), password=ada.password).status_code == 429
    assert login(at("203.0.113.5"), password=ada.password).status_code == 200
    assert login(at("203.0.113.5")).status_code == 401, "a failure is one here too"
    assert ada.get("/api/auth/me").status_code == 200, "what is open stays open"


def test_an_address_is_known_for_one_login_and_for_a_month(ada: Api, bob: Api, three_failures: None) -> None:
    for name in ("ada", "bob"):
        assert login(at("203.0.113.5"), name, ada.password).status_code == 200
    LimitWindow.objects.filter(ends_at__isnull=False).update(ends_at=F("ends_at") - timedelta(days=30, seconds=1))
    assert login(at("203.0.113.5"), "bob", ada.password).status_code == 200
    guessed(name="ada")
    guessed(name="bob")

    assert login(at("203.0.113.5"), "ada", ada.password).status_code == 429
    assert login(at("203.0.113.5"), "bob", ada.password).status_code == 200


def test_good_logins_are_no_failures_and_forget_none(ada: Api, three_failures: None) -> None:
    for _ in range(4):
        assert login(at("203.0.113.5"), password=ada.password).status_code == 200
    guessed()

    assert login(at("198.51.100.1"), password=ada.password).status_code == 429


def test_when_the_window_has_ended_everybody_may_try_again(ada: Api, three_failures: None) -> None:
    guessed()
    LimitWindow.objects.update(ends_at=F("ends_at") - timedelta(days=1))

    assert login(at("198.51.100.1"), password=ada.password).status_code == 200


def test_the_limit_by_login_needs_no_redis(ada: Api, without_redis: None, three_failures: None) -> None:
    guessed()

    assert login(at("198.51.100.1"), password=ada.password).status_code == 429


def test_the_admins_door_counts_with_the_apis(world: None, three_failures: None) -> None:
    Operator.make("olga", "admin")
    LimitWindow.objects.all().delete()
    guessed(name="Olga")

    answer = Operator("olga").entered
    assert (answer.status_code, answer["Content-Type"]) == (429, "text/plain")
    assert 0 < int(answer["Retry-After"]) <= DAY
    assert login(Api(), "olga", PASSWORD).status_code == 429


def test_failures_at_the_admins_door_hold_the_api(ada: Api, three_failures: None) -> None:
    for number in range(3):
        client = Client(REMOTE_ADDR=f"192.0.2.{number}")
        assert client.post("/admin/login/", {"username": "Ada", "password": WRONG}).status_code == 200

    assert login(at("198.51.100.1"), password=ada.password).status_code == 429


@pytest.mark.parametrize("many", [False, True])
def test_an_operator_lifts_the_limit_with_the_failed_logins(ada: Api, three_failures: None, many: bool) -> None:
    olga = admin()
    guessed()
    assert login(at("198.51.100.1"), password=ada.password).status_code == 429

    rows = list(AccessAttempt.objects.values_list("pk", flat=True))
    if many:
        olga.client.post(
            reverse("admin:axes_accessattempt_changelist"),
            {"action": "delete_selected", "_selected_action": rows, "post": "yes"},
        )
    else:
        olga.client.post(reverse("admin:axes_accessattempt_delete", args=[rows[0]]), {"post": "yes"})

    assert login(at("198.51.100.1"), password=ada.password).status_code == 200


def test_who_has_a_token_and_guesses_the_password_is_held_as_well(ada: Api, three_failures: None) -> None:
    def guess(address: str, old: str = WRONG) -> Any:
        return at(address, ada.token).post("/api/auth/password", old_password=old, new_password="another long staple")

    assert statuses([guess(f"192.0.2.{number}") for number in range(3)]) == [400] * 3

    assert_problem(guess("198.51.100.1", ada.password), 429, "rate_limited")
    assert login(at("198.51.100.1"), password=ada.password).status_code == 429


def test_a_weak_new_password_is_no_guess(ada: Api, three_failures: None) -> None:
    for _ in range(4):
        answer = ada.post("/api/auth/password", old_password=ada.password, new_password="short")
        assert_problem(answer, 400, "invalid", "new_password")

    assert not LimitWindow.objects.filter(key__startswith="login-failures").exists()


def test_with_both_limits_off_nothing_is_asked_or_written(ada: Api) -> None:
    with queries() as seen:
        login(ada)

    assert not [sql for sql in seen if "axes" in sql or "limitwindow" in sql]


def test_what_an_earlier_limit_left_locks_nobody_once_it_is_off(ada: Api, settings: Any) -> None:
    settings.AXES_ENABLED, settings.AXES_FAILURE_LIMIT = True, 1
    assert statuses([login(ada), login(ada)]) == [401, 429]
    settings.AXES_ENABLED = False

    assert login(ada, password=ada.password).status_code == 200


def test_a_row_names_neither_the_login_nor_the_address(ada: Api, three_failures: None) -> None:
    login(at("203.0.113.5"), password=ada.password)
    guessed(1)

    keys = list(LimitWindow.objects.values_list("key", flat=True))
    assert sorted(key.split(":")[0] for key in keys) == ["login-failures", "login-known"]
    assert not [key for key in keys if "ada" in key.split(":")[1] or "203.0" in key]


# --- Whose address is believed ----------------------------------------------------------------------------


def test_a_made_up_address_buys_no_more_guesses(ada: Api, settings: Any) -> None:
    settings.RATE_LIMIT_LOGIN = (3, DAY)

    found = [login(ada, X_Forwarded_For=f"192.0.2.{number}, 127.0.0.{number}") for number in range(4)]

    assert statuses(found) == [401, 401, 401, 429]


def test_a_made_up_address_is_not_the_one_that_axes_locks(ada: Api, settings: Any) -> None:
    settings.AXES_ENABLED, settings.AXES_FAILURE_LIMIT = True, 3

    found = [login(ada, X_Forwarded_For=f"192.0.2.{number}") for number in range(4)]

    assert statuses(found) == [401, 401, 401, 429]
    assert set(AccessAttempt.objects.values_list("ip_address", flat=True)) == {"127.0.0.1"}


def test_a_made_up_address_is_not_known(ada: Api, three_failures: None) -> None:
    assert login(at("203.0.113.5"), password=ada.password).status_code == 200
    guessed()

    assert login(at("198.51.100.1"), X_Forwarded_For="203.0.113.5").status_code == 429


def test_behind_a_trusted_proxy_each_client_has_guesses_of_its_own(ada: Api, settings: Any) -> None:
    settings.TRUSTED_PROXIES = [ip_network("127.0.0.1/32")]
    settings.RATE_LIMIT_LOGIN = (2, DAY)
    settings.AXES_ENABLED, settings.AXES_FAILURE_LIMIT = True, 2

    assert statuses([login(ada, X_Forwarded_For="192.0.2.1") for _ in range(3)]) == [401, 401, 429]
    assert statuses([login(ada, X_Forwarded_For=f"198.51.100.{n}, 192.0.2.1") for n in range(2)]) == [429, 429]
    assert login(ada, X_Forwarded_For="192.0.2.2").status_code == 401


@pytest.mark.parametrize(
    ("address", "counted"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("2001:db8::1", "2001:db8::"),
        ("fe80::1%eth0", "fe80::"),
        ("::1", "::"),
    ],
)
def test_of_ipv6_a_network_is_counted(address: str, counted: str) -> None:
    assert counted_address(address) == counted


@pytest.mark.parametrize("redis", [True, False])
def test_a_customer_with_a_whole_network_is_one_guesser(ada: Api, settings: Any, redis: bool) -> None:
    settings.RATE_LIMIT_LOGIN = (3, DAY)
    if not redis:
        servers.redis_stop()
    try:
        found = [login(at(f"2001:db8:1:2:{number}::{number}")) for number in range(1, 5)]
        assert statuses(found) == [401, 401, 401, 429]
        assert login(at("2001:db8:1:3::1")).status_code == 401
    finally:
        if not redis:
            servers.redis_start()


def test_axes_counts_the_network_too(ada: Api, settings: Any) -> None:
    settings.AXES_ENABLED, settings.AXES_FAILURE_LIMIT = True, 3

    found = [login(at(f"fe80:0:0:0:{number}::1%eth0")) for number in range(1, 5)]

    assert statuses(found) == [401, 401, 401, 429]


# --- Windows in PostgreSQL --------------------------------------------------------------------------------


def test_a_window_counts_up_until_it_ends(world: None) -> None:
    assert [windows.count(("login", "x"), DAY) for _ in range(3)] == [(1, DAY), (2, DAY), (3, DAY)]
    assert windows.count(("login", "y"), DAY)[0] == windows.count(("register", "x"), DAY)[0] == 1
    assert windows.running(("login", "x"), ("login", "z")) == {("login", "x"): (3, DAY)}

    LimitWindow.objects.update(ends_at=F("ends_at") - timedelta(days=1))

    assert windows.running(("login", "x")) == {}
    assert windows.count(("login", "x"), 60) == (1, 60)


def test_what_is_remembered_begins_anew_each_time(world: None) -> None:
    windows.remember(("login-known", "x"), 60)
    windows.remember(("login-known", "x"), DAY)

    assert windows.running(("login-known", "x")) == {("login-known", "x"): (1, DAY)}


def test_no_count_is_lost_between_connections(world: None) -> None:
    def count(_: int) -> int:
        try:
            return windows.count(("login", "x"), DAY)[0]
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as threads:
        assert sorted(threads.map(count, range(200))) == list(range(1, 201))


def test_windows_that_have_ended_are_swept_by_those_that_open(world: None) -> None:
    for number in range(35):
        windows.count(("login", str(number)), DAY)
    LimitWindow.objects.update(ends_at=F("ends_at") - timedelta(days=2))

    for number in range(100, 104):
        windows.count(("login", str(number)), DAY)

    assert LimitWindow.objects.count() == 4


def test_counting_costs_one_statement_and_opening_a_window_two(world: None) -> None:
    for expected in (2, 1):
        with queries() as seen:
            windows.count(("login", "x"), DAY)
        assert len(seen) == expected, seen
