"""The doctor's table of checks: their order, what a broken one does, and that each has its section in the docs."""

import json
from typing import Any

from bcraftd import doctor
from bcraftd.doctor.table import CHECKS
from tests.doctoring import SECRET
from tests.programs import ROOT, manage

# --- The table itself -------------------------------------------------------------------------------------


def test_a_check_that_breaks_is_a_fault_that_tells_no_secret() -> None:
    def broken() -> doctor.Finding:
        raise ValueError(SECRET)

    found = doctor.examine([doctor.Check("one", broken), doctor.Check("two", lambda: doctor.ok("fine"), ("one",))])

    assert found["one"].status == "fault"
    assert "ValueError" in found["one"].detail
    assert SECRET not in found["one"].detail + found["one"].mend
    assert found["two"].detail == f"{doctor.NOT_MADE} one comes first."


def test_what_follows_from_what_was_not_made_is_not_made_either() -> None:
    found = doctor.examine(
        [
            doctor.Check("one", lambda: doctor.fault("no", "mend")),
            doctor.Check("two", lambda: doctor.ok("fine"), ("one",)),
            doctor.Check("three", lambda: doctor.ok("fine"), ("two",)),
        ]
    )

    assert found["three"].detail == f"{doctor.NOT_MADE} two comes first."


def test_every_check_has_its_section_in_the_page_on_troubles_and_every_section_a_check() -> None:
    page = (ROOT / "docs/troubleshooting.md").read_text()
    section = page.split("## What the doctor looks at")[1].split("\n## ")[0]
    named = [line.removeprefix("### ") for line in section.splitlines() if line.startswith("### ")]

    assert named == [check.name for check in CHECKS]


def test_needs_name_checks_that_come_before() -> None:
    seen: set[str] = set()
    for check in CHECKS:
        assert set(check.needs) <= seen, check.name
        seen.add(check.name)


def test_a_report_is_json_with_the_documented_members(world: None) -> None:
    ran = manage("doctor", "--json")

    report: dict[str, Any] = json.loads(ran.stdout)
    assert set(report) == {"ok", "checks"}
    assert all(set(row) == {"name", "status", "detail", "mend"} for row in report["checks"])
