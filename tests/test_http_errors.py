"""Whatever goes wrong under /api/, the answer is a problem document (RFC 9457) that names its request."""

import io
import json
import re
from typing import Any

import pytest
from django.db import InterfaceError, OperationalError, close_old_connections

from accounts import selectors
from accounts.models import Player
from bcraftd.errors import CODES
from bcraftd.parsing import MAX_BODY_BYTES, loads
from tests import servers
from tests.support import Api, assert_problem

LOGIN = "/api/auth/login"
PUBLIC = "/api/resources"
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def post(api: Api, raw: bytes) -> Any:
    return api.call("POST", LOGIN, raw=raw)


def test_a_problem_has_all_its_members(api: Api) -> None:
    body = assert_problem(post(api, b'{"login": 5}'), 400, "invalid")

    assert set(body) == {"type", "title", "status", "detail", "code", "request_id", "errors"}
    assert body["type"] == "urn:bcraftd:error:invalid"
    assert {row["field"] for row in body["errors"]} == {"login", "password"}
    for row in body["errors"]:
        assert set(row) == {"field", "code", "detail"}
        assert re.fullmatch("[a-z_]+", row["code"])


def test_a_code_is_a_snake_case_word_with_an_error_status_and_a_title() -> None:
    for code, (status, title) in CODES.items():
        assert re.fullmatch("[a-z_]+", code)
        assert 400 <= status <= 503
        assert title


# --- Paths, methods and media types -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    ["/api", "/api/", "/api//", "/api/nothing", "/api/auth", "/api/%00", "/api/resources/x", "/api/ü", "/api/%FF"],
)
def test_an_unknown_path_is_not_found(api: Api, path: str) -> None:
    assert_problem(api.client.get(path), 404, "not_found")


@pytest.mark.parametrize("path", ["/nothing", "/apix"])
def test_outside_the_api_an_unknown_path_is_a_plain_404(api: Api, path: str) -> None:
    answer = api.client.get(path)

    assert answer.status_code == 404
    assert answer["Content-Type"].startswith("text/html")


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"])
def test_a_method_that_a_path_does_not_have_is_refused_with_those_that_it_has(api: Api, method: str) -> None:
    answer = api.client.generic(method, PUBLIC)

    assert_problem(answer, 405, "method_not_allowed")
    assert answer["Allow"] == "GET, HEAD"


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "OPTIONS"])
def test_a_path_that_is_only_posted_to_says_so(api: Api, method: str) -> None:
    answer = api.client.generic(method, LOGIN)

    assert (answer.status_code, answer["Allow"]) == (405, "POST")


def test_head_is_get_without_a_body(api: Api) -> None:
    answer = api.client.head(PUBLIC)

    assert (answer.status_code, answer.content) == (200, b"")
    assert answer["ETag"] == api.get(PUBLIC)["ETag"]


@pytest.mark.parametrize("accept", ["text/html", "application/xml", "garbage", "application/json2", "a" * 20000])
def test_only_json_can_be_sent(api: Api, accept: str) -> None:
    assert_problem(api.get(PUBLIC, Accept=accept), 406, "not_acceptable")


@pytest.mark.parametrize(
    "accept",
    ["*/*", "application/json", "application/*", "text/html, application/json;q=0.1", "application/json; indent=4"],
)
def test_whoever_takes_json_gets_it(api: Api, accept: str) -> None:
    answer = api.get(PUBLIC, Accept=accept)

    assert (answer.status_code, answer["Content-Type"]) == (200, "application/json")


@pytest.mark.parametrize(
    "kind",
    ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/xml", "x", ""],
)
def test_only_json_is_understood(api: Api, kind: str) -> None:
    answer = api.client.generic("POST", LOGIN, b'{"login": "ada"}', content_type=kind)

    assert_problem(answer, 415, "unsupported_media_type")


@pytest.mark.parametrize("kind", ["application/json", "application/json; charset=utf-8", "Application/JSON"])
def test_json_is_understood_however_it_is_called(api: Api, kind: str) -> None:
    assert_problem(api.client.generic("POST", LOGIN, b"{}", content_type=kind), 400, "invalid", "login")


# --- Bodies -----------------------------------------------------------------------------------------------

MALFORMED = {
    "cut off": b'{"login": "ada"',
    "no JSON": b"login=ada",
    "two values": b"{} {}",
    "a trailing comma": b'{"login": "ada",}',
    "single quotes": b"{'login': 'ada'}",
    "a key twice": b'{"login": "ada", "login": "bob"}',
    "a key twice further in": b'{"login": [{"a": 1, "a": 1}]}',
    "a key twice by escape": b'{"login": "ada", "log\\u0069n": "bob"}',
    "NaN": b'{"login": NaN}',
    "Infinity": b'{"login": -Infinity}',
    "33 deep": b"[" * 33 + b"]" * 33,
    "33 deep in objects": b'{"a":' * 33 + b"1" + b"}" * 33,
    "100000 deep": b"[" * 100_000,
    "an endless string of quotes": b'"' + b'\\"' * 120_000,
    "a backslash at the end": b'{"login": "\\',
    "broken UTF-8": b'{"login": "\xff"}',
    "a surrogate in UTF-8": b'{"login": "\xed\xa0\x80"}',
    "UTF-16": '{"login": "ada"}'.encode("utf-16"),
    "a byte order mark": b"\xef\xbb\xbf{}",
    "a control character": b'{"login": "a\x00b"}',
    "five thousand digits": b'{"login": ' + b"9" * 5000 + b"}",
}


@pytest.mark.parametrize("what", MALFORMED)
def test_what_is_not_well_formed_is_a_parse_error(api: Api, what: str) -> None:
    assert_problem(post(api, MALFORMED[what]), 400, "parse_error")


@pytest.mark.parametrize("raw", [b"[]", b"5", b'"x"', b"null", b"true", b"false", b"0", b"[" * 32 + b"]" * 32])
def test_a_body_that_is_no_object_is_invalid(api: Api, raw: bytes) -> None:
    assert_problem(post(api, raw), 400, "invalid", "body")


@pytest.mark.parametrize("raw", [b"", b"  \n", b"{}", b"\t{ }\r\n"])
def test_an_empty_body_is_an_empty_object(api: Api, raw: bytes) -> None:
    assert_problem(post(api, raw), 400, "invalid", "login")


@pytest.mark.parametrize(
    "raw",
    [
        b'{"\\ud800": 1}',
        b'{"\\u0000": 1}',
        b'{"login": 1e999}',
        b'{"login": 123456789012345678901234567890}',
        b'{"login": "\\udfff"}',
        b'{"' + b"x" * 10_000 + b'": 1}',
    ],
)
def test_odd_names_and_numbers_are_invalid(api: Api, raw: bytes) -> None:
    assert_problem(post(api, raw), 400, "invalid")


def test_brackets_within_strings_do_not_nest() -> None:
    text = '[{"' * 40 + '\\" \\\\'
    assert loads(json.dumps({"text": text}).encode()) == {"text": text}


def test_32_deep_is_not_too_deep() -> None:
    assert json.dumps(loads(b"[" * 32 + b"]" * 32)) == "[" * 32 + "]" * 32


def padded(size: int) -> bytes:
    return b'{"login": "' + b"x" * (size - 13) + b'"}'


def test_a_body_of_256_kib_is_read_and_a_byte_more_is_too_large(api: Api) -> None:
    assert_problem(post(api, padded(MAX_BODY_BYTES)), 400, "invalid", "login")
    assert_problem(post(api, padded(MAX_BODY_BYTES + 1)), 413, "payload_too_large")
    assert_problem(post(api, padded(300 * 1024)), 413, "payload_too_large")


def chunked(api: Api, body: bytes, path: str = LOGIN) -> Any:
    """As granian hands over a body without its length."""
    extra: dict[str, Any] = {
        "CONTENT_TYPE": "application/json",
        "wsgi.input": io.BytesIO(body),
        "wsgi.input_terminated": True,
    }
    token = {"Authorization": f"Bearer {api.token}"} if api.token else {}
    return api.client.generic("POST", path, b"", headers=token, **extra)


def test_a_body_without_its_length_is_read_all_the_same(api: Api, ada: Api) -> None:
    body = json.dumps({"login": "ada", "password": ada.password}).encode()

    assert chunked(api, body).status_code == 200
    assert_problem(chunked(api, padded(MAX_BODY_BYTES)), 400, "invalid", "login")
    assert_problem(chunked(api, padded(300 * 1024)), 413, "payload_too_large")
    assert_problem(chunked(api, b'{"login"'), 400, "parse_error")
    assert_problem(chunked(api, b""), 400, "invalid", "login")


def test_a_purchase_sent_in_chunks_buys_what_it_says(ada: Api, bob: Api) -> None:
    ada.grant(mutterwood_log=5)
    listing = ada.sells("mutterwood-log", 5, 10)

    answer = chunked(bob, b'{"quantity": 2}', f"/api/market/listings/{listing['id']}/buy")

    assert answer.json()["trade"]["quantity"] == 2


# --- Queries and hosts ------------------------------------------------------------------------------------


def test_more_parameters_than_anybody_needs_are_invalid(api: Api) -> None:
    assert_problem(api.get(f"{PUBLIC}?{'&'.join(f'a{n}=1' for n in range(1001))}"), 400, "invalid")


@pytest.mark.parametrize(
    "query", ["%00=1", "kind=%00", "kind=%ED%A0%80", "kind=%FF", "kind=a&kind=b", "ü=1", "&x", "=1"]
)
def test_odd_parameters_are_invalid(api: Api, query: str) -> None:
    assert_problem(api.get(f"{PUBLIC}?{query}"), 400, "invalid")


def test_a_host_that_we_are_not_is_invalid(api: Api) -> None:
    assert_problem(api.get(PUBLIC, Host="evil.example"), 400, "invalid")


# --- Our own faults ---------------------------------------------------------------------------------------


def failing(error: Exception) -> Any:
    def fail(*args: Any, **kwargs: Any) -> None:
        raise error

    return fail


def test_a_defect_is_an_internal_error_that_tells_nothing(ada: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selectors, "me_get", failing(RuntimeError("secret detail")))

    answer = ada.get("/api/auth/me")

    assert_problem(answer, 500, "internal_error")
    assert b"secret" not in answer.content


def test_a_defect_in_finding_out_who_speaks_is_one_too(ada: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selectors, "session_principal", failing(RuntimeError("secret detail")))

    assert_problem(ada.get("/api/auth/me"), 500, "internal_error")


@pytest.mark.parametrize("error", [OperationalError("server closed"), InterfaceError("connection already closed")])
@pytest.mark.parametrize("where", ["me_get", "session_principal"])
def test_without_a_database_the_service_is_unavailable(
    ada: Api, monkeypatch: pytest.MonkeyPatch, error: Exception, where: str
) -> None:
    monkeypatch.setattr(selectors, where, failing(error))

    answer = ada.get("/api/auth/me")

    assert_problem(answer, 503, "service_unavailable")
    assert int(answer["Retry-After"]) > 0


def test_a_restart_of_postgresql_costs_a_503_at_most(ada: Api) -> None:
    servers.postgres_restart()

    try:
        for _ in range(2):
            answer = ada.get("/api/auth/me")
            assert_problem(answer, 503, "service_unavailable")
            assert answer["Retry-After"] == "2"
    finally:
        # What each request begins with, outside of a test.
        close_old_connections()

    assert ada.get("/api/auth/me").json()["id"] == ada.id
    assert Player.objects.get().coins == 1000


# --- Trailing slashes and request ids ---------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/api/resources", "/api/environment/weather", "/api/market/listings?limit=5"])
def test_a_trailing_slash_is_answered_the_same_without_a_redirect(api: Api, path: str) -> None:
    name, _, query = path.partition("?")
    plain = api.client.get(path)

    for slashes in ("/", "//"):
        answer = api.client.get(f"{name}{slashes}?{query}")
        assert (answer.status_code, answer["ETag"]) == (200, plain["ETag"])


def test_a_post_with_a_trailing_slash_keeps_its_body(api: Api, ada: Api) -> None:
    answer = api.client.post(LOGIN + "/", {"login": "ada", "password": ada.password}, content_type="application/json")

    assert answer.status_code == 200


@pytest.mark.parametrize("given", ["12345678", "a" * 64, "A-Za-z-09"])
def test_a_clients_request_id_is_kept(api: Api, given: str) -> None:
    assert api.get(PUBLIC, X_Request_ID=given)["X-Request-ID"] == given
    assert api.call("GET", "/api/auth/me", None, raw=None, X_Request_ID=given).json()["request_id"] == given


@pytest.mark.parametrize(
    "given", ["", "1234567", "a" * 65, "with space", "under_score", "ümlaut12", "12345678\r\nX: y", "12345678\n"]
)
def test_any_other_request_id_is_replaced(api: Api, given: str) -> None:
    first, second = (api.get(PUBLIC, X_Request_ID=given)["X-Request-ID"] for _ in range(2))

    assert UUID.fullmatch(first)
    assert first != second


@pytest.mark.parametrize("path", ["/healthz", "/api/nothing", "/nothing", "/api/auth/me", "/admin/login/"])
def test_every_answer_names_its_request(api: Api, path: str) -> None:
    assert UUID.fullmatch(api.client.get(path)["X-Request-ID"])
