"""How an entry says that a GET shows it as it stands, so that the express lane (bcraftd/express.py) may answer.

Only canonical requests are read here: decimal digits without zeros in front, nothing escaped, nothing twice, no name
that is not declared. Whatever else Django may take for the same is Django's to read. What Django would refuse (a limit
that is too high) needs no rule of its own: it was never stored, so that it is a miss, and a miss is Django's.
"""

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

MAX_QUERY = 1024


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a path or a query: how it is written, what it means, and what its absence means.

    free: whether a caller can make up as many values as they like; variants with such values are kept only up to a cap.
    """

    form: "re.Pattern[str]"
    convert: Callable[[str], Any]
    default: Any = None
    free: bool = False


def digits(default: int | str | None = None) -> Parameter:
    """A whole number from 0 to 10^16 - 1."""
    return Parameter(re.compile(r"0|[1-9][0-9]{0,15}"), int, default, free=True)


def word(default: str | None = None) -> Parameter:
    """One of a few words."""
    return Parameter(re.compile(r"[a-z_-]{1,32}"), str, default)


def flag() -> Parameter:
    """`true` or `false`."""
    return Parameter(re.compile("true|false"), "true".__eq__)


def text() -> Parameter:
    """Letters and digits of any kind, such as a cursor."""
    return Parameter(re.compile(r"[A-Za-z0-9_-]{1,512}"), str, free=True)


@dataclass(frozen=True)
class Hot:
    """A path that shows an entry.

    path: as clients write it; a part in braces, which stands last, is a parameter: "/api/resources/{id}".
    query: the query's parameters. One that the entry's key has a place for goes there, any other into the variant.
    private: whether it is the signed-in player's own; the key's place is then `player_id`.
    source: whether `"source":"cache"` is spliced in front.
    """

    path: str
    query: Mapping[str, Parameter] = field(default_factory=dict)
    private: bool = False
    source: bool = False

    @property
    def tail(self) -> str:
        """The name of the parameter that ends the path, "" where none does."""
        return self.path.rpartition("{")[2].rstrip("}") if self.path.endswith("}") else ""

    def read(self, query: str) -> dict[str, Any] | None:
        """The parameters of a query string, None where Django has to read it."""
        if len(query) > MAX_QUERY:
            return None
        values = {name: parameter.default for name, parameter in self.query.items()}
        given = [pair.partition("=") for pair in query.split("&")] if query else []
        names = [name for name, _, _ in given]
        if len(set(names)) != len(names) or not set(names) <= set(self.query):
            return None
        for name, _, written in given:
            if not self.query[name].form.fullmatch(written):
                return None
            values[name] = self.query[name].convert(written)
        return values

    def usual(self, variant: Mapping[str, Any], places: Collection[str]) -> bool:
        """Whether a variant is one of this path's with nothing in it that a caller made up: there are only so many.

        places: the names that stand in the entry's key and not in the variant.
        """
        named = {name for name, value in variant.items() if value is not None}
        return named <= set(self.query) and all(
            variant.get(name) == parameter.default
            for name, parameter in self.query.items()
            if parameter.free and name not in places
        )
