"""POST /api/auth/login"""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from axes.models import AccessAttempt
from django.db.models import F

from accounts.models import Player, PlayerSession
from tests.support import Api, assert_problem

PASSWORD = "correct horse battery"


def login(api: Api, name: Any = "ada", password: Any = PASSWORD, **headers: str) -> Any:
    return api.call("POST", "/api/auth/login", {"login": name, "password": password}, raw=None, **headers)


def without_id(answer: Any) -> dict[str, Any]:
    return {name: value for name, value in answer.json().items() if name != "request_id"}


def test_a_login_answers_with_tokens_for_a_session(api: Api, ada: Api) -> None:
    answer = login(api)

    body = answer.json()
    assert answer.status_code == 200
    assert set(body) == {"access_token", "refresh_token", "token_type", "expires_in", "session_id"}
    assert (body["token_type"], body["expires_in"]) == ("bearer", 15 * 60)
    assert answer["Cache-Control"] == "no-store"
    assert Api(body["access_token"]).get("/api/auth/me").json()["login"] == "ada"


@pytest.mark.parametrize("name", ["ADA", "aDa", "ada"])
def test_the_case_of_a_login_does_not_matter(api: Api, ada: Api, name: str) -> None:
    token = login(api, name).json()["access_token"]

    assert Api(token).get("/api/auth/me").json()["id"] == ada.id


def test_each_login_opens_a_session_of_its_own(api: Api, ada: Api) -> None:
    opened = {login(api).json()["session_id"] for _ in range(3)}

    assert len(opened) == 3
    assert PlayerSession.objects.count() == 4


def test_an_unknown_login_and_a_wrong_password_and_a_closed_account_are_answered_the_same(
    api: Api, ada: Api, bob: Api
) -> None:
    closed = Player.objects.get(login="bob")
    closed.is_active = False
    closed.save()

    wrong = login(api, password="wrong horse battery")
    unknown = login(api, "nobody")
    disabled = login(api, "bob")

    assert_problem(wrong, 401, "bad_credentials")
    assert without_id(wrong) == without_id(unknown) == without_id(disabled)
    assert wrong["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize("name", ["\u0131sa", "i\u017fa", "isä", "I" * 254, "%", "is_", " isa", "' OR 1=1 --"])
def test_only_a_login_of_its_own_letters_finds_a_player(api: Api, sign_up: Callable[..., Api], name: str) -> None:
    sign_up("isa")

    assert_problem(login(api, name), 401, "bad_credentials")


@pytest.mark.parametrize("field", ["login", "password"])
@pytest.mark.parametrize("value", ["", "x" * 255, "ada\x00", "ada\ud800", 1, 1.0, True, None, [], {}, 10**30])
def test_a_bad_value_is_named_and_no_session_opened(api: Api, field: str, value: Any) -> None:
    body = {"login": "ada", "password": PASSWORD, field: value}

    assert_problem(api.post("/api/auth/login", **body), 400, "invalid", field)
    assert not PlayerSession.objects.exists()


@pytest.mark.parametrize("body", [{}, {"login": "ada"}, {"login": "ada", "password": PASSWORD, "remember": True}])
def test_missing_and_unknown_fields_are_refused(api: Api, ada: Api, body: dict[str, Any]) -> None:
    assert_problem(api.post("/api/auth/login", **body), 400, "invalid")
    assert PlayerSession.objects.count() == 1


def test_an_old_token_beside_it_does_not_shut_anybody_out(api: Api, ada: Api) -> None:
    ada.post("/api/auth/logout")

    assert login(ada).status_code == 200


@pytest.mark.parametrize("agent", ["", "curl/8.5", "ü" * 300])
def test_the_session_notes_the_program_and_the_address(api: Api, ada: Api, agent: str) -> None:
    session_id = login(api, User_Agent=agent).json()["session_id"]

    session = PlayerSession.objects.get(session_id=session_id)
    assert (session.user_agent, session.address) == (agent[:256], "127.0.0.1")


def test_a_link_local_address_is_no_obstacle(api: Api, ada: Api) -> None:
    api.client.defaults["REMOTE_ADDR"] = "fe80::1%eth0"

    session_id = login(api).json()["session_id"]

    assert PlayerSession.objects.get(session_id=session_id).address == "fe80::1"


# --- Too many failures ------------------------------------------------------------------------------------


@pytest.fixture
def three_failures(settings: Any) -> None:
    """LOGIN_FAILURE_LIMIT=3"""
    settings.AXES_ENABLED = True
    settings.AXES_FAILURE_LIMIT = 3


def fail(api: Api, times: int, name: str = "ada", **headers: str) -> None:
    for _ in range(times):
        assert_problem(login(api, name, "wrong horse battery", **headers), 401, "bad_credentials")


def test_after_too_many_failures_even_the_right_password_is_refused(api: Api, ada: Api, three_failures: None) -> None:
    fail(api, 3)

    for password in ("wrong horse battery", PASSWORD):
        answer = login(api, password=password)
        assert_problem(answer, 429, "rate_limited")
        assert int(answer["Retry-After"]) == 15 * 60
    assert PlayerSession.objects.count() == 1


def test_a_lock_ends_a_quarter_of_an_hour_after_the_last_failure(api: Api, ada: Api, three_failures: None) -> None:
    fail(api, 3)
    assert login(api).status_code == 429
    AccessAttempt.objects.update(attempt_time=F("attempt_time") - timedelta(minutes=14))
    assert login(api).status_code == 429

    AccessAttempt.objects.update(attempt_time=F("attempt_time") - timedelta(minutes=1))

    assert login(api).status_code == 200


def test_a_lock_is_for_one_login_from_one_address(api: Api, ada: Api, bob: Api, three_failures: None) -> None:
    fail(api, 3)

    assert login(api, "bob").status_code == 200
    elsewhere = Api()
    elsewhere.client.defaults["REMOTE_ADDR"] = "192.0.2.7"
    assert login(elsewhere).status_code == 200
    assert login(api).status_code == 429


def test_failures_count_however_the_login_is_written_and_whatever_the_program(
    api: Api, ada: Api, three_failures: None
) -> None:
    for name, agent in (("ada", "curl"), ("ADA", "wget"), ("Ada", "fox")):
        fail(api, 1, name, User_Agent=agent)

    assert login(api, User_Agent="another").status_code == 429


def test_an_unknown_login_is_locked_like_any_other(api: Api, three_failures: None) -> None:
    fail(api, 3, "nobody")

    assert_problem(login(api, "nobody"), 429, "rate_limited")


def test_a_good_login_forgets_the_failures_before_it(api: Api, ada: Api, three_failures: None) -> None:
    for _ in range(3):
        fail(api, 2)
        assert login(api).status_code == 200


def test_what_is_no_login_at_all_is_not_counted(api: Api, ada: Api, three_failures: None) -> None:
    for _ in range(4):
        assert_problem(api.post("/api/auth/login", login="ada"), 400, "invalid")

    assert login(api).status_code == 200


def test_with_the_limit_off_nobody_is_locked(api: Api, ada: Api) -> None:
    fail(api, 12)

    assert login(api).status_code == 200
