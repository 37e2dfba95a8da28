"""GET /api/schema, GET /api/docs"""

import json
import re
from typing import Any

import pytest
from django.core.management import call_command
from drf_spectacular.generators import SchemaGenerator

from bcraftd.errors import CODES
from tests.support import Api, assert_problem, schema

# Method, path and whether a token is needed, as the specification lists them.
CALLS = """
POST   /api/auth/register                             public
POST   /api/auth/login                                public
POST   /api/auth/refresh                              public
POST   /api/auth/logout                               signed in
POST   /api/auth/password                             signed in
GET    /api/auth/me                                   signed in
GET    /api/auth/sessions                             signed in
DELETE /api/auth/sessions/{session_id}                signed in
GET    /api/players/{player_id}                       public
GET    /api/environment/current                       public
GET    /api/environment/weather                       public
GET    /api/environment/forecast                      public
GET    /api/resources                                 public
GET    /api/resources/{resource_id}                   public
GET    /api/recipes                                   public
GET    /api/recipes/{recipe_id}                       public
GET    /api/professions                               public
GET    /api/inventory                                 signed in
GET    /api/inventory/movements                       signed in
GET    /api/wallet/entries                            signed in
GET    /api/recipes/known                             signed in
POST   /api/professions/{profession_id}/join          signed in
POST   /api/gather                                    signed in
POST   /api/craft                                     signed in
GET    /api/market/listings                           public
GET    /api/market/listings/{listing_id}              public
GET    /api/market/listings/mine                      signed in
POST   /api/market/listings                           signed in
POST   /api/market/listings/{listing_id}/buy          signed in
POST   /api/market/listings/{listing_id}/cancel       signed in
GET    /api/market/trades                             signed in
GET    /api/market/resources/{resource_id}/summary    public
GET    /api/market/resources/{resource_id}/history    public
GET    /api/leaderboard                               public
GET    /api/leaderboard/me                            signed in
"""
TABLE = [tuple(re.split(r"\s{2,}|(?<=[A-Z])\s", line)) for line in CALLS.strip().splitlines()]
SPENDS = ["/api/craft", "/api/gather", "/api/market/listings", "/buy", "/cancel"]


def operations() -> dict[tuple[str, str], Any]:
    return {
        (method.upper(), path): operation
        for path, methods in schema()["paths"].items()
        for method, operation in methods.items()
    }


def test_the_schema_is_valid_and_generated_without_a_warning(world: None, tmp_path: Any) -> None:
    call_command("spectacular", validate=True, fail_on_warn=True, file=str(tmp_path / "schema.yaml"))

    assert (tmp_path / "schema.yaml").read_text().startswith("openapi: 3")


def test_the_schema_has_every_call_and_no_other(world: None) -> None:
    assert set(operations()) == {(method, path) for method, path, _ in TABLE}


@pytest.mark.parametrize(("method", "path", "who"), TABLE)
def test_a_call_says_who_may_make_it_and_which_errors_to_expect(world: None, method: str, path: str, who: str) -> None:
    operation = operations()[method, path]

    needs_token = {"accessToken": []} in operation.get("security", [])
    assert needs_token is (who == "signed in")
    assert ("401" in operation["responses"]) >= needs_token
    for status, answer in operation["responses"].items():
        if int(status) >= 400:
            assert list(answer["content"]) == ["application/problem+json"]
    assert {"400", "429", "500", "503"} <= set(operation["responses"])


@pytest.mark.parametrize(("method", "path", "who"), [row for row in TABLE if row[0] == "POST"])
def test_a_post_says_how_it_refuses_a_body_and_whether_it_takes_a_key(
    world: None, method: str, path: str, who: str
) -> None:
    operation = operations()[method, path]

    assert {"413", "415"} <= set(operation["responses"])
    takes_key = "Idempotency-Key" in [row["name"] for row in operation.get("parameters", [])]
    assert takes_key is any(path.endswith(end) for end in SPENDS)


def test_the_schema_is_served(api: Api) -> None:
    answer = api.get("/api/schema", Accept="application/json")

    assert answer.status_code == 200
    assert set(json.loads(answer.content)["paths"]) == set(schema()["paths"])


def test_the_page_and_everything_on_it_is_served_by_us(api: Api) -> None:
    page = api.get("/api/docs")
    html = page.content.decode()

    assert page.status_code == 200
    assets = re.findall(r"""<(?:script|link|img|iframe)[^>]*?(?:src|href)=["']([^"']+)""", html)
    assert len(assets) >= 3
    for asset in assets:
        assert asset.startswith("/static/"), asset
        served = api.client.get(asset)
        assert served.status_code == 200, asset
        assert len(b"".join(served)) > 100
    assert not re.findall(r"(?:src|href|url)\s*[=(:]\s*[\"']?(?:https?:)?//", html)


def test_the_page_may_load_nothing_from_elsewhere(api: Api) -> None:
    policy = api.get("/api/docs")["Content-Security-Policy"]

    assert "default-src 'self'" in policy
    assert "//" not in policy
    assert "default-src 'none'" in api.get("/api/resources")["Content-Security-Policy"]


# --- What the schema promises -----------------------------------------------------------------------------


def resolved(document: dict[str, Any], found: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in found:
        where = document
        for name in found["$ref"].removeprefix("#/").split("/"):
            where = where[name]
        found = where
    return found


def published() -> dict[str, Any]:
    """The document as it is served; `schema` closes also what is answered."""
    document: dict[str, Any] = json.loads(json.dumps(SchemaGenerator().get_schema(request=None, public=True)))
    return document


def test_every_body_is_closed_and_every_answer_open_to_what_a_later_release_adds(world: None) -> None:
    for name, component in published()["components"]["schemas"].items():
        if component.get("type") == "object":
            assert component.get("additionalProperties", True) is not name.endswith("Request"), name


@pytest.mark.parametrize(("method", "path", "who"), TABLE)
def test_every_number_and_text_that_is_taken_has_its_bounds(world: None, method: str, path: str, who: str) -> None:
    operation, document = operations()[method, path], schema()
    content = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
    taken = dict(resolved(document, content).get("properties", {}))
    taken |= {row["name"]: row["schema"] for row in operation.get("parameters", ()) if row["in"] != "header"}

    for name, found in taken.items():
        if found["type"] == "integer":
            assert {"minimum", "maximum"} <= set(found), name
        elif found["type"] == "string" and "enum" not in found:
            assert "pattern" in found, name


@pytest.mark.parametrize(("method", "path", "who"), TABLE)
def test_an_answer_says_its_headers_and_an_error_its_codes(world: None, method: str, path: str, who: str) -> None:
    document = published()
    for status, answer in document["paths"][path][method.lower()]["responses"].items():
        headers = {name: resolved(document, header) for name, header in answer["headers"].items()}
        needed = {name for name, header in headers.items() if header.get("required")}
        assert {"X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset"} <= set(headers)
        assert needed >= {"X-Request-ID", "Cache-Control", *({"Retry-After"} if status in ("429", "503") else ())}
        assert ("WWW-Authenticate" in needed) is (status == "401")
        if status >= "400":
            _, only = answer["content"]["application/problem+json"]["schema"]["allOf"]
            assert only["properties"]["status"] == {"const": int(status)}
            assert {CODES[code][0] for code in only["properties"]["code"]["enum"]} == {int(status)}


@pytest.mark.parametrize("query", ["version=%0A", "version=1", "lang=en", "format=json", "x"])
def test_the_document_takes_no_query(api: Api, query: str) -> None:
    assert_problem(api.get(f"/api/schema?{query}"), 400, "invalid", query.partition("=")[0])


@pytest.mark.parametrize("path", ["/api/schema", "/api/docs"])
@pytest.mark.parametrize("method", ["OPTIONS", "POST", "DELETE"])
def test_the_document_and_its_page_can_only_be_read(api: Api, path: str, method: str) -> None:
    answer = api.client.generic(method, path)

    assert_problem(answer, 405, "method_not_allowed")
    assert answer["Allow"] == "GET, HEAD"
