"""Backups: PostgreSQL and Redis in one folder with a manifest, the rotation of such folders, and the way back.

A backup is a folder `20260131T180000Z` that holds `postgresql.dump` (pg_dump's custom format), `redis/dump.rdb`,
`redis/appendonlydir/` and `manifest.json`. It is written under another name and renamed at the end, so that a folder of
such a name is whole.
"""

import hashlib
import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

# Raised by one whose folders an older release could not restore.
FORMAT = 1
MANIFEST, DUMP, REDIS = "manifest.json", "postgresql.dump", "redis"
_NAME = "%Y%m%dT%H%M%SZ"
_NAMED = re.compile(r"[0-9]{8}T[0-9]{6}Z")
_CHUNK = 2**20


class BackupError(CommandError):
    """A backup or a restore that did not do what it was asked, with the reason in a sentence."""


@dataclass(frozen=True)
class Backup:
    """A whole backup: its folder, and when it was begun (UTC)."""

    folder: Path
    made_at: datetime

    def manifest(self) -> dict[str, Any]:
        """What it says of itself. Raises BackupError where it cannot be read."""
        return manifest_of(self.folder)

    def size(self) -> int:
        """Bytes of all its files."""
        return sum(path.stat().st_size for path in files_in(self.folder))


def manifest_of(folder: Path) -> dict[str, Any]:
    """What a backup says of itself. Raises BackupError where it cannot be read."""
    try:
        found = json.loads((folder / MANIFEST).read_text())
    except (OSError, ValueError) as error:
        raise BackupError(f"{folder} has no manifest that can be read: {error}") from None
    if not isinstance(found, dict) or not isinstance(found.get("files"), dict):
        raise BackupError(f"{folder / MANIFEST} is no manifest of a backup.")
    return found


def name_of(moment: datetime) -> str:
    """What the folder of a backup is called that was begun at a moment."""
    return moment.astimezone(UTC).strftime(_NAME)


def backups_in(directory: Path) -> list[Backup]:
    """The whole backups of a directory, the oldest first. Nothing else that lies there is looked at."""
    found = []
    for path in directory.iterdir() if directory.is_dir() else ():
        if _NAMED.fullmatch(path.name) and (path / MANIFEST).is_file():
            moment = datetime.strptime(path.name, _NAME).replace(tzinfo=UTC)
            found.append(Backup(path, moment))
    return sorted(found, key=lambda backup: backup.made_at)


def files_in(folder: Path) -> Iterator[Path]:
    """Every file below a folder."""
    return (path for path in sorted(folder.rglob("*")) if path.is_file())


def checksum(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while part := file.read(_CHUNK):
            digest.update(part)
    return digest.hexdigest()


def described(folder: Path) -> dict[str, dict[str, Any]]:
    """Bytes and SHA-256 of every file below a folder, by its path in it."""
    return {
        str(path.relative_to(folder)): {"bytes": path.stat().st_size, "sha256": checksum(path)}
        for path in files_in(folder)
    }


def settle(path: Path) -> None:
    """Has the disk keep a file or a folder's list of names."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
