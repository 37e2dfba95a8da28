"""Looks for known vulnerabilities in what requirements.lock pins, with pip-audit: `make audit`.

pip-audit's exit status says too little. It is 1 for a vulnerability, for a lock that it cannot read and for no network
alike, and 0 also where a mirror answered every question with "not found". So its report decides:

0  every package was looked up and none has a known vulnerability; or nothing could be looked up, which is said aloud
1  a package has one, or some could not be looked up though others could, or pip-audit failed for another reason

`python -m tests.dependency_audit [LOCK [OPTION...]]`: options are handed on to pip-audit.
"""

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
# Its usual source, and another one where that cannot be reached.
SOURCES: list[list[str]] = [[], ["--vulnerability-service", "osv"]]
SKIPPED = "SKIPPED: the vulnerability data cannot be reached from here, so that nothing was audited."
# How the last line of a failure begins where the network is to blame; pip-audit catches only some of these itself.
UNREACHABLE = re.compile(
    r"ERROR:pip_audit\._cli:Tip: your network may be blocking this service"
    r"|requests\.exceptions\.(ConnectionError|ConnectTimeout|ReadTimeout|ProxyError|SSLError):"
)

Packages = list[dict[str, Any]]


def audit(lock: Path, options: list[str]) -> tuple[Packages | None, str]:
    """What pip-audit reports of each package, None where it came to no report; and what it said."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        done = subprocess.run(
            [sys.executable, "-m", "pip_audit", "--requirement", str(lock), "--require-hashes", "--disable-pip",
             "--progress-spinner", "off", "--format", "json", "--output", str(report), *options],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if not report.exists():
            return None, done.stderr.strip()
        return json.loads(report.read_text(encoding="utf-8"))["dependencies"], done.stderr.strip()


def verdict(packages: Packages | None, said: str) -> tuple[int, str]:
    """The exit status and what to print; SKIPPED begins it where nothing could be looked up."""
    if packages is None:
        unreachable = UNREACHABLE.match(said.splitlines()[-1] if said else "")
        return (0, SKIPPED) if unreachable else (1, said or "pip-audit failed and did not say why.")
    if not packages:
        return 1, "The lock names no package."
    audited = [package for package in packages if "skip_reason" not in package]
    if not audited:
        return 0, SKIPPED
    lines = [str(package["skip_reason"]) for package in packages if "skip_reason" in package]
    lines += [_line(package, found) for package in audited for found in package["vulns"]]
    return (1, "\n".join(lines)) if lines else (0, f"{len(audited)} packages, none with a known vulnerability.")


def _line(package: dict[str, Any], found: dict[str, Any]) -> str:
    fixed = ", ".join(found["fix_versions"]) or "no version yet"
    return f"{package['name']} {package['version']}: {found['id']}, fixed in {fixed}"


def main(words: list[str]) -> int:
    """Returns the exit status."""
    lock, options = Path(words[0]) if words else ROOT / "requirements.lock", words[1:]
    status, text = 0, SKIPPED
    for source in [options] if options else SOURCES:
        status, text = verdict(*audit(lock, source))
        if text != SKIPPED:
            break
    sys.stdout.write(f"{text}\n")
    return status


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
