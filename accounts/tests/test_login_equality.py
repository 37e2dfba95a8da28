"""A failed login tells nothing about whether the login exists: not by its answer, not by the work that it costs.

The time is that of the password hash, so that hashes are counted, with their parameters. A clock would measure the
machine.
"""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ClassVar

import pytest
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.test import Client

from accounts.hashers import AT_ONCE, BoundedArgon2
from accounts.models import Player
from tests.support import Api, QuickArgon2, assert_problem, queries

PASSWORD = "correct horse battery"
WRONG = "wrong horse battery"


class CountingArgon2(QuickArgon2):
    """The same hash, which notes the parameters of each time that it is reckoned."""

    reckoned: ClassVar[list[tuple[int, int, int]]] = []

    def encode(self, password: str, salt: str) -> str:
        self.reckoned.append((self.time_cost, self.memory_cost, self.parallelism))
        return super().encode(password, salt)

    def verify(self, password: str, encoded: str) -> bool:
        params = self.decode(encoded)["params"]
        self.reckoned.append((params.time_cost, params.memory_cost, params.parallelism))
        return super().verify(password, encoded)


ONE = [(QuickArgon2.time_cost, QuickArgon2.memory_cost, QuickArgon2.parallelism)]


@pytest.fixture
def hashes(settings: Any) -> Iterator[list[tuple[int, int, int]]]:
    """The parameters of every hash that is reckoned from here on."""
    settings.PASSWORD_HASHERS = [f"{__name__}.CountingArgon2"]
    CountingArgon2.reckoned.clear()
    yield CountingArgon2.reckoned
    CountingArgon2.reckoned.clear()


def login(name: str, password: str) -> Any:
    return Api().post("/api/auth/login", login=name, password=password)


def nobody() -> tuple[str, str]:
    return "nobody", PASSWORD


def wrong_password() -> tuple[str, str]:
    return "ada", WRONG


def closed_account() -> tuple[str, str]:
    Player.objects.filter(login="ada").update(is_active=False)
    return "ada", PASSWORD


def closed_account_and_wrong_password() -> tuple[str, str]:
    Player.objects.filter(login="ada").update(is_active=False)
    return "ada", WRONG


def no_usable_password() -> tuple[str, str]:
    player = Player.objects.get(login="ada")
    player.set_unusable_password()
    player.save(update_fields=["password"])
    return "ada", PASSWORD


def letters_outside_ascii() -> tuple[str, str]:
    return "ädä", PASSWORD


def too_long_for_a_login() -> tuple[str, str]:
    return "a" * 254, PASSWORD


def a_pattern() -> tuple[str, str]:
    return "%", PASSWORD


FAILURES = [
    nobody, wrong_password, closed_account, closed_account_and_wrong_password, no_usable_password,
    letters_outside_ascii, too_long_for_a_login, a_pattern,
]  # fmt: skip


@pytest.fixture(params=FAILURES, ids=lambda failure: failure.__name__)
def failure(request: pytest.FixtureRequest, ada: Api) -> tuple[str, str]:
    """A login and a password that open nothing."""
    made: tuple[str, str] = request.param()
    return made


def test_every_failure_costs_one_hash_of_today(failure: tuple[str, str], hashes: list[Any]) -> None:
    assert_problem(login(*failure), 401, "bad_credentials")

    assert hashes == ONE


def test_a_good_login_costs_one_too(ada: Api, hashes: list[Any]) -> None:
    assert login("ada", PASSWORD).status_code == 200

    assert hashes == ONE


def shown(answer: Any) -> tuple[int, dict[str, str], dict[str, Any]]:
    """Everything of an answer but what names the request."""
    headers = {name: value for name, value in answer.headers.items() if name != "X-Request-ID"}
    body = {name: value for name, value in answer.json().items() if name != "request_id"}
    return answer.status_code, headers, body


def test_every_failure_is_answered_alike_to_the_byte(failure: tuple[str, str]) -> None:
    known, found = login("somebody-else", WRONG), login(*failure)

    assert shown(found) == shown(known)
    assert len(found.content) == len(known.content)


def test_a_wrong_password_and_an_unknown_login_send_the_same_statements(ada: Api, settings: Any) -> None:
    settings.AXES_ENABLED, settings.AXES_FAILURE_LIMIT = True, 10
    settings.RATE_LIMIT_LOGIN_FAILURES = (100, 86400)
    kinds: list[list[str]] = []
    for name in ("ada", "eve"):
        with queries() as seen:
            login(name, WRONG)
        kinds.append([" ".join(sql.split()[:3]) for sql in seen])

    assert kinds[0] == kinds[1]


@pytest.mark.parametrize("name", ["ada", "nobody"])
def test_a_locked_login_costs_no_hash_whether_it_exists_or_not(
    ada: Api, hashes: list[Any], settings: Any, name: str
) -> None:
    settings.AXES_ENABLED, settings.AXES_FAILURE_LIMIT = True, 1
    login(name, WRONG)
    hashes.clear()

    assert_problem(login(name, PASSWORD), 429, "rate_limited")

    assert hashes == []


@pytest.mark.parametrize("name", ["ada\x00", "x" * 255, ""])
def test_what_is_no_login_is_refused_before_any_hash(ada: Api, hashes: list[Any], name: str) -> None:
    assert_problem(login(name, PASSWORD), 400, "invalid", "login")

    assert hashes == []


@pytest.mark.parametrize(
    ("name", "password"), [("nobody", PASSWORD), ("ada", WRONG), ("ada", PASSWORD), ("é", PASSWORD)]
)
def test_the_admins_door_costs_one_hash_as_well(ada: Api, hashes: list[Any], name: str, password: str) -> None:
    """Ada plays and is no operator: her right password is answered as a wrong one."""
    pages = [Client().post("/admin/login/", {"username": each, "password": password}) for each in (name, "somebody")]

    assert hashes == ONE * 2
    assert {page.status_code for page in pages} == {200}
    assert "Please enter the correct login and password for a staff account" in pages[0].content.decode()


# --- The hash itself --------------------------------------------------------------------------------------


@pytest.fixture
def as_in_production(settings: Any) -> None:
    from bcraftd import settings as ours

    settings.PASSWORD_HASHERS = ours.PASSWORD_HASHERS


def test_passwords_are_kept_as_argon2id_with_djangos_own_parameters(
    as_in_production: None, sign_up: Callable[..., Api]
) -> None:
    sign_up("ada")

    kept = Player.objects.get().password
    assert kept.startswith("argon2$argon2id$v=19$m=102400,t=2,p=8$")
    assert PASSWORD not in kept


class WatchedArgon2(BoundedArgon2):
    """A small hash that notes how many are under way: params() is asked for while one is."""

    time_cost, memory_cost, parallelism = 1, 8, 1
    under_way: ClassVar[list[int]] = []
    seen: ClassVar[list[int]] = []

    def params(self) -> Any:
        self.under_way.append(1)
        self.seen.append(len(self.under_way))
        time.sleep(0.02)
        self.under_way.pop()
        return super().params()


def test_a_process_reckons_a_few_hashes_at_a_time() -> None:
    """Each takes 100 MiB in earnest."""
    hasher = WatchedArgon2()
    with ThreadPoolExecutor(16) as threads:
        kept = list(threads.map(lambda number: hasher.encode(f"password {number}", "saltsalt"), range(32)))
        right = list(threads.map(hasher.verify, [f"password {number}" for number in range(32)], kept))

    assert all(right)
    assert max(WatchedArgon2.seen) == AT_ONCE


def test_a_hash_of_another_algorithm_is_brought_up_to_date_by_a_login_and_ends_no_session(
    ada: Api, as_in_production: None
) -> None:
    old = PBKDF2PasswordHasher().encode(PASSWORD, "saltsaltsaltsaltsaltsalt", 1000)
    Player.objects.bulk_update([Player(pk=ada.id, password=old)], ["password"])
    other = Api.signed_in("ada", PASSWORD)

    assert Player.objects.get().password.startswith("argon2$argon2id$")
    later = Api.signed_in("ada", PASSWORD)
    for player in (other, later):
        assert player.get("/api/auth/me").status_code == 200


def test_a_wrong_password_brings_no_hash_up_to_date(ada: Api, as_in_production: None) -> None:
    old = PBKDF2PasswordHasher().encode(PASSWORD, "saltsaltsaltsaltsaltsalt", 1000)
    Player.objects.bulk_update([Player(pk=ada.id, password=old)], ["password"])

    assert_problem(login("ada", WRONG), 401, "bad_credentials")

    assert Player.objects.get().password == old


@pytest.mark.parametrize(
    ("password", "rule"),
    [
        ("short", "password_too_short"),
        ("password123", "password_too_common"),
        ("8152063947", "password_entirely_numeric"),
        ("ada-lovelace", "password_too_similar"),
    ],
)
def test_each_of_djangos_rules_is_asked(api: Api, password: str, rule: str) -> None:
    answer = api.post("/api/auth/register", login="ada-lovelace1", email="ada@example.org", password=password)

    body = assert_problem(answer, 400, "invalid", "password")
    assert rule in [error["code"] for error in body["errors"]]
