"""What every answer tells browsers, caches and the curious: measured at a real server with HTTPS on, as deployed."""

import http.client
import json
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from ipaddress import ip_network
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.test import Client

from accounts.models import PlayerSession
from tests import live
from tests.operators import Operator, admin
from tests.support import Api, setting

HOST = "game.example.org"
FROM_ELSEWHERE = "https://evil.example.org"

# A path of each kind, and its status.
PATHS = {
    "/api/resources": 200,
    "/api/nothing": 404,
    "/api/auth/me": 401,
    "/api/auth/login": 405,
    "/api/schema": 200,
    "/api/docs": 200,
    "/admin/": 302,
    "/admin/login/": 200,
    "/static/admin/css/base.css": 200,
    "/static/nothing.css": 404,
    "/nothing": 404,
    "/healthz": 200,
    "/readyz": 200,
    "/metrics": 200,
}
PAGES = ("/admin/", "/api/docs")


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    cookies: list[str]


@pytest.fixture(scope="module")
def base(django_db_setup: None, django_db_blocker: Any) -> Iterator[str]:
    """The API behind a proxy that ends TLS."""
    with (
        django_db_blocker.unblock(),
        live.server(HTTPS="true", TRUSTED_PROXIES="127.0.0.1", ALLOWED_HOSTS=f"{HOST},127.0.0.1") as url,
    ):
        yield url


def ask(base: str, path: str, method: str = "GET", body: Any = None, **headers: str) -> Answer:
    """By way of the proxy, unless a header says otherwise."""
    given = {"Host": HOST, "X-Forwarded-Proto": "https", "Origin": FROM_ELSEWHERE}
    given |= {name.replace("_", "-"): value for name, value in headers.items()}
    url = urlsplit(base)
    with closing(http.client.HTTPConnection(url.hostname or "", url.port, timeout=60)) as connection:
        data = None if body is None else json.dumps(body)
        connection.request(method, path, data, {"Content-Type": "application/json", **given})
        answer = connection.getresponse()
        answer.read()
        found = {name.lower(): value for name, value in answer.getheaders()}
        return Answer(answer.status, found, answer.headers.get_all("Set-Cookie") or [])


@pytest.mark.parametrize("path", PATHS)
def test_every_answer_carries_the_headers_that_hold_a_browser_back(world: None, base: str, path: str) -> None:
    answer = ask(base, path)

    found = answer.headers
    assert answer.status == PATHS[path]
    assert found["strict-transport-security"] == "max-age=31536000; includeSubDomains; preload"
    assert found["x-content-type-options"] == "nosniff"
    assert found["x-frame-options"] == "DENY"
    assert found["referrer-policy"] == "same-origin"
    assert found["cross-origin-opener-policy"] == "same-origin"
    assert found["cross-origin-resource-policy"] == "same-origin"
    assert "camera=()" in found["permissions-policy"]
    assert found["cache-control"]
    policy = found["content-security-policy"]
    assert "frame-ancestors 'none'" in policy
    assert "//" not in policy
    assert ("default-src 'self'" if path.startswith(PAGES) else "default-src 'none'") in policy


@pytest.mark.parametrize("path", PATHS)
def test_no_answer_is_for_other_sites_scripts_or_tells_versions(world: None, base: str, path: str) -> None:
    for method in ("GET", "OPTIONS"):
        found = ask(base, path, method, Access_Control_Request_Method="POST").headers
        assert not [name for name in found if name.startswith("access-control-")]
        assert "x-powered-by" not in found
        assert not any(letter.isdigit() for letter in found.get("server", ""))


def test_an_answer_of_plain_http_is_a_redirect_with_the_same_headers(world: None, base: str) -> None:
    answer = ask(base, "/api/resources", X_Forwarded_Proto="http")

    assert (answer.status, answer.headers["location"]) == (301, f"https://{HOST}/api/resources")
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["x-frame-options"] == "DENY"
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("proto", ["http", "https"])
def test_a_name_that_is_not_ours_is_refused_and_leads_nowhere(world: None, base: str, proto: str) -> None:
    answer = ask(base, "/api/resources", Host="evil.example.org", X_Forwarded_Proto=proto)

    assert answer.status == 400
    assert "location" not in answer.headers
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["x-frame-options"] == "DENY"
    assert "default-src 'none'" in answer.headers["content-security-policy"]


def test_tokens_and_errors_are_stored_nowhere(world: None, base: str) -> None:
    ada = Api.signed_up("ada", "correct horse battery")
    told = {
        "login": ask(base, "/api/auth/login", "POST", {"login": "ada", "password": ada.password}),
        "refresh": ask(base, "/api/auth/refresh", "POST", {"refresh_token": ada.session["refresh_token"]}),
        "wrong": ask(base, "/api/auth/login", "POST", {"login": "ada", "password": "wrong horse battery"}),
        "me": ask(base, "/api/auth/me", Authorization=f"Bearer {ada.token}"),
        "unknown": ask(base, "/api/nothing"),
    }

    assert {name: answer.status for name, answer in told.items()} == {
        "login": 200, "refresh": 200, "wrong": 401, "me": 200, "unknown": 404,
    }  # fmt: skip
    assert {answer.headers["cache-control"] for answer in told.values()} == {"no-store"}
    assert not [answer for answer in told.values() if answer.cookies], "tokens are no cookies"


def test_what_belongs_to_a_player_is_kept_by_no_shared_cache(world: None, base: str) -> None:
    ada = Api.signed_up("ada", "correct horse battery")

    found = ask(base, "/api/inventory", Authorization=f"Bearer {ada.token}").headers

    assert (found["cache-control"], found["vary"]) == ("private, no-cache", "Authorization")


def test_the_admins_cookies_are_for_https_alone_and_the_session_not_for_scripts(world: None, base: str) -> None:
    Operator.make("olga", "admin")
    form = ask(base, "/admin/login/", Origin=f"https://{HOST}")
    (token,) = form.cookies
    answer = _enter(base, token.split(";")[0])

    assert answer.status == 302
    cookies = {cookie.split("=")[0]: cookie for cookie in answer.cookies}
    assert set(cookies) == {"csrftoken", "bcraftd_admin"}
    for cookie in cookies.values():
        assert "; Secure" in cookie
        assert "; SameSite=Lax" in cookie
        assert "Domain" not in cookie
    assert "; HttpOnly" in cookies["bcraftd_admin"]


def _enter(base: str, cookie: str) -> Answer:
    """Signs in with the token of the form, as a browser would."""
    url = urlsplit(base)
    data = f"username=olga&password=correct+horse+battery&csrfmiddlewaretoken={cookie.split('=')[1]}&next=/admin/"
    headers = {
        "Host": HOST, "X-Forwarded-Proto": "https", "Origin": f"https://{HOST}", "Cookie": cookie,
        "Content-Type": "application/x-www-form-urlencoded",
    }  # fmt: skip
    with closing(http.client.HTTPConnection(url.hostname or "", url.port, timeout=60)) as connection:
        connection.request("POST", "/admin/login/", data, headers)
        answer = connection.getresponse()
        answer.read()
        return Answer(answer.status, dict(answer.getheaders()), answer.headers.get_all("Set-Cookie") or [])


def test_a_form_of_another_site_changes_nothing_in_the_admin(world: None, base: str) -> None:
    answer = ask(base, "/admin/login/", "POST", {})

    assert answer.status == 403


def test_who_is_no_trusted_proxy_cannot_pass_plain_http_for_https(world: None, settings: Any) -> None:
    settings.SECURE_SSL_REDIRECT = True
    forwarded = {"X-Forwarded-Proto": "https"}

    assert Client().get("/api/resources", headers=forwarded).status_code == 301
    settings.TRUSTED_PROXIES = [ip_network("127.0.0.1/32")]
    assert Client().get("/api/resources", headers=forwarded).status_code == 200


def test_without_https_nothing_is_promised_for_later(api: Api) -> None:
    answer = api.get("/api/resources")

    assert "Strict-Transport-Security" not in answer
    assert answer["X-Content-Type-Options"] == "nosniff"


def test_what_players_send_is_no_script_on_an_operators_page(ada: Api) -> None:
    script = "<script>alert(1)</script>"
    with setting(AXES_ENABLED=True):
        for password in (ada.password, "wrong horse battery"):
            ada.call("POST", "/api/auth/login", {"login": "ada", "password": password}, raw=None, User_Agent=script)
    olga = admin()

    pages = [olga.get(f"{kind}_changelist") for kind in ("accounts_playersession", "axes_accessattempt")]
    pages.append(olga.get("accounts_playersession_change", PlayerSession.objects.get(user_agent=script).pk))
    for page in pages:
        assert page.status_code == 200
        assert "&lt;script&gt;alert(1)" in page.content.decode()
        assert script not in page.content.decode()
