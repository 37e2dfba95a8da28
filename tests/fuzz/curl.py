"""A request as a command that sends it again."""

import shlex
from collections.abc import Iterable

# A longer body is cut: its beginning tells what it is.
LONGEST = 4000


def _quoted(raw: bytes) -> str:
    """Bytes as a word of bash, whatever they are."""
    text = raw.decode("latin-1")
    if text.isascii() and text.isprintable():
        return shlex.quote(text)
    odd = {"\\": "\\\\", "'": "\\'"}
    return "$'" + "".join(odd.get(c, c if c.isascii() and c.isprintable() else f"\\x{ord(c):02x}") for c in text) + "'"


def command(method: str, target: bytes, headers: Iterable[tuple[str, bytes]], body: bytes) -> str:
    """`curl` with the method, the path and query as they stand on the wire, the headers and the body."""
    words = ["curl", "-i", "-g", "--path-as-is", "-X", shlex.quote(method)]
    words.append(_quoted(b"http://127.0.0.1:8000" + target))
    for name, value in headers:
        # curl sends an empty header only where a semicolon stands for the colon.
        words += ["-H", _quoted(f"{name}: ".encode("latin-1") + value if value else f"{name};".encode("latin-1"))]
    if not body:
        return " ".join(words)
    cut = body[:LONGEST]
    note = f"  # the first {LONGEST} of {len(body)} bytes" if len(body) > LONGEST else ""
    if b"\0" in cut:
        # No word of a command can hold a NUL.
        raw = "".join(f"\\x{byte:02x}" for byte in cut)
        return f"printf '{raw}' | {' '.join(words)} --data-binary @-{note}"
    return f"{' '.join(words)} --data-binary {_quoted(cut)}{note}"
