"""The trap table: every bad value in every place, and what must come of it.

For each request: no 5xx; a status, a type and a body that the schema promises; and nothing changed where it was
refused. In a body and a query the schema also decides the outcome: what it forbids is a 400, what it allows is none.
"""

import json
import random
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any
from urllib.parse import unquote_to_bytes

import jsonschema_rs

from tests.fuzz import values
from tests.fuzz.door import Answer, Door, Request
from tests.fuzz.places import Operation, Parts, Schema, good, operations
from tests.fuzz.world import next_transaction, snapshot
from tests.support import schema

# Beside those that the document names: what proxies, browsers and attackers send.
OTHER_HEADERS = (
    "Accept", "Accept-Charset", "Accept-Encoding", "Accept-Language", "Authorization", "Content-Encoding",
    "Content-Type", "Cookie", "Expect", "Forwarded", "If-Match", "If-Modified-Since", "Origin", "Range", "Referer",
    "User-Agent", "X-Forwarded-For", "X-Forwarded-Proto", "X-HTTP-Method-Override",
)  # fmt: skip
# Whether a value is refused with 400, not, or either way: None.
Verdict = bool | None
_INTEGER = re.compile(r"-?[0-9]{1,19}")
_ENDS_A_PATH = re.compile(rb"[/?#]|%2F", re.IGNORECASE)

Change = Callable[[Parts], Parts]


@dataclass(frozen=True)
class Trap:
    """One request with something bad in it: `change` puts it into a good one."""

    name: str
    operation: Operation
    change: Change
    refused: Verdict = None
    # Where the path may be another operation's.
    elsewhere: bool = False
    # Whether it is several at once, of which any may be the one that is answered.
    several: bool = False


# --- What the schema says of a value ------------------------------------------------------------------------


def _valid(found: Schema, value: Any) -> bool:
    return bool(jsonschema_rs.is_valid(found, value))


def _refused_in_body(found: Schema, raw: bytes) -> Verdict:
    try:
        value = json.loads(raw.decode(), object_pairs_hook=_once, parse_constant=_never)
        if isinstance(value, float):
            # JSON Schema takes 1.0 for an integer, and jsonschema_rs no number past every float.
            return True
        return not _valid(found, value)
    except (ValueError, RecursionError):
        # Not well formed, or a text that no UTF-8 can hold.
        return True


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) != len(pairs):
        raise ValueError
    return dict(pairs)


def _never(name: str) -> Any:
    raise ValueError(name)


def _refused_in_url(found: Schema, raw: bytes) -> Verdict:
    """A query's or a path's text, read as the type that the schema names."""
    text = unquote_to_bytes(raw.replace(b"+", b" ")).decode("utf-8", "replace")
    if found.get("type") == "integer":
        return not (_INTEGER.fullmatch(text) and _valid(found, int(text)))
    if found.get("type") == "boolean":
        return text not in ("true", "false")
    return not _valid(found, text)


# --- The table ----------------------------------------------------------------------------------------------

UNKNOWN = (b"nobody-knows=1", b"%00=1", b"=1", b"%FF=%FE", b"limit%00=1", b"LIMIT=1", b"__class__=1", b"&&=&", b"%=%")


def _asked(*pieces: bytes) -> Change:
    return lambda parts: replace(parts, query=(*parts.query, *pieces))


def _in_query(operation: Operation) -> Iterator[Trap]:
    for name, found in operation.parameters("query").items():
        for value, raw in values.IN_URL.items():
            # Which of the well-formed cursors is one, no schema tells.
            refused = _refused_in_url(found, raw) or (None if name == "cursor" else False)
            yield Trap(f"{value} as the parameter {name}", operation, _asked(name.encode() + b"=" + raw), refused)
        yield Trap(f"the parameter {name} twice", operation, _asked(*[name.encode() + b"=1"] * 2), True)
    for odd in UNKNOWN:
        yield Trap(f"the unknown parameter {odd!r}", operation, _asked(odd), True)


def _stepped(name: str, raw: bytes) -> Change:
    return lambda parts: replace(parts, path={**parts.path, name: raw})


def _in_path(operation: Operation) -> Iterator[Trap]:
    for name in operation.parameters("path"):
        for value, raw in values.IN_URL.items():
            # What is no id is an unknown path, not a bad value. What ends the path is another one.
            elsewhere = not raw or _ENDS_A_PATH.search(raw) is not None
            refused = None if elsewhere else False
            yield Trap(f"{value} as {name} in the path", operation, _stepped(name, raw), refused, elsewhere)


def _filled(name: str, raw: bytes) -> Change:
    return lambda parts: replace(parts, fields={**(parts.fields or {}), name: raw})


def _emptied(name: str) -> Change:
    return lambda parts: replace(parts, fields={key: raw for key, raw in (parts.fields or {}).items() if key != name})


def _with_body(raw: bytes) -> Change:
    return lambda parts: replace(parts, raw=raw)


def _in_body(operation: Operation) -> Iterator[Trap]:
    if operation.method != "POST":
        return
    for name, found in operation.fields.items():
        for value, raw in values.IN_BODY.items():
            # Whether a well-formed password is weak, or the right one, no schema tells.
            refused = _refused_in_body(found, raw) or (None if "password" in name else False)
            yield Trap(f"{value} as {name}", operation, _filled(name, raw), refused)
        yield Trap(f"no {name}", operation, _emptied(name), name in (operation.body or {}).get("required", ()))
    for value, raw in values.BODIES.items():
        yield Trap(f"{value} as the body", operation, _with_body(raw), True)
    yield Trap("an unknown field", operation, _filled("nobody-knows", b"1"), True)


def _headed(name: str, raw: bytes) -> Change:
    return lambda parts: replace(parts, headers={**parts.headers, name: raw})


def _in_headers(operation: Operation) -> Iterator[Trap]:
    for name in sorted({*operation.parameters("header"), *OTHER_HEADERS}):
        for value, raw in values.IN_HEADER.items():
            yield Trap(f"{value} as {name}", operation, _headed(name, raw))


def _by_method(method: str) -> Change:
    return lambda parts: replace(parts, method=method)


def _methods(operation: Operation) -> Iterator[Trap]:
    for method in values.METHODS:
        yield Trap(f"the method {method}", operation, _by_method(method))


# What answers beside the calls of the document.
OUTSIDE = ("/api/docs", "/api/schema", "/api", "/healthz", "/readyz", "/metrics", "/admin/login/", "/nothing")


def _outside() -> Iterator[Trap]:
    for operation in (Operation("GET", path, {}) for path in OUTSIDE):
        for value, raw in values.IN_URL.items():
            for name in ("version", "lang", "q"):
                yield Trap(f"{value} as the parameter {name}", operation, _asked(name.encode() + b"=" + raw))
        for value, raw in values.IN_HEADER.items():
            # The document takes half a second each time, and its headers are read by what reads all others.
            for name in () if operation.path == "/api/schema" else ("Accept", "Authorization", "Cookie", "Host"):
                yield Trap(f"{value} as {name}", operation, _headed(name, raw))
        yield from _methods(operation)


KINDS: dict[str, Callable[[Operation], Iterator[Trap]]] = {
    "query": _in_query,
    "path": _in_path,
    "body": _in_body,
    "header": _in_headers,
    "method": _methods,
}


def table(*kinds: str) -> list[Trap]:
    """All traps of these kinds of every operation, and those `outside` of the document."""
    chosen = kinds or (*KINDS, "outside")
    found = [trap for operation in operations() for kind in chosen if kind in KINDS for trap in KINDS[kind](operation)]
    return [*found, *_outside()] if "outside" in chosen else found


# --- Judging ------------------------------------------------------------------------------------------------


class Judge:
    """Springs traps and writes what is wrong into the door's findings."""

    def __init__(self, door: Door) -> None:
        self.door = door
        self._validators: dict[tuple[str, int], jsonschema_rs.Validator] = {}
        self._before = ("", "")

    def spring(self, traps: Iterable[Trap]) -> int:
        """Sends them, and looks at the answers and at the world. Returns how many they were."""
        return sum(self.door.within(partial(self._spring, trap)) for trap in traps)

    def _spring(self, trap: Trap) -> int:
        request = trap.change(good(trap.operation, self.door.world)).request()
        answer = self.door.send(request, self._look)
        for fault in self._faults(trap, request, answer):
            self.door.find(f"{trap.operation}, {trap.name}: {fault}: {answer.status} {answer.body[:300]!r}", request)
        return 1

    def _look(self) -> None:
        self._before = self._world()

    def _world(self) -> tuple[str, str]:
        """The next transaction's number and a digest, which is made again only where somebody has written."""
        number = next_transaction()
        return self._before if number == self._before[0] else (number, snapshot())

    def _faults(self, trap: Trap, request: Request, answer: Answer) -> Iterator[str]:
        if answer.status >= 400 and self._world()[1] != self._before[1]:
            yield "refused, and yet something has changed"
        if trap.refused is True and answer.status != 400:
            yield "the schema forbids it, and it is not a 400"
        if trap.refused is False and answer.status == 400:
            yield "the schema allows it, and it is a 400"
        if not trap.operation.document:
            return
        if request.method == trap.operation.method:
            yield from () if trap.elsewhere else self._unpromised(trap.operation, answer)
        else:
            yield from self._other_method(trap, request, answer)

    def _other_method(self, trap: Trap, request: Request, answer: Answer) -> Iterator[str]:
        declared = {method.upper() for method in schema()["paths"][trap.operation.path]}
        declared |= {"HEAD"} if "GET" in declared else set()
        # Django takes `get` for GET. Where a path has calls that need a token too, whoever has none is told so first.
        token_first = answer.status == 401 and not trap.operation.signed_in and len(declared) > 2
        if request.method.upper() in declared or answer.status == 404 or token_first:
            return
        if answer.status != 405 and not (trap.several and answer.status in (401, 406)):
            yield "a method that the schema does not have is not a 405"
        elif answer.status == 405 and set(answer.headers.get("allow", "").split(", ")) != declared:
            yield f"Allow says {answer.headers.get('allow')}"

    def _unpromised(self, operation: Operation, answer: Answer) -> Iterator[str]:
        promised = operation.document["responses"].get(str(answer.status))
        if promised is None:
            # A path that is another one, or none; a type that is none.
            if answer.status not in (404, 405):
                yield "a status that the schema does not promise"
        elif answer.body and operation.method != "HEAD":
            kind = answer.headers.get("content-type", "")
            if kind not in promised.get("content", {}):
                yield f"a type that the schema does not promise: {kind}"
            elif not self._validator(operation, answer.status, promised["content"][kind]).is_valid(answer.json()):
                yield "a body that the schema does not promise"

    def _validator(self, operation: Operation, status: int, content: Any) -> jsonschema_rs.Validator:
        key = (str(operation), status)
        if key not in self._validators:
            whole = {**content["schema"], "components": schema()["components"]}
            self._validators[key] = jsonschema_rs.validator_for(whole)
        return self._validators[key]


def drawn(traps: Iterable[Trap], chance: random.Random) -> Iterator[Trap]:
    """Without end: two or three of the table at once, in requests of one operation."""
    by_operation: dict[Operation, list[Trap]] = {}
    for trap in traps:
        by_operation.setdefault(trap.operation, []).append(trap)
    everything = list(by_operation.values())
    while True:
        yield _together(chance.choices(chance.choice(everything), k=chance.randint(2, 3)))


def _together(traps: Sequence[Trap]) -> Trap:
    def change(parts: Parts) -> Parts:
        for trap in traps:
            parts = trap.change(parts)
        return parts

    name, elsewhere = " and ".join(trap.name for trap in traps), any(trap.elsewhere for trap in traps)
    return Trap(name, traps[0].operation, change, elsewhere=elsewhere, several=True)
