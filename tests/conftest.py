"""A folder that other users can reach too."""

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.processes import processes_in, wait_until_empty


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that every user can reach, unlike pytest's own; at the end nothing may run in it any more."""
    path = Path(tempfile.mkdtemp(prefix="bcraftd-"))
    path.chmod(0o755)
    try:
        yield path
        wait_until_empty(path)
    finally:
        for pid in processes_in(path):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        shutil.rmtree(path, ignore_errors=True)
