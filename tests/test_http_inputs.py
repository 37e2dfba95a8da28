"""What comes in: lengths and limits, bodies that break off on their way, ids in paths, methods, email addresses.

The trap table (tests/fuzz/) tries every bad value in every place; here stands what each of these promises.
"""

import io
import socket
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.core.validators import validate_email
from hypothesis import given, settings
from hypothesis import strategies as st

from accounts.api.serializers import EMAIL
from market.models import Trade
from tests import live
from tests.support import Api, assert_problem, schema

# --- Pages ------------------------------------------------------------------------------------------------

LISTS = [
    (path, row["schema"]["maximum"])
    for path, methods in schema()["paths"].items()
    for row in methods.get("get", {}).get("parameters", ())
    if row["name"] == "limit"
]


@pytest.mark.parametrize(("path", "most"), LISTS)
def test_a_page_has_at_most_what_the_schema_says(ada: Api, path: str, most: int) -> None:
    path = path.replace("{resource_id}", "1")

    assert ada.get(f"{path}?limit={most}").status_code in (200, 404)
    for limit in (most + 1, 0, -1, 10**30):
        assert_problem(ada.get(f"{path}?limit={limit}"), 400, "invalid", "limit")


def test_every_list_that_goes_on_has_a_limit() -> None:
    assert {"/api/market/listings", "/api/wallet/entries", "/api/leaderboard"} <= {path for path, _ in LISTS}
    assert all(most <= 1000 for _, most in LISTS)


# --- Bodies that were lost on their way -------------------------------------------------------------------
# An empty body of a purchase means all that remains: one that was cut off must not.


@pytest.fixture
def buying(ada: Api, bob: Api) -> Callable[..., Any]:
    """`buying(body, HEADER=...)` sends a purchase as a WSGI server would hand it over."""
    ada.grant(mutterwood_log=5)
    listing = ada.sells("mutterwood-log", 5, 10)

    def send(body: bytes, **environ: Any) -> Any:
        given: dict[str, Any] = {"wsgi.input": io.BytesIO(body), "wsgi.input_terminated": True, **environ}
        given |= {"CONTENT_TYPE": "application/json", "HTTP_AUTHORIZATION": f"Bearer {bob.token}"}
        return bob.client.generic("POST", f"/api/market/listings/{listing['id']}/buy", **given)

    return send


@pytest.mark.parametrize("body", [b"", b" ", b'{"quantity": 2', b'{"quantity": 2}'])
def test_a_body_that_is_shorter_than_its_length_is_refused(buying: Callable[..., Any], body: bytes) -> None:
    assert_problem(buying(body, CONTENT_LENGTH="16"), 400, "parse_error")
    assert not Trade.objects.exists()


@pytest.mark.parametrize("body", [b"", b"\r\n "])
@pytest.mark.parametrize("how", [{"HTTP_TRANSFER_ENCODING": "chunked"}, {"SERVER_PROTOCOL": "HTTP/2"}])
def test_where_nobody_can_tell_no_body_from_a_lost_one_it_has_to_be_said(
    buying: Callable[..., Any], body: bytes, how: dict[str, str]
) -> None:
    assert_problem(buying(body, **how), 400, "parse_error")
    assert not Trade.objects.exists()
    assert buying(b"{}", **how).json()["trade"]["quantity"] == 5


def test_no_body_at_all_is_an_empty_one(buying: Callable[..., Any]) -> None:
    assert buying(b"", SERVER_PROTOCOL="HTTP/1.1").json()["trade"]["quantity"] == 5


def test_what_decides_nothing_needs_no_body(ada: Api) -> None:
    given: dict[str, Any] = {"wsgi.input": io.BytesIO(b""), "wsgi.input_terminated": True, "SERVER_PROTOCOL": "HTTP/2"}

    answer = ada.client.generic("POST", "/api/auth/logout", HTTP_AUTHORIZATION=f"Bearer {ada.token}", **given)

    assert answer.status_code == 200


BROKEN_OFF = [
    b"Content-Length: 15\r\n\r\n",
    b'Content-Length: 150\r\n\r\n{"quantity": 2}',
    b"Transfer-Encoding: chunked\r\n\r\n",
    b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
    b"Transfer-Encoding: chunked\r\n\r\n100\r\n  ",
]


def hang_up_after(url: str, raw: bytes) -> None:
    with socket.create_connection(("127.0.0.1", urlsplit(url).port or 0), timeout=20) as connection:
        connection.sendall(raw)


def answer_to(url: str, raw: bytes) -> bytes:
    """The status line of the answer to `raw`. Who hangs up before it may have been heard by nobody."""
    with socket.create_connection(("127.0.0.1", urlsplit(url).port or 0), timeout=60) as connection:
        connection.sendall(raw)
        return connection.makefile("rb").readline()


def test_a_line_that_breaks_in_a_purchase_buys_nothing(ada: Api, bob: Api) -> None:
    ada.grant(mutterwood_log=5)
    listing = ada.sells("mutterwood-log", 5, 10)
    head = f"POST /api/market/listings/{listing['id']}/buy HTTP/1.1\r\nHost: localhost\r\n"
    head += f"Authorization: Bearer {bob.token}\r\nContent-Type: application/json\r\n"

    with live.server() as url:
        for rest in BROKEN_OFF:
            hang_up_after(url, head.encode() + rest)
            # A purchase that is whole, to know that the server has come so far.
            line = answer_to(url, head.encode() + b'Content-Length: 15\r\n\r\n{"quantity": 1}')
            assert line.startswith(b"HTTP/1.1 200 "), line

    assert list(Trade.objects.values_list("quantity", flat=True)) == [1] * len(BROKEN_OFF)


# --- Headers ----------------------------------------------------------------------------------------------


def test_a_nul_in_a_header_is_a_space(ada: Api) -> None:
    body = {"login": "ada", "password": ada.password}

    answer = ada.call("POST", "/api/auth/login", body, User_Agent="a\0b")

    assert answer.status_code == 200
    newest = ada.get("/api/auth/sessions").json()["sessions"][0]
    assert newest["user_agent"] == "a b"


# --- Paths and methods ------------------------------------------------------------------------------------


ODD_IDS = [
    "0", "-1", "01", "001", "1.0", "1e0", "+1", "%2B1", "%201", "1%20", "1%0A", "1%00", "%EF%BC%91", "%FF", "%ED%A0%80",
    str(2**63), "99999999999999999999", "9" * 5000,
]  # fmt: skip


@pytest.mark.parametrize("text", ODD_IDS)
@pytest.mark.parametrize("path", ["/api/resources/", "/api/market/listings/", "/api/players/", "/api/recipes/"])
def test_an_id_is_written_in_one_way_and_fits_64_bits(api: Api, path: str, text: str) -> None:
    assert_problem(api.client.get(path + text), 404, "not_found")


@pytest.mark.parametrize("text", ["%00", "a%00", "a" * 65, "%FF", "a%0A", "a.b", "%E2%80%AE", "'"])
def test_a_session_that_none_can_be_is_not_found(ada: Api, text: str) -> None:
    assert_problem(ada.delete(f"/api/auth/sessions/{text}"), 404, "not_found")


@pytest.mark.parametrize("path", ["/api/resources?kind=wood", "/api/auth/me?x=1", "/api/gather?x=1"])
@pytest.mark.parametrize("method", ["PUT", "OPTIONS", "TRACE"])
def test_a_method_that_is_not_there_is_a_405_whatever_the_query(ada: Api, path: str, method: str) -> None:
    answer = ada.call(method, path, raw=b"{")

    assert_problem(answer, 405, "method_not_allowed")
    assert answer["Allow"] == ("POST" if "gather" in path else "GET, HEAD")


# --- Email addresses --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "email", ["a@b.cd", "A.b+c@x-y.example.org", "o'neil@example.museum", "a@xn--bcher-kva.example"]
)
def test_an_address_that_people_have_is_taken(api: Api, email: str) -> None:
    answer = api.post("/api/auth/register", login="ada", email=email, password="correct horse battery")

    assert answer.status_code == 201


@pytest.mark.parametrize(
    "email",
    [
        " a@b.cd", "a@b.cd ", "a@b.cd\n", "a@b", "a@localhost", '"a b"@b.cd', "a@[127.0.0.1]", "a@b..cd", ".a@b.cd",
        "a.@b.cd", "a@-b.cd", "a@b-.cd", "ä@b.cd", "a@bücher.example", "a@b.\u212a\u212a", "a@b.cd,c@d.ef", "a@b.12",
        "a" * 250 + "@b.cd",
    ],
)  # fmt: skip
def test_any_other_is_refused(api: Api, email: str) -> None:
    answer = api.post("/api/auth/register", login="ada", email=email, password="correct horse battery")

    body = assert_problem(answer, 400, "invalid", "email")
    assert {row["code"] for row in body["errors"]} <= {"invalid", "max_length"}


@settings(max_examples=50, deadline=None)
@given(st.from_regex(EMAIL).filter(lambda email: len(email) <= 254))
def test_what_the_schema_calls_an_address_django_calls_one_too(email: str) -> None:
    validate_email(email)
