"""The way back: everything is looked at before anything is written."""

from pathlib import Path
from typing import Any

from django.db import connection
from django.db.migrations.loader import MigrationLoader

from bcraftd import backups
from bcraftd.backups import BackupError, postgres, redisfiles


def restore(folder: Path, *, redis_data: Path | None = None) -> dict[str, Any]:
    """Restores a backup into an empty PostgreSQL, and Redis' files into the empty folder of one that does not run.

    Without `redis_data` Redis stays empty, which loses rate limits and what was to be written behind, and nothing
    else. Returns the manifest. Raises BackupError, with nothing changed where the backup or the targets are not as they
    should be.
    """
    manifest = verified(folder)
    _known(manifest)
    postgres.refuse_if_older(manifest["postgresql"]["server"])
    postgres.refuse_unless_empty()
    redisfiles.refuse_unless_empty()
    if redis_data is not None:
        if manifest["redis"] is None:
            raise BackupError("This backup was made without Redis: leave --redis-data out.")
        redisfiles.place(folder / backups.REDIS, redis_data)
    postgres.restore(folder / backups.DUMP, manifest["postgresql"]["pg_dump"])
    if found := postgres.differences(manifest["tables"], manifest["totals"]):
        raise BackupError(f"What was restored is not what was backed up: {'; '.join(found)}.")
    return manifest


def verified(folder: Path) -> dict[str, Any]:
    """The manifest of a backup whose files are all there and as they were written. Raises BackupError."""
    if not folder.is_dir():
        raise BackupError(f"{folder} is not a folder.")
    manifest = backups.manifest_of(folder)
    if manifest.get("format") != backups.FORMAT:
        raise BackupError(f"The backup's format is {manifest.get('format')}, and this release reads {backups.FORMAT}.")
    for name, facts in manifest["files"].items():
        path = folder / name
        if not path.is_file():
            raise BackupError(f"{name} is missing.")
        if path.stat().st_size != facts["bytes"]:
            raise BackupError(
                f"{name} has {path.stat().st_size} bytes and not {facts['bytes']}: it was cut or changed."
            )
        if backups.checksum(path) != facts["sha256"]:
            raise BackupError(f"{name} is not what was written: its checksum differs.")
    if backups.DUMP not in manifest["files"]:
        raise BackupError(f"{backups.DUMP} is missing.")
    return manifest


def _known(manifest: dict[str, Any]) -> None:
    """Raises BackupError where the backup has migrations that this release does not know: it is of a newer one."""
    known = {f"{app}.{name}" for app, name in MigrationLoader(connection, ignore_no_migrations=True).disk_migrations}
    ours = {name.partition(".")[0] for name in known}
    unknown = [name for name in manifest["migrations"] if name not in known and name.partition(".")[0] in ours]
    if unknown:
        raise BackupError(f"The backup is of a newer release: {unknown[0]} is not known here.")
