"""Request bodies: strict JSON objects, with every limit checked before anything is built from them."""

import json
import re
from collections.abc import Mapping
from typing import IO, Any

from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser

from bcraftd.errors import Refusal

# 256 KiB: the largest legal body is under 1 KiB.
MAX_BODY_BYTES = 256 * 1024
MAX_DEPTH = 32

# A string that does not end runs to the end of the body, and nothing is looked at twice: a body of quotes
# and backslashes must not cost the square of its length.
_STRING_OR_BRACKET = re.compile(rb'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)|[\[\]{}]', re.DOTALL)


def _depth(body: bytes) -> int:
    """How deep arrays and objects nest, counted without recursion and outside strings."""
    depth = deepest = 0
    for match in _STRING_OR_BRACKET.finditer(body):
        token = match.group()
        if token in (b"[", b"{"):
            depth += 1
            deepest = max(deepest, depth)
        elif token in (b"]", b"}"):
            depth -= 1
    return deepest


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ParseError("An object names the same key twice.")
    return value


def _no_constant(name: str) -> Any:
    raise ParseError(f"The body holds {name}, which is not JSON.")


def loads(body: bytes) -> Any:
    """Bytes of JSON as Python values. Raises ParseError for anything RFC 8259 or our limits refuse."""
    if _depth(body) > MAX_DEPTH:
        raise ParseError(f"The JSON nests deeper than {MAX_DEPTH}.")
    try:
        value = json.loads(body.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_no_constant)
    except UnicodeDecodeError:
        raise ParseError("The body is not UTF-8.") from None
    except (ValueError, RecursionError) as error:
        # A ValueError that is no JSONDecodeError: an integer of thousands of digits.
        raise ParseError(f"The body is not well-formed JSON: {str(error)[:100]}.") from None
    return value


class StrictJSONParser(BaseParser):
    """The only parser: JSON, at most 256 KiB, at most 32 deep, no duplicate keys, no NaN."""

    media_type = "application/json"

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        body = stream.read(MAX_BODY_BYTES + 1)
        if len(body) > MAX_BODY_BYTES:
            raise Refusal("payload_too_large", f"A body may have {MAX_BODY_BYTES} bytes.")
        request = (parser_context or {}).get("request")
        # A purchase of one whose line breaks before its body must not be a purchase of everything.
        if request is not None and len(body) < int(request.META["CONTENT_LENGTH"]):
            raise ParseError("The body ends before the length that was announced.")
        return loads(body) if body.strip() else {}
