"""The API as players reach it: granian in a process of its own, on the test's database."""

import http.client
import json
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from bcraftd.embedded.process import Child, Deadline, free_port
from tests.programs import ROOT, environment


def _answers(port: int) -> bool:
    try:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        connection.request("GET", "/healthz")
        status = connection.getresponse().status
        connection.close()
    except OSError:
        return False
    return status == 200


@contextmanager
def server(
    application: str = "bcraftd.wsgi:application", *, workers: int = 1, log: Path | None = None, **settings: str
) -> Iterator[str]:
    """Serves for the duration; gives `http://host:port`. `settings` are environment variables; `log` is where the
    server's own is kept."""
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        child = Child(
            "the API under test",
            [sys.executable, "-m", "granian", "--interface", "wsgi", "--host", "127.0.0.1", "--port", str(port),
             "--workers", str(workers), "--respawn-failed-workers", "--blocking-threads", "8", "--no-ws", application],
            log=log or Path(folder) / "api.log",
            cwd=ROOT,
            env=environment(**settings),
        )  # fmt: skip
        child.start()
        try:
            for _ in Deadline(60).ticks(0.1):
                if _answers(port):
                    break
                assert child.running, child.tail()
            yield f"http://127.0.0.1:{port}"
        finally:
            child.stop()


def get(url: str) -> Any:
    """The body of a public page. Raises HTTPError where it is not 2xx."""
    with urlopen(url, timeout=60) as answer:  # noqa: S310 - our own server's
        return json.load(answer)
