"""Files that only their owner may read: passwords, keys, and the settings that hold them."""

import os
import secrets
from pathlib import Path

_LOG_LIMIT = 10 * 1024 * 1024  # bytes; a log that grew beyond this is put aside at the next start


def private_folder(path: Path, *, passable: bool = False) -> Path:
    """Make a folder (and what is missing above it) that only its owner may list and enter; return it.

    `passable` lets others walk through to what they may open inside, as the user `nobody` must to reach its own data.
    """
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    if passable:
        path.chmod(0o711)
    return path


def write_private(path: Path, text: str) -> None:
    """Write `text` with mode 0600, all of it or nothing: a reader meets the old file or the new one."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.unlink(missing_ok=True)
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def kept_secret(path: Path, size: int = 48) -> str:
    """The secret kept in `path`; where there is none yet, `size` random bytes as text fit for a URL."""
    if path.exists() and (kept := path.read_text(encoding="utf-8").strip()):
        return kept
    secret = secrets.token_urlsafe(size)
    write_private(path, secret + "\n")
    return secret


def open_log(path: Path) -> int:
    """A file descriptor that appends to the log; a log over 10 MiB becomes `NAME.1` first (one is kept)."""
    private_folder(path.parent)
    if path.exists() and path.stat().st_size > _LOG_LIMIT:
        path.replace(path.with_name(path.name + ".1"))
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)


def tail(path: Path, lines: int = 30) -> str:
    """The last lines of a log, or a word that there is nothing; reads 64 KiB at most."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - 65536))
            text = file.read().decode("utf-8", errors="replace").strip()
    except OSError as error:
        return f"(no log: {error})"
    return "\n".join(text.splitlines()[-lines:]) or "(the log is empty)"
