"""The ways to read a register, as the API processes tell them to the driver, and how a version is found in an answer.

Used on both sides: inside the API processes on what a selector answers, and in the driver on what comes over HTTP.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

# What one attempt at the recipe needs of the item that is granted: more than anybody will ever be granted, so that
# `missing` in the recipes that a player knows counts what the player holds.
NEEDED = 10**9
# A page or a list that does not show what it must show: less than any version.
ABSENT = -1
# Every session has a register of its own: it lives, and then it has ended.
ALIVE, ENDED = 0, 1


@dataclass(frozen=True, slots=True)
class View:
    """One way to read: which selector with which argument, the same over HTTP, and the registers that it shows.

    shows: (register, name in SHOWN, what it is asked for). player: whose token the path needs, 0 for nobody's.
    """

    name: str
    selector: str
    argument: int | str | None
    path: str
    player: int
    shows: tuple[tuple[str, str, int], ...]

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> "View":
        """A view that came as JSON."""
        return cls(**{**row, "shows": tuple((str(r), str(how), int(target)) for r, how, target in row["shows"])})

    def versions(self, data: Any) -> list[int]:
        """The versions of its registers in an answer, in their order."""
        return [SHOWN[how](data, target) for _, how, target in self.shows]


def session_view(register: str, session_id: str) -> View:
    """The view of one session; over HTTP it needs the session's own token."""
    return View(register, "session", session_id, "/api/auth/me", 0, ((register, "session", 0),))


def _row(rows: list[dict[str, Any]], name: str, value: int) -> dict[str, Any] | None:
    return next((row for row in rows if row[name] == value), None)


def _held(data: Any, resource_id: int) -> int:
    row = _row(data["inventory"], "resource_id", resource_id)
    return ABSENT if row is None else int(row["quantity"])


def _named(data: Any, resource_id: int) -> int:
    row = _row(data["inventory"], "resource_id", resource_id)
    return ABSENT if row is None else name_version(row["name"])


def _sold_as(data: Any, resource_id: int) -> int:
    row = _row(data["listings"], "resource_id", resource_id)
    return ABSENT if row is None else name_version(row["resource_name"])


def name_version(name: str) -> int:
    """A resource is renamed by counting on: "Checker-Item 7"."""
    return int(name.rpartition(" ")[2])


def _missing(data: Any, recipe_id: int) -> int:
    row = _row(data["recipes"], "id", recipe_id)
    return ABSENT if row is None else int(row["missing"][0]["quantity"])


def _lacking(data: Any, recipe_id: int) -> int:
    missing = _missing(data, recipe_id)
    return ABSENT if missing == ABSENT else NEEDED - missing


def _sold(data: Any, listing_id: int) -> int:
    row = _row(data["listings"], "id", listing_id)
    return ABSENT if row is None else int(row["quantity"]) - int(row["remaining"])


def _valued(data: Any, resource_id: int) -> int:
    row = _row(data["resources"], "id", resource_id)
    return ABSENT if row is None else int(row["base_value"])


def multipliers_version(gathering: Any, crafting: Any) -> int:
    """Two columns of two digits after the point, taken as one number: a hundred million versions."""
    return round(float(gathering) * 100) * 10_000 + round(float(crafting) * 100)


def _multiplied(row: Mapping[str, Any]) -> int:
    return multipliers_version(row["gathering_multiplier"], row["crafting_multiplier"])


SHOWN: dict[str, Callable[[Any, int], int]] = {
    "held": _held,
    "named": _named,
    "sold as": _sold_as,
    "name": lambda data, _: name_version(data["name"]),
    "lacking": _lacking,
    "missing": _missing,
    "ingredient": lambda data, _: int(data["ingredients"][0]["quantity"]),
    "sold": _sold,
    "weather": lambda data, _: _multiplied(data["weather"]),
    "season": lambda data, _: _multiplied(data["season"]),
    "weather alone": lambda data, _: _multiplied(data),
    "valued": _valued,
    "base value": lambda data, _: int(data["base_value"]),
    "session": lambda data, _: ENDED if data is None else ALIVE,
}
