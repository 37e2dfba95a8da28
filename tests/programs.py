"""Programs of ours as processes of their own, on the servers and the database of the tests."""

import os
import subprocess
import sys
from io import StringIO
from pathlib import Path
from urllib.parse import urlsplit

from django.core.management import call_command
from django.db import connection

ROOT = Path(__file__).resolve().parent.parent


def environment(**other: str) -> dict[str, str]:
    """Our environment, with DATABASE_URL naming the test database."""
    url = urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{connection.settings_dict['NAME']}").geturl()
    return {**os.environ, "DATABASE_URL": url, **other}


def python(*words: str, **other: str) -> "subprocess.CompletedProcess[str]":
    """Runs the interpreter to its end, with nobody at the terminal."""
    return subprocess.run(
        [sys.executable, *words],
        cwd=ROOT,
        env=environment(**other),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def manage(*words: str, **other: str) -> "subprocess.CompletedProcess[str]":
    """`manage.py` as an operator runs it."""
    return python("manage.py", *words, **other)


def command(*words: str) -> str:
    """A command in this process; returns what it printed. Raises CommandError."""
    out = StringIO()
    call_command(*words, stdout=out)
    return out.getvalue()
