"""The admin's own limits: all its requests by operator, passwords typed at its doors by address, also without Redis."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import Role
from bcraftd import ratelimits
from bcraftd.cache import store
from bcraftd.ratelimits import ProcessCounter
from tests import servers
from tests.operators import PASSWORD, Operator
from tests.support import Api, redis_is_back

# A window in which no test can meet its end.
DAY = 86400
WRONG = "wrong horse battery"
INDEX, LOGIN, PASSWORDS = "/admin/", "/admin/login/", "/admin/password_change/"


@pytest.fixture
def olga(world: None) -> Operator:
    return Operator.make("olga", Role.ADMIN)


@pytest.fixture
def three_a_day(olga: Operator, settings: Any) -> None:
    settings.RATE_LIMIT_ADMIN = (3, DAY)


def at(address: str) -> Client:
    return Client(REMOTE_ADDR=address)


def statuses(client: Client, times: int, path: str = INDEX) -> list[int]:
    return [client.get(path).status_code for _ in range(times)]


def typed(client: Client, password: str = WRONG) -> Any:
    return client.post(LOGIN, {"username": "olga", "password": password})


def refused(answer: Any) -> None:
    assert answer.status_code == 429
    assert answer["Content-Type"] == "text/plain"
    assert 0 < int(answer["Retry-After"]) <= DAY
    assert answer.content == b"Too many requests."


# --- All requests -----------------------------------------------------------------------------------------


def test_one_too_many_is_refused_in_plain_text_and_told_when_to_come_back(olga: Operator, three_a_day: None) -> None:
    assert statuses(olga.client, 3) == [200, 200, 200]

    refused(olga.client.get(INDEX))
    assert "default-src 'self'" in olga.client.get(INDEX)["Content-Security-Policy"]


def test_every_address_of_the_admin_counts_and_nothing_else_does(olga: Operator, three_a_day: None) -> None:
    for path in ("/healthz", "/api/resources", "/static/admin/css/base.css", "/nowhere"):
        for _ in range(5):
            answer = olga.client.get(path)
            answer.close()
            assert answer.status_code != 429

    for path in (LOGIN, "/admin/nowhere/", "/admin/jsi18n/"):
        assert olga.client.get(path).status_code != 429
    refused(olga.client.get("/admin/market/listing/"))


def test_a_refused_request_does_nothing(olga: Operator, three_a_day: None) -> None:
    statuses(olga.client, 3)

    refused(olga.client.post(reverse("admin:logout")))
    store.client().delete(*store.client().keys("rl:*"))
    assert statuses(olga.client, 1) == [200]


def test_operators_are_counted_each_for_themselves_wherever_they_are(olga: Operator, three_a_day: None) -> None:
    mona = Operator.make("mona", Role.MODERATOR)
    cookie = olga.client.cookies["bcraftd_admin"].value
    statuses(olga.client, 3)
    elsewhere = at("192.0.2.1")
    elsewhere.cookies["bcraftd_admin"] = cookie

    refused(elsewhere.get(INDEX))
    assert statuses(mona.client, 2) == [200, 200]


def test_strangers_at_the_same_address_shut_no_operator_out(olga: Operator, three_a_day: None) -> None:
    assert statuses(Client(), 4) == [302, 302, 302, 429]

    assert statuses(olga.client, 1) == [200]
    assert statuses(at("192.0.2.1"), 1) == [302]


def test_a_made_up_session_is_a_stranger(olga: Operator, three_a_day: None) -> None:
    for number in range(3):
        client = Client()
        client.cookies["bcraftd_admin"] = f"{number}" * 32
        assert client.get(INDEX).status_code == 302

    refused(Client().get(INDEX))


def test_the_admin_and_the_api_are_counted_apart(olga: Operator, three_a_day: None, settings: Any) -> None:
    settings.RATE_LIMIT_DEFAULT = (3, DAY)
    statuses(olga.client, 4)

    answers = [Api().get("/api/environment/weather") for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert olga.client.get(INDEX).status_code == 429


def test_with_the_limit_off_nothing_is_counted(olga: Operator) -> None:
    assert statuses(olga.client, 5) == [200] * 5
    assert store.client().keys("rl:*") == []


# --- Passwords --------------------------------------------------------------------------------------------


def test_logins_are_limited_by_address_whoever_is_named(olga: Operator, settings: Any) -> None:
    settings.RATE_LIMIT_LOGIN = (2, DAY)
    assert [typed(Client()).status_code for _ in range(2)] == [200, 200]

    refused(typed(Client(), PASSWORD))
    assert Client().get(LOGIN).status_code == 200, "the page itself is no try"
    assert typed(at("192.0.2.1"), PASSWORD).status_code == 302


def test_the_two_doors_have_one_counter(olga: Operator, settings: Any) -> None:
    """Or a guesser had twice as many guesses."""
    settings.RATE_LIMIT_LOGIN = (2, DAY)
    typed(Client())
    assert Api().post("/api/auth/login", login="olga", password="wrong horse battery").status_code == 401

    refused(typed(Client(), PASSWORD))
    assert Api().post("/api/auth/login", login="olga", password=PASSWORD).status_code == 429


def test_the_old_password_is_no_easier_to_guess_from_inside(olga: Operator, settings: Any) -> None:
    settings.RATE_LIMIT_LOGIN = (2, DAY)
    sent = {"old_password": "wrong horse battery", "new_password1": "x", "new_password2": "x"}

    assert [olga.client.post(PASSWORDS, sent).status_code for _ in range(2)] == [200, 200]
    refused(olga.client.post(PASSWORDS, sent))
    assert olga.client.get(INDEX).status_code == 200


@pytest.mark.parametrize("path", ["/admin/login", "/admin//login/", "/admin/login/x", "/admin/LOGIN/", "/admin/x.php"])
def test_no_other_spelling_of_the_door_opens_it(olga: Operator, path: str) -> None:
    client = Client()
    client.post(path, {"username": "olga", "password": PASSWORD})

    assert client.get(INDEX).status_code == 302


def test_the_constants_are_the_addresses() -> None:
    assert (reverse("admin:index"), reverse("admin:login"), reverse("admin:password_change")) == (
        INDEX, LOGIN, PASSWORDS,
    )  # fmt: skip


# --- Redis away -------------------------------------------------------------------------------------------


@pytest.fixture
def without_redis(olga: Operator, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(ratelimits, "_fallback", ProcessCounter())
    servers.redis_stop()
    yield
    servers.redis_start()
    redis_is_back()


def test_with_redis_away_requests_are_still_limited(olga: Operator, without_redis: None, settings: Any) -> None:
    settings.RATE_LIMIT_ADMIN = (3, DAY)

    assert statuses(olga.client, 4) == [200, 200, 200, 429]
    refused(olga.client.get(INDEX))
    assert statuses(Client(), 4) == [302, 302, 302, 429]


def test_with_redis_away_passwords_are_still_limited(olga: Operator, without_redis: None, settings: Any) -> None:
    settings.RATE_LIMIT_LOGIN = (2, DAY)

    assert [typed(Client()).status_code for _ in range(2)] == [200, 200]
    refused(typed(Client(), PASSWORD))
    assert typed(at("192.0.2.1"), PASSWORD).status_code == 302
