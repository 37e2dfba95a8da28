"""Every place of a request that the OpenAPI document names, and for every operation a request that is answered well."""

import itertools
import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from tests.fuzz.door import Request
from tests.fuzz.world import PASSWORD, REFRESH_TOKEN, TOKEN, World
from tests.support import schema

Schema = dict[str, Any]
_names = itertools.count()


@dataclass(frozen=True)
class Operation:
    """One method of one path, as the document has it."""

    method: str
    path: str
    document: dict[str, Any] = field(hash=False, compare=False)

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def signed_in(self) -> bool:
        return bool(self.document.get("security"))

    @property
    def body(self) -> Schema | None:
        """The schema of the body, None where it takes none."""
        content = self.document.get("requestBody", {}).get("content", {})
        return _resolved(content["application/json"]["schema"]) if content else None

    def parameters(self, where: str) -> dict[str, Schema]:
        """Name to schema, of the parameters in `where`: path, query or header."""
        rows = [row for row in self.document.get("parameters", ()) if row["in"] == where]
        return {row["name"]: _resolved(row["schema"]) for row in rows}

    @property
    def fields(self) -> dict[str, Schema]:
        properties = (self.body or {}).get("properties", {})
        return {name: _resolved(found) for name, found in properties.items()}


def _resolved(found: Schema) -> Schema:
    """Without references, which a schema of a place has at most at its top."""
    while "$ref" in found:
        found = schema()["components"]["schemas"][found["$ref"].rsplit("/", 1)[1]]
    return found


def operations() -> list[Operation]:
    """All of them, in the document's order."""
    return [
        Operation(method.upper(), path, document)
        for path, methods in schema()["paths"].items()
        for method, document in methods.items()
    ]


# --- Good requests ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Parts:
    """A request in parts, each to be replaced by something bad. `path` and `query` hold what stands on the wire,
    `fields` holds JSON; `raw` is a body in their place."""

    template: str
    method: str
    path: dict[str, bytes]
    query: tuple[bytes, ...] = ()
    fields: dict[str, bytes] | None = None
    raw: bytes | None = None
    headers: dict[str, bytes] = field(default_factory=dict)

    def request(self) -> Request:
        """Put together."""
        target = self.template.encode()
        for name, value in self.path.items():
            target = target.replace(f"{{{name}}}".encode(), value)
        if self.query:
            target += b"?" + b"&".join(self.query)
        return Request(self.method, target, list(self.headers.items()), self._body() if self.raw is None else self.raw)

    def _body(self) -> bytes:
        if self.fields is None:
            return b""
        return (
            b"{" + b", ".join(json.dumps(name).encode() + b": " + value for name, value in self.fields.items()) + b"}"
        )


def _by_name(world: World) -> dict[str, Any]:
    """What stands for a name in a good request, where the schema alone cannot tell."""
    number = next(_names)
    return {
        **{name: found[0] for name, found in world.values.items()},
        "login": f"newcomer-{number}",
        "email": f"newcomer-{number}@example.org",
        "password": PASSWORD,
        "old_password": PASSWORD,
        "new_password": PASSWORD + "!",
        "refresh_token": REFRESH_TOKEN,
    }


# Where a name stands for something else than it does elsewhere.
def _of_operation(operation: Operation, world: World) -> dict[str, Any]:
    if operation.path == "/api/auth/login":
        return {"login": world.player.login}
    if operation.path.endswith("/cancel"):
        return {"listing_id": world.cancellable()}
    return {}


def _of_schema(found: Schema) -> Any:
    if "enum" in found:
        return found["enum"][0]
    if found["type"] == "integer":
        return found.get("default", found.get("minimum", 1))
    return {"boolean": True, "string": "x", "number": 1.0}[found["type"]]


def good(operation: Operation, world: World) -> Parts:
    """A request that should be answered with 2xx. An operation for which it is not needs an entry above."""
    named = {**_by_name(world), **_of_operation(operation, world)}
    path = {name: quote(str(named.get(name, 1)), safe="").encode() for name in operation.parameters("path")}
    values = {name: json.dumps(named.get(name, _of_schema(found))).encode() for name, found in operation.fields.items()}
    headers = {"Content-Type": b"application/json"} if operation.method == "POST" else {}
    if operation.signed_in:
        headers["Authorization"] = f"Bearer {TOKEN}".encode()
    fields = values if operation.body is not None else None
    return Parts(operation.path, operation.method, path, fields=fields, headers=headers)
