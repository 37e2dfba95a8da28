"""Making a backup, keeping the right ones, and saying how it went."""

import fcntl
import json
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import structlog
from django.conf import settings
from django.db import Error
from django.utils import timezone

from bcraftd import backups
from bcraftd.backups import Backup, BackupError, postgres, redisfiles, rotation
from bcraftd.cache import store
from bcraftd.models import BackupRun

# structlog's own logger: its fields stand in the line by their names.
log = structlog.stdlib.get_logger(__name__)

_UNFINISHED = ".unfinished-"
# So many runs are remembered: a month of hours.
KEPT_RUNS = 750


@dataclass(frozen=True)
class Wanted:
    """What a backup is to be: where, with which of Redis' folders (None: as it says itself), how many stay."""

    directory: Path
    redis_data: Path | None = None
    with_redis: bool = True
    hourly: int = rotation.HOURLY
    daily: int = rotation.DAILY


def run(wanted: Wanted) -> dict[str, Any]:
    """Makes a backup, removes what the rotation lets go, and records how it went. Returns the manifest.

    Raises BackupError; that it failed is then in the log and, where PostgreSQL answers, in BackupRun.
    """
    started_at, clock = timezone.now(), time.monotonic()
    try:
        with _alone(wanted.directory):
            backup = _made(wanted, clock)
            _rotate(wanted)
    except (BackupError, OSError) as error:
        detail = str(error)
        log.error("backup failed", detail=detail, directory=str(wanted.directory))
        _record(started_at=started_at, seconds=time.monotonic() - clock, ok=False, detail=detail)
        raise BackupError(detail) from None
    size, seconds = backup.size(), time.monotonic() - clock
    log.info("backup made", folder=backup.folder.name, bytes=size, seconds=round(seconds, 3))
    _record(started_at=started_at, seconds=seconds, ok=True, bytes=size, folder=backup.folder.name)
    return backup.manifest()


@contextmanager
def _alone(directory: Path) -> Iterator[None]:
    """Two at once would take each other's unfinished folder for a dead one."""
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / ".lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BackupError(f"Another backup into {directory} is running.") from None
        for left in directory.glob(f"{_UNFINISHED}*"):
            shutil.rmtree(left, ignore_errors=True)
        yield


def _made(wanted: Wanted, clock: float) -> Backup:
    moment = timezone.now()
    folder = wanted.directory / backups.name_of(moment)
    if folder.exists():
        raise BackupError(f"{folder} is there already: one backup a second is enough.")
    unfinished = Path(tempfile.mkdtemp(prefix=_UNFINISHED, dir=wanted.directory))
    try:
        facts = _filled(unfinished, wanted)
        facts |= {"made_at": moment.isoformat(), "seconds": round(time.monotonic() - clock, 3)}
        facts["files"] = backups.described(unfinished)
        (unfinished / backups.MANIFEST).write_text(json.dumps(facts, indent=2))
        for path in unfinished.rglob("*"):
            backups.settle(path)
        backups.settle(unfinished)
        unfinished.rename(folder)
        backups.settle(wanted.directory)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return Backup(folder, moment)


def _filled(folder: Path, wanted: Wanted) -> dict[str, Any]:
    """Writes the parts, and gives what the manifest says of them."""
    with postgres.moment() as (snapshot, world):
        program = postgres.dump(snapshot, world.server, folder / backups.DUMP)
    redis = _redis(folder / backups.REDIS, wanted)
    return {
        "format": backups.FORMAT,
        "project": _project(),
        "postgresql": {"server": world.server, "pg_dump": program},
        "redis": redis,
        "migrations": world.migrations,
        "tables": world.tables,
        "totals": world.totals,
    }


def _redis(target: Path, wanted: Wanted) -> dict[str, Any] | None:
    if not wanted.with_redis:
        return None
    try:
        return {"server": redisfiles.copy(redisfiles.folder_of(wanted.redis_data), target)}
    except store.StoreDown as error:
        raise BackupError(f"Redis does not answer ({error}). --without-redis leaves it out.") from None


def _project() -> str:
    try:
        return version("bcraftd")
    except PackageNotFoundError:
        return str(settings.SPECTACULAR_SETTINGS["VERSION"])


def _rotate(wanted: Wanted) -> None:
    found = backups.backups_in(wanted.directory)
    stay = rotation.kept((backup.made_at for backup in found), hourly=wanted.hourly, daily=wanted.daily)
    for backup in found:
        if backup.made_at not in stay:
            # Without its manifest it is no backup, should this be the last that the process does.
            (backup.folder / backups.MANIFEST).unlink()
            shutil.rmtree(backup.folder)


def _record(**facts: Any) -> None:
    try:
        BackupRun.objects.create(**facts)
        newest = BackupRun.objects.order_by("-pk").values_list("pk", flat=True)
        BackupRun.objects.filter(pk__in=list(newest[KEPT_RUNS:])).delete()
    except Error:
        log.error("the backup's outcome could not be recorded", ok=facts["ok"])


def newest(directory: Path, seconds: float) -> Backup:
    """The newest backup, if it is not older than that and its files have their sizes.

    Raises BackupError, as a health check wants it.
    """
    found = backups.backups_in(directory)
    if not found:
        raise BackupError(f"There is no backup in {directory}.")
    age = (timezone.now() - found[-1].made_at).total_seconds()
    if age > seconds:
        raise BackupError(f"The newest backup, {found[-1].folder.name}, is {age:.0f} s old.")
    for name, facts in found[-1].manifest()["files"].items():
        path = found[-1].folder / name
        if not path.is_file() or path.stat().st_size != facts["bytes"]:
            raise BackupError(f"{path} has not the size that it was written with.")
    return found[-1]
