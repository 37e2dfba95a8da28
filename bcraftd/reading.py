"""How a value of the cache goes out: the same from a view (bcraftd/api.py) and from the express lane."""

import hashlib
import re

_ETAG = re.compile(r'(?:W/)?"([^"]*)"')


def etag_of(body: bytes) -> str:
    """A weak ETag of the data without `source`."""
    return f'W/"{hashlib.blake2b(body, digest_size=12).hexdigest()}"'


def matches(if_none_match: str, etag: str) -> bool:
    """RFC 9110, 13.1.2: weak comparison with any of the given tags, or `*`."""
    return if_none_match.strip() == "*" or etag[3:-1] in _ETAG.findall(if_none_match)


def spliced(body: bytes, source: str) -> bytes:
    """An object with `"source":"cache"|"database"` in front, the one thing that differs between hit and miss."""
    return b'{"source":"' + source.encode() + b'",' + body[1:]


def headers(*, outcome: str, etag: str, private: bool) -> dict[str, str]:
    """What says how a value may be kept. outcome: HIT, MISS or BYPASS."""
    found = {
        "X-Cache": outcome,
        "ETag": etag,
        "Cache-Control": f"{'private' if private else 'public'}, no-cache",
    }
    return {**found, "Vary": "Authorization"} if private else found
