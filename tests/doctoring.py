"""What one run of `manage.py doctor` said, and secrets that it must not say."""

import json
from urllib.parse import urlsplit

from bcraftd import doctor
from tests.programs import manage

SECRET = "a-secret-that-nobody-may-read"


class Report:
    """What one run of the command said."""

    def __init__(self, **settings: str) -> None:
        ran = manage("doctor", "--json", **settings)
        assert ran.stdout, ran.stderr
        self.status = ran.returncode
        self.text = ran.stdout + ran.stderr
        self.ok: bool = json.loads(ran.stdout)["ok"]
        self.checks = {row["name"]: row for row in json.loads(ran.stdout)["checks"]}
        assert self.status == (0 if self.ok else 1)

    def faults(self) -> set[str]:
        return {name for name, row in self.checks.items() if row["status"] == "fault"}

    def warnings(self) -> set[str]:
        """Those of its own, without what could not be looked at."""
        return {
            name
            for name, row in self.checks.items()
            if row["status"] == "warning" and not row["detail"].startswith(doctor.NOT_MADE)
        }

    def says(self, name: str) -> str:
        return f"{self.checks[name]['detail']} {self.checks[name]['mend']}"


def with_password(url: str, password: str) -> str:
    parts = urlsplit(url)
    user = parts.username or ""
    return parts._replace(netloc=f"{user}:{password}@{parts.hostname}:{parts.port}").geturl()
