"""The last touch to the OpenAPI document: what is true of every answer and every body, said once for all of them."""

from collections.abc import Iterator
from copy import deepcopy
from typing import Any

REQUEST_ID = r"^[A-Za-z0-9-]{8,64}\Z"
ETAG = r'^W/"[0-9a-f]{24}"$'
_COUNT = {"type": "integer", "minimum": 0}

# Name: where it stands, and what it is. Those of the rate limit are there while RATE_LIMIT_DEFAULT is on.
HEADERS: dict[str, dict[str, Any]] = {
    "X-Request-ID": {
        "description": "Names the request in the server's log.",
        "required": True,
        "schema": {"type": "string", "pattern": REQUEST_ID.replace(r"\Z", "$")},
    },
    "X-RateLimit-Limit": {"description": "Requests in the window.", "schema": _COUNT},
    "X-RateLimit-Remaining": {"description": "How many are left.", "schema": _COUNT},
    "X-RateLimit-Reset": {"description": "Seconds until the window ends.", "schema": _COUNT},
    "Retry-After": {"description": "Seconds.", "required": True, "schema": {"type": "integer", "minimum": 1}},
    "WWW-Authenticate": {
        "description": "The scheme of the token.",
        "required": True,
        "schema": {"type": "string", "pattern": "^Bearer"},
    },
    "Cache-Control": {
        "description": "Whether the answer may be kept.",
        "required": True,
        "schema": {"type": "string", "enum": ["public, no-cache", "private, no-cache", "no-store"]},
    },
}
ALWAYS = ("X-Request-ID", "Cache-Control", "X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset")
OF_STATUS = {"401": ("WWW-Authenticate",), "429": ("Retry-After",), "503": ("Retry-After",)}


def complete(result: dict[str, Any], generator: Any, request: Any, public: bool) -> dict[str, Any]:
    """drf-spectacular's hook, after everything else: closed bodies, the headers of every answer, the codes of every
    error."""
    components = result["components"]
    components["headers"] = deepcopy(HEADERS)
    for name, schema in components["schemas"].items():
        # Those of requests, all of them of StrictSerializers (COMPONENT_SPLIT_REQUEST names them so).
        if name.endswith("Request"):
            schema["additionalProperties"] = False
    for status, response in _responses(result):
        response.setdefault("headers", {}).update(
            {name: {"$ref": f"#/components/headers/{name}"} for name in (*ALWAYS, *OF_STATUS.get(status, ()))}
        )
        if status >= "400":
            _narrow(status, response)
    return result


def _responses(result: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for operations in result["paths"].values():
        for operation in operations.values():
            yield from operation["responses"].items()


def _narrow(status: str, response: dict[str, Any]) -> None:
    """A Problem of this status and of the codes that the description lists (bcraftd.schema)."""
    only = {"status": {"const": int(status)}, "code": {"enum": response["description"].split(" · ")}}
    for content in response["content"].values():
        content["schema"] = {"allOf": [content["schema"], {"type": "object", "properties": only}]}
