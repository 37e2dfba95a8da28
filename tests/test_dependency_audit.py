"""`make audit`: skipped only where nothing could be looked up. pip-audit itself runs here and asks a server of ours."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any, ClassVar

import pytest
from packaging.requirements import Requirement

from bcraftd.embedded.process import free_port
from tests import dependency_audit
from tests.dependency_audit import SKIPPED, verdict
from tests.programs import python

LOCK = "".join(
    f"{name}=={version} \\\n    --hash=sha256:{'0' * 64}\n" for name, version in (("alpha", "1.0"), ("beta", "2.5"))
)
HOLE = {
    "id": "GHSA-0000-0000-0000",
    "summary": "A hole.",
    "affected": [{"package": {"name": "beta", "ecosystem": "PyPI"},
                  "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "2.6"}]}]}],
}  # fmt: skip


class Data(BaseHTTPRequestHandler):
    """Vulnerability data by package: a status and an object."""

    answers: ClassVar[dict[str, tuple[int, dict[str, Any]]]] = {}

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        status, found = self.answers.get(asked["package"]["name"], (200, {}))
        body = json.dumps(found).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        """Nothing: the test says what went wrong."""


@pytest.fixture
def data() -> Iterator[str]:
    """The address of a source that knows of nothing, until a test says otherwise."""
    Data.answers = {}
    with ThreadingHTTPServer(("127.0.0.1", 0), Data) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/"
        server.shutdown()
        thread.join()


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    path = tmp_path / "requirements.lock"
    path.write_text(LOCK)
    return path


def audit(lock: Path, source: str) -> "CompletedProcess[str]":
    options = ["--vulnerability-service", "osv", "--osv-url", source, "--cache-dir", str(lock.parent), "--timeout", "5"]
    return python("-m", "tests.dependency_audit", str(lock), *options)


def test_where_every_package_is_known_and_sound_it_says_how_many(data: str, lock: Path) -> None:
    done = audit(lock, data)

    assert (done.returncode, done.stdout) == (0, "2 packages, none with a known vulnerability.\n")


def test_a_vulnerability_fails_and_is_named_with_its_remedy(data: str, lock: Path) -> None:
    Data.answers = {"beta": (200, {"vulns": [HOLE]})}

    done = audit(lock, data)

    assert (done.returncode, done.stdout) == (1, "beta 2.5: GHSA-0000-0000-0000, fixed in 2.6\n")


def test_where_nobody_answers_it_is_skipped_aloud(lock: Path) -> None:
    done = audit(lock, f"http://127.0.0.1:{free_port()}/")

    assert (done.returncode, done.stdout) == (0, f"{SKIPPED}\n")


def test_a_source_that_answers_with_an_error_is_not_out_of_reach(data: str, lock: Path) -> None:
    Data.answers = {"alpha": (500, {})}

    done = audit(lock, data)

    assert done.returncode == 1
    assert SKIPPED not in done.stdout


@pytest.mark.parametrize("text", ["alpha==1.0\n", "alpha\n", "!\n", ""])
def test_a_lock_that_cannot_be_read_or_pins_nothing_fails(data: str, lock: Path, text: str) -> None:
    lock.write_text(text)

    done = audit(lock, data)

    assert done.returncode == 1
    assert SKIPPED not in done.stdout


# --- What pip-audit has reported, from sources that cannot be made to report it here ----------------------


def package(name: str, *vulns: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "version": "1.0", "vulns": list(vulns)}


NOT_FOUND = {"name": "gamma", "skip_reason": "Dependency not found and could not be audited: gamma (1.0)"}


def test_a_mirror_that_knows_of_no_package_is_no_source() -> None:
    assert verdict([NOT_FOUND, NOT_FOUND], "No known vulnerabilities found") == (0, SKIPPED)


def test_one_package_that_could_not_be_looked_up_fails() -> None:
    status, text = verdict([package("alpha"), NOT_FOUND], "No known vulnerabilities found")

    assert (status, text) == (1, NOT_FOUND["skip_reason"])


def test_a_vulnerability_counts_beside_packages_that_could_not_be_looked_up() -> None:
    status, text = verdict([package("alpha", {"id": "X-1", "fix_versions": []}), NOT_FOUND], "")

    assert status == 1
    assert "alpha 1.0: X-1, fixed in no version yet" in text


@pytest.mark.parametrize(
    "said",
    [
        "requests.exceptions.ConnectionError: HTTPSConnectionPool(host='example.org', port=443): Max retries exceeded",
        "Traceback (most recent call last):\n  ...\nrequests.exceptions.ReadTimeout: read timed out.",
        "ERROR:pip_audit._cli:Could not connect\n"
        "ERROR:pip_audit._cli:Tip: your network may be blocking this service. Try another service with `-s SERVICE`",
    ],
)
def test_a_failure_of_the_network_is_known_by_its_last_line(said: str) -> None:
    assert verdict(None, said) == (0, SKIPPED)


@pytest.mark.parametrize(
    "said",
    ["", "ERROR:pip_audit._cli:requirement alpha is not hashed", "KeyError: 'requests.exceptions.ConnectionError:'"],
)
def test_any_other_failure_fails(said: str) -> None:
    assert verdict(None, said)[0] == 1


def test_the_lock_of_the_project_is_read_to_its_end(data: str) -> None:
    lock = dependency_audit.ROOT / "requirements.lock"
    done = python("-m", "tests.dependency_audit", str(lock), "--vulnerability-service", "osv", "--osv-url", data)

    pins = [
        Requirement(line.rstrip(" \\")) for line in lock.read_text().splitlines() if "==" in line and line[0] != " "
    ]
    here = [pin for pin in pins if pin.marker is None or pin.marker.evaluate()]
    assert (done.returncode, done.stdout) == (0, f"{len(here)} packages, none with a known vulnerability.\n")
