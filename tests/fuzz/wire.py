"""Bytes that no HTTP library sends, to the granian that players reach: what of it comes to the application, and what
does not, is answered with 4xx or by closing the connection, and the next request is served."""

import socket
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from bcraftd.parsing import MAX_BODY_BYTES

LOGIN = b"/api/auth/login"
LISTS = b"/api/market/listings"
SECONDS = 20.0


@dataclass(frozen=True)
class Bytes:
    """What is sent. `status` is what must be answered, None where any refusal will do, also silence."""

    name: str
    raw: bytes
    status: int | None = None
    # Where the server is right to wait for more, nobody waits for the server.
    stops: bool = False


def _get(target: bytes, *lines: bytes, version: bytes = b"HTTP/1.1") -> bytes:
    return b"\r\n".join([b"GET " + target + b" " + version, b"Host: localhost", b"Connection: close", *lines, b"", b""])


def _post(body: bytes, *lines: bytes, length: bool = True) -> bytes:
    first = [b"POST " + LOGIN + b" HTTP/1.1", b"Host: localhost", b"Connection: close"]
    first += [b"Content-Type: application/json", *([b"Content-Length: %d" % len(body)] if length else []), *lines]
    return b"\r\n".join([*first, b"", body])


def _chunked(*chunks: bytes, end: bytes = b"0\r\n\r\n") -> bytes:
    body = b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks) + end
    return _post(body, b"Transfer-Encoding: chunked", length=False)


LARGE = b'{"login": "' + b"a" * MAX_BODY_BYTES + b'"}'
FITS = b'{"login": "' + b"a" * (MAX_BODY_BYTES - 13) + b'"}'


def _lengths() -> Iterator[Bytes]:
    yield Bytes("the largest body", _post(FITS), 400)
    yield Bytes("a larger body", _post(LARGE), 413)
    yield Bytes(
        "the largest body in chunks", _chunked(*(FITS[at : at + 8192] for at in range(0, len(FITS), 8192))), 400
    )
    yield Bytes("a larger body in chunks", _chunked(*(LARGE[at : at + 8192] for at in range(0, len(LARGE), 8192))), 413)
    yield Bytes("a chunk of a byte each", _chunked(*(bytes([byte]) for byte in b'{"login": 5}')), 400)
    yield Bytes(
        "an endless chunk", _post(b"ffffffffffffffff\r\n{}", b"Transfer-Encoding: chunked", length=False), stops=True
    )
    yield Bytes("a chunk of no length", _post(b"zz\r\n{}\r\n0\r\n\r\n", b"Transfer-Encoding: chunked", length=False))
    yield Bytes("chunks without an end", _chunked(b"{}", end=b""), stops=True)
    yield Bytes("a trailer", _chunked(b"{}", end=b"0\r\nX-Odd: 1\r\n\r\n"), 400)
    for odd in (b"-1", b"abc", b"1e3", b"+2", b"9" * 30, b"0x2", b"2, 2", b"2, 3", b""):
        yield Bytes(f"the length {odd!r}", _post(b"{}", b"Content-Length: " + odd, length=False))
    yield Bytes("two lengths", _post(b"{}", b"Content-Length: 1"))
    yield Bytes("a length and chunks", _post(b"2\r\n{}\r\n0\r\n\r\n", b"Transfer-Encoding: chunked"))
    yield Bytes("chunks by another name", _post(b"{}", b"Transfer-Encoding: xchunked", length=False))
    yield Bytes("no length at all", _post(b"", length=False), 400)
    yield Bytes("a body that stops", _post(b"{}", b"Content-Length: 100", length=False), stops=True)
    yield Bytes("expecting", _post(b"{}", b"Expect: 100-continue"), 100)


def _lines() -> Iterator[Bytes]:
    for odd in (b"a\0b", b"a\rb", b"a\nb", b"\x7f", b"\xff\xfe", b"a" * 100_000, b"\t"):
        yield Bytes(f"the header {odd[:9]!r}", _get(LISTS, b"X-Request-ID: " + odd))
        yield Bytes(f"the token {odd[:9]!r}", _get(b"/api/auth/me", b"Authorization: Bearer " + odd))
    yield Bytes("a thousand headers", _get(LISTS, *(b"X-%d: 1" % number for number in range(1000))))
    yield Bytes("a folded header", _get(LISTS, b"X-Request-ID: a", b" b"))
    yield Bytes("a header without a colon", _get(LISTS, b"nothing"))
    yield Bytes("a header without a name", _get(LISTS, b": x"))
    yield Bytes("a space before the colon", _get(LISTS, b"Accept : */*"))
    yield Bytes("another host", _get(LISTS).replace(b"localhost", b"evil.example"), 400)
    yield Bytes("an odd host", _get(LISTS).replace(b"localhost", b"\xff:\0"))
    yield Bytes("no host", _get(LISTS).replace(b"Host: localhost\r\n", b""), 400)
    yield Bytes("two hosts", _get(LISTS, b"Host: evil.example"))


def _targets() -> Iterator[Bytes]:
    for odd in (
        b"%00",
        b"%FF",
        b"%ED%A0%80",
        b"%",
        b"%zz",
        b"\xff",
        b"\0",
        b"..",
        b"%2e%2e%2f",
        b"//",
        b"*",
        b"1" * 70_000,
    ):
        yield Bytes(f"the path {odd[:9]!r}", _get(b"/api/resources/" + odd))
        yield Bytes(f"the query {odd[:9]!r}", _get(LISTS + b"?cursor=" + odd))
    yield Bytes("an absolute target", _get(b"http://localhost" + LISTS), 200)
    yield Bytes("a target of another host", _get(b"http://evil.example" + LISTS))
    yield Bytes("a target without a slash", _get(b"api"))
    yield Bytes("no target", _get(b""))
    yield Bytes("an old version", _get(LISTS, version=b"HTTP/1.0"), 200)
    yield Bytes("no version", b"GET " + LISTS + b"\r\n\r\n")
    yield Bytes("a version to come", _get(LISTS, version=b"HTTP/9.9"))
    yield Bytes("the preface of HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0" * 9, stops=True)
    yield Bytes("TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 64)
    yield Bytes("rubbish", bytes(range(256)) * 4)
    yield Bytes("nothing but newlines", b"\r\n" * 1000, stops=True)
    yield Bytes("half a line", b"GET /api/resour", stops=True)


def everything() -> list[Bytes]:
    """All of it."""
    return [*_lengths(), *_lines(), *_targets()]


def sent(url: str, raw: bytes, seconds: float = SECONDS) -> bytes:
    """What the server says to these bytes until it closes the connection; empty where it says nothing for so long."""
    port = urlsplit(url).port
    assert port is not None
    answer = b""
    with socket.create_connection(("127.0.0.1", port), timeout=seconds) as line:
        try:
            line.sendall(raw)
            while part := line.recv(65536):
                answer += part
        except OSError:
            # It closed the line in the middle of what we say, or has nothing to say.
            return answer
    return answer


def fault(url: str, case: Bytes) -> str | None:
    """What is wrong with the answer to a case, None where nothing is."""
    answer = sent(url, case.raw, 0.1 if case.stops else SECONDS)
    words = answer.split(b" ", 2)
    status = int(words[1]) if answer.startswith(b"HTTP/") else None
    if status is not None and status >= 500:
        return f"{case.name}: {answer[:300]!r}"
    if case.status is not None and status != case.status:
        return f"{case.name}: {case.status} was expected: {answer[:300]!r}"
    if b" 200 " not in sent(url, _get(b"/healthz"))[:20]:
        return f"{case.name}: the server answers nobody afterwards"
    return None
