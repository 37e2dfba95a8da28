"""Redis' part: its snapshot and its append-only files, copied from the folder in which it keeps them."""

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from bcraftd.backups import BackupError
from bcraftd.cache import store

SAVE_SECONDS = 600.0
_POLL = 0.1
# Copying them while Redis rewrites them would give parts of two states.
_REWRITE = "auto-aof-rewrite-percentage"


def _config(name: str) -> str:
    found = store.guarded(lambda: store.client().config_get(name), always=True)
    return str(cast("dict[str, Any]", found)[name])


def _info() -> dict[str, Any]:
    return store.guarded(lambda: store.client().info("persistence"), always=True)


def folder_of(given: Path | None) -> Path:
    """Where Redis keeps its files: as told, or as it says itself where that is a folder here.

    Raises BackupError and StoreDown.
    """
    folder = given or Path(_config("dir"))
    if not folder.is_dir():
        raise BackupError(
            f"Redis keeps its files in {folder}, which is not here: name the folder by --redis-data,"
            " or say --without-redis."
        )
    return folder


def copy(folder: Path, target: Path) -> str:
    """Has Redis save, and copies its files from their folder. Returns its version. Raises BackupError and StoreDown."""
    _save()
    target.mkdir()
    _copy_file(folder / _config("dbfilename"), target / "dump.rdb")
    if _config("appendonly") == "yes":
        with _no_rewrite():
            _copy_folder(folder / _config("appenddirname"), target / "appendonlydir")
    return str(store.server_info()["redis_version"])


def _save() -> None:
    """BGSAVE, waited for. One that runs already may have begun before what we want in it: another one follows."""
    _wait("rdb_bgsave_in_progress")
    before = _info()["rdb_last_save_time"]
    # Its clock has whole seconds: a save within the same second would look like the one before.
    while store.guarded(lambda: store.client().time(), always=True)[0] <= before:
        time.sleep(_POLL)
    store.guarded(lambda: store.client().bgsave(), always=True)
    _wait("rdb_bgsave_in_progress")
    info = _info()
    if info["rdb_last_bgsave_status"] != "ok" or info["rdb_last_save_time"] <= before:
        raise BackupError("Redis could not save: see its log, and the disk under its dir.")


def _wait(what: str) -> None:
    """Until something of Redis' own is over."""
    end = time.monotonic() + SAVE_SECONDS
    while _info()[what]:
        if time.monotonic() > end:
            raise BackupError(f"Redis did not end in {SAVE_SECONDS:.0f} s: {what}.")
        time.sleep(_POLL)


@contextmanager
def _no_rewrite() -> Iterator[None]:
    before = _config(_REWRITE)
    store.guarded(lambda: store.client().config_set(_REWRITE, 0), always=True)
    try:
        _wait("aof_rewrite_in_progress")
        yield
    finally:
        store.guarded(lambda: store.client().config_set(_REWRITE, before), always=True)


def _copy_file(source: Path, target: Path) -> None:
    try:
        shutil.copyfile(source, target)
    except OSError as error:
        raise BackupError(f"Redis' file {source} cannot be read: {error.strerror}.") from None


def _copy_folder(source: Path, target: Path) -> None:
    if not source.is_dir():
        raise BackupError(f"Redis' folder {source} is not there.")
    target.mkdir()
    for path in sorted(source.iterdir()):
        _copy_file(path, target / path.name)


def refuse_unless_empty() -> None:
    """Raises BackupError where the Redis that runs holds anything. One that does not run is empty enough."""
    try:
        keys = store.guarded(lambda: store.client().dbsize(), always=True)
    except store.StoreDown:
        return
    if keys:
        raise BackupError(f"Redis holds {keys} keys: stop the API and the worker, and give it an empty database.")


def place(source: Path, folder: Path) -> list[Path]:
    """Puts a backup's files into the empty data folder of a Redis that does not run. Returns what was written.

    Raises BackupError where there is something in the folder.
    """
    if not folder.is_dir() or any(folder.iterdir()):
        raise BackupError(f"{folder} is not an empty folder.")
    shutil.copytree(source, folder, dirs_exist_ok=True)
    return sorted(path for path in folder.rglob("*") if path.is_file())
