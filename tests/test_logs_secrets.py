"""No secret in a log: every call of the API and the admin's doors against a live server that logs all it can."""

import base64
import json
import os
import re
import secrets
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from accounts.models import Player, Role
from bcraftd.masking import MASK, Masked
from tests.live import server
from tests.operators import Operator
from tests.programs import environment
from tests.support import schema


def marker(name: str) -> str:
    """A password that nobody else has written."""
    return f"{name}-{secrets.token_hex(8)}"


class Driver:
    """A client that remembers every secret that it has said or was told."""

    def __init__(self, url: str) -> None:
        self.client = httpx.Client(base_url=url, timeout=60)
        self.secrets: dict[str, str] = {}

    def known(self, name: str, secret: str) -> str:
        self.secrets[name] = secret
        return secret

    def password(self, name: str) -> str:
        return self.known(f"the {name} password", marker(name))

    def tokens(self, answer: httpx.Response, which: str) -> dict[str, Any]:
        assert answer.status_code == 200, answer.text
        for name in ("access_token", "refresh_token"):
            token = self.known(f"{which} {name}", answer.json()[name])
            self.known(f"the signature of the {which} {name}", token.rpartition(".")[2])
        return dict(answer.json())

    def post(self, path: str, *, token: str = "", expect: int, **body: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        answer = self.client.post(path, json=body, headers=headers)
        assert answer.status_code == expect, (path, answer.text)
        return answer

    def cookies(self) -> None:
        for name, value in self.client.cookies.items():
            self.known(f"the cookie {name} {value[:4]}", str(value))


def play(driver: Driver) -> None:
    """A player's way from the registration to a new password, with everything that goes wrong on it."""
    first, second = driver.password("first"), driver.password("second")
    driver.post("/api/auth/register", login="ada", email="ada@example.org", password=first, expect=201)
    driver.post("/api/auth/register", login="ada", email="ada@example.org", password=first, expect=409)
    driver.post("/api/auth/login", login="ada", password=driver.password("mistyped"), expect=401)
    tokens = driver.tokens(driver.post("/api/auth/login", login="ada", password=first, expect=200), "first")
    refresh = tokens["refresh_token"]
    tokens = driver.tokens(driver.post("/api/auth/refresh", refresh_token=refresh, expect=200), "second")
    token = tokens["access_token"]
    driver.post("/api/auth/password", token=token, old_password=first, new_password=second, expect=200)
    driver.post("/api/auth/password", token=token, old_password=first, new_password=second, expect=400)
    driver.post(
        "/api/auth/password", token=token, old_password=second, new_password=driver.password("defect"), expect=500
    )
    driver.post("/api/auth/refresh", refresh_token=driver.known("a broken token", marker("eyJdefect")), expect=500)
    everywhere(driver, token)
    garble(driver, token)
    # A refresh token that was used is a stolen one, and ends the session.
    driver.post("/api/auth/refresh", refresh_token=refresh, expect=401)
    driver.post("/api/auth/logout", token=token, expect=401)


def everywhere(driver: Driver, token: str) -> None:
    """Every call there is, with a body that has secrets in all the wrong places."""
    word = driver.password("misplaced")
    body = {"password": word, "old_password": word, "new_password": word, "refresh_token": word, "access_token": token}
    for path, operations in schema()["paths"].items():
        for method in operations:
            if path in ("/api/auth/logout",):
                continue
            sent = None if method == "get" else body
            where = re.sub(r"{\w+}", "7", path)
            headers = {"Authorization": f"Bearer {token}"}
            answer = driver.client.request(method.upper(), where, headers=headers, json=sent)
            assert answer.status_code < 500, (method, path, answer.text)


def garble(driver: Driver, token: str) -> None:
    """Secrets where a mistaken client puts them: in a query, a path, a broken body, a header of another kind."""
    wrong, word = driver.known("a made-up token", secrets.token_urlsafe(32)), driver.password("stray")
    basic = driver.known("a basic login", base64.b64encode(f"ada:{word}".encode()).decode())
    forged = driver.known("a forged token", f"{token[:-8]}AAAAAAAA")
    for header in (f"Bearer {wrong}", f"Bearer {forged}", f"Basic {basic}", wrong):
        assert driver.client.get("/api/auth/me", headers={"Authorization": header}).status_code == 401
    assert driver.client.get("/api/auth/me", headers={"Cookie": f"bcraftd_admin={wrong}"}).status_code == 401
    for query in (
        f"access_token={token}",
        f"token={wrong}",
        wrong,
        f"limit=10&password={word}",
        f"limit={word}/",
    ):
        assert driver.client.get(f"/api/market/listings?{query}").status_code == 400
        driver.client.get(f"/admin/?{query}")
        driver.client.get(f"/healthz?{query}")
    assert driver.client.get(f"/api/{token}").status_code == 404
    for text in (f'{{"login": "ada", "password": "{word}', f'{{"login": "ada", "password": "{word}",,}}', word):
        headers = {"Content-Type": "application/json"}
        assert driver.client.post("/api/auth/login", content=text, headers=headers).status_code == 400


def administer(driver: Driver, password: str) -> None:
    """An operator comes in, after a mistake, and changes a password, after another one."""

    def submit(page: str, **fields: str) -> int:
        found = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', driver.client.get(page).text)
        assert found, page
        form = fields | {"csrfmiddlewaretoken": driver.known(f"form {len(driver.secrets)}", found[1])}
        answer = driver.client.post(page, data=form)
        driver.cookies()
        return answer.status_code

    wrong, new = driver.password("operator's mistyped"), driver.password("operator's new")
    assert submit("/admin/login/", username="Olga", password=wrong) == 200
    assert submit("/admin/login/", username="Olga", password=password) == 302
    both = {"new_password1": new, "new_password2": new}
    assert submit("/admin/password_change/", old_password=wrong, **both) == 200
    assert submit("/admin/password_change/", old_password=password, **both) == 302
    # One without its form's token.
    assert driver.client.post("/admin/login/", data={"username": "Olga", "password": new}).status_code == 403


def measure(driver: Driver, token: str) -> None:
    wrong = driver.known("a wrong metrics token", secrets.token_urlsafe(32))
    for given in (token, wrong):
        driver.client.get("/metrics", headers={"Authorization": f"Bearer {given}"})
        driver.client.get(f"/metrics?token={given}")
    driver.client.get(f"/metrics/{token}")


def of_the_server(driver: Driver, metrics_token: str) -> None:
    """What the server knows from its settings."""
    given = environment()
    for name in ("SECRET_KEY", "JWT_SIGNING_KEY"):
        driver.known(name, os.environ[name])
    for name in ("DATABASE_URL", "REDIS_URL"):
        driver.known(f"the password in {name}", urlsplit(given[name]).password or "")
    driver.known("METRICS_TOKEN", metrics_token)


@pytest.mark.parametrize("debug", ["false", "true"])
def test_no_log_holds_a_secret_whatever_is_asked_and_however_much_is_logged(
    world: None, folder: Path, debug: str
) -> None:
    metrics_token, password = secrets.token_urlsafe(32), marker("operator")
    olga = Operator.make("Olga", Role.ADMIN)
    assert olga is not None
    player = Player.objects.get(login="Olga")
    player.set_password(password)
    player.save()
    log = folder / "api.log"

    settings: Any = {"LOG_LEVEL": "DEBUG", "LOG_HITS": "1", "DEBUG": debug, "METRICS_TOKEN": metrics_token}
    with server("tests.failing_api:application", log=log, **settings) as url, ExitStack() as stack:
        driver = Driver(url)
        stack.callback(driver.client.close)
        driver.known("the operator's password", password)
        play(driver)
        administer(driver, password)
        measure(driver, metrics_token)
        of_the_server(driver, metrics_token)

    text = log.read_text(encoding="utf-8")
    lines = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    asked = {line.get("request", "").partition("?")[0] for line in lines}
    # It is a log of all that was asked, with tracebacks, and not an empty file.
    assert {"POST /api/auth/password", "POST /admin/login/", "POST /admin/password_change/", "GET /metrics"} <= asked
    defects = [line for line in lines if line["event"] == "request_failed"]
    assert {"a defect" in line["exception"] or MASK in line["exception"] for line in defects} == {True}
    assert len(defects) == 2
    assert len(driver.secrets) > 25
    leaked = {name for name, secret in driver.secrets.items() if secret and secret in text}
    assert leaked == set()


# --- The mask ---------------------------------------------------------------------------------------------


def test_what_others_write_into_a_line_is_masked() -> None:
    masked = Masked(["a long secret", 'with "quotes" & more', "short", ""])
    token = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"

    def said(text: str) -> str:
        found: str = json.loads(masked(None, "info", json.dumps({"event": text})))["event"]
        return found

    assert said("postgres://u:a long secret@host") == f"postgres://u:{MASK}@host"
    assert said("a%20long%20secret") == MASK
    assert said('it is with "quotes" & more.') == f"it is {MASK}."
    assert said(f"Bearer {token}, and {token[:40]}") == f"Bearer {MASK}, and {MASK}"
    assert said("short eyJ stays") == "short eyJ stays"
