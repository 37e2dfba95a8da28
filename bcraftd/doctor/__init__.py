"""manage.py doctor: looks at everything that docs/troubleshooting.md is about, names the fault and the mend.

Checks are declared in a table, in the order of what depends on what. Where what a check needs has a fault itself, it is
not made: its result is a warning that says so, since it would only blame the same thing once more.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

Status = Literal["ok", "warning", "fault"]


@dataclass(frozen=True)
class Finding:
    """What a check found: a sentence, and what to do about it, "" where nothing."""

    status: Status
    detail: str
    mend: str = ""


def ok(detail: str) -> Finding:
    """All is well."""
    return Finding("ok", detail)


def warning(detail: str, mend: str) -> Finding:
    """Players are served, but somebody should look."""
    return Finding("warning", detail, mend)


def fault(detail: str, mend: str) -> Finding:
    """Something does not do what it is for."""
    return Finding("fault", detail, mend)


@dataclass(frozen=True)
class Check:
    """A name as in docs/troubleshooting.md, what looks, and the names of the checks that it can only follow."""

    name: str
    look: Callable[[], Finding]
    needs: tuple[str, ...] = ()


def examine(checks: Iterable[Check]) -> dict[str, Finding]:
    """Makes the checks in their order. Gives what each found, by name.

    A check that breaks is a fault of its own, with the kind of error and no more: its text may hold a secret.
    """
    found: dict[str, Finding] = {}
    for check in checks:
        found[check.name] = _unmade(check, found) or _made(check)
    return found


def _unmade(check: Check, found: Mapping[str, Finding]) -> Finding | None:
    missing = [name for name in check.needs if found[name].status == "fault" or found[name].detail.startswith(NOT_MADE)]
    if not missing:
        return None
    return warning(f"{NOT_MADE} {', '.join(missing)} comes first.", f"Mend {', '.join(missing)}, and ask again.")


NOT_MADE = "Not checked:"


def _made(check: Check) -> Finding:
    try:
        return check.look()
    except Exception as error:
        return fault(
            f"The check broke: {type(error).__name__}.", "Ask again; where it stays, this is a defect of ours."
        )
