"""Programs of other people that some tests need: Debian's packages have them, Python's have not."""

import os
import shutil

import pytest


def tool(*names: str) -> str:
    """The path of the first of these programs that is there.

    Where none is, the test is skipped with the reason; under BCRAFTD_TOOLS=required, as in CI, it fails.
    """
    for name in names:
        if path := shutil.which(name):
            return path
    message = f"{names[0]} is not installed"
    if os.environ.get("BCRAFTD_TOOLS") == "required":
        pytest.fail(message)
    pytest.skip(message)
