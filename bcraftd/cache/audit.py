"""Whether what Redis would serve is what PostgreSQL says: every live value against its filler.

A write may come between the two readings. Whatever differs is therefore read again after a pause, PostgreSQL first:
a write of the project deletes the value before its commit can be seen, so that the same bytes, still standing
afterwards, are what readers get in spite of it. Only that is a difference.
"""

import json
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from itertools import islice
from typing import Any, TypeVar, cast

from django.db import connection
from redis.exceptions import ResponseError

from bcraftd.cache import behind, families, stamp, store
from bcraftd.cache.entry import Entry

T = TypeVar("T")

# Keys whose variants are listed, and values that are read, in one round trip: what is in memory at a time.
BATCH = 100
PAUSE_SECONDS = 0.05
# A value that has less left is let go: it was stored a moment after its life was reckoned, and of a session's use
# PostgreSQL knows whole seconds.
LAST_MS = 2000
# What a difference names, and how long it may be.
MEMBERS = 3
MEMBER_LENGTH = 60
LENGTH = 200
NOTHING = "PostgreSQL has nothing to show"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value stands: a string's key (`variant` is None), or a hash's key and its field."""

    entry: Entry
    key: str
    variant: str | None

    def read_database(self) -> bytes | None:
        """What the filler makes of PostgreSQL now, as JSON. Raises what the filler raises, ValueError for a field
        that is no JSON and TypeError for parameters that the filler does not take."""
        fresh = self.entry.read_database(parameters_of(self.entry, self.key) or {}, json.loads(self.variant or "{}"))
        return None if fresh is None else fresh.body


@dataclass(frozen=True, slots=True)
class Stored:
    """What stands at a place: the bytes, and what of them a reader is served, None for nothing. `is_ending`: its life
    is all but over. `error`: why Redis cannot read it."""

    raw: bytes = b""
    body: bytes | None = None
    is_ending: bool = False
    error: str = ""


# A value by its key and its field.
Name = tuple[str, str | None]


@dataclass(slots=True)
class Report:
    """What an audit found: values by name, so that a key which SCAN names twice is there once."""

    checked: int = 0
    differences: dict[Name, dict[str, Any]] = field(default_factory=dict)
    problems: dict[Name, dict[str, Any]] = field(default_factory=dict)
    repaired: int = 0

    def differ(self, place: Place, raw: bytes, detail: str) -> None:
        """Notes a difference."""
        self.differences[place.key, place.variant] = {**_named(place, detail), "age_seconds": _age(raw)}

    def fail(self, place: Place, error: object) -> None:
        """Notes a value that could not be compared."""
        self.problems[place.key, place.variant] = _named(place, _cut(str(error), LENGTH))

    def shown(self) -> dict[str, Any]:
        """As `cache_audit --json` prints it."""
        return {
            "checked": self.checked,
            "differences": list(self.differences.values()),
            "problems": list(self.problems.values()),
            "repaired": self.repaired,
        }


def run(chosen: Iterable[str], *, repair: bool = False, done: Callable[[int], object] = lambda keys: None) -> Report:
    """Audits families; with `repair` drops each key that differs. `done` is told of the keys as they are through.

    A filler that raises is a problem in the report. Raises StoreDown, and OperationalError where PostgreSQL is away.
    """
    report = Report()
    # Under Sentinel nothing is known to be valid before PostgreSQL has said which Redis counts.
    store.recovered()
    for entry in (entry for family in chosen for entry in families.entries_of(family)):
        for keys in _batches(store.scan(entry.pattern)):
            for places in _batches(_places(entry, dict.fromkeys(keys))):
                # A connection that broke in one batch is not what the next one is read on.
                connection.close_if_unusable_or_obsolete()
                connection.ensure_connection()
                _audit(places, report, repair)
            done(len(keys))
    return report


def _audit(places: list[Place], report: Report, repair: bool) -> None:
    suspects: dict[Place, Stored] = {}
    for place, stored in zip(places, _stored(places), strict=True):
        if stored.error:
            report.fail(place, stored.error)
        elif stored.body is not None:
            report.checked += 1
            if _compared(place, stored.body, report):
                suspects[place] = stored
    keys = _again(suspects, report) if suspects else set()
    if keys and repair:
        store.drop(keys, always=True)
        report.repaired += len(keys)


def _again(suspects: Mapping[Place, Stored], report: Report) -> set[str]:
    """Reads what differed once more, PostgreSQL before Redis, and notes what still does. Returns the keys."""
    time.sleep(PAUSE_SECONDS)
    if any(place.entry.slides for place in suspects):
        # Whether such a value lives is written behind: PostgreSQL must know of its last use.
        behind.write_all()
    details = [_compared(place, stored.body or b"", report) for place, stored in suspects.items()]
    keys = set()
    for (place, before), detail, now in zip(suspects.items(), details, _stored(suspects), strict=True):
        if detail and now.body is not None and now.raw == before.raw and not now.is_ending:
            report.differ(place, now.raw, detail)
            keys.add(place.key)
    return keys


# --- Redis ------------------------------------------------------------------------------------------------


def _batches(rows: Iterable[T]) -> Iterator[list[T]]:
    left = iter(rows)
    while batch := list(islice(left, BATCH)):
        yield batch


def _places(entry: Entry, keys: Iterable[str]) -> Iterator[Place]:
    """The values under an entry's keys."""
    ours = [key for key in keys if parameters_of(entry, key) is not None]
    if not entry.variants:
        yield from (Place(entry, key, None) for key in ours)
        return
    for key, fields in zip(ours, _fields(ours), strict=True):
        # A key of another type is asked for any field: its answer is the error that is reported.
        names = [b""] if isinstance(fields, ResponseError) else fields
        yield from (Place(entry, key, name.decode("utf-8", "replace")) for name in names)


def _fields(keys: list[str]) -> list[list[bytes] | ResponseError]:
    """The fields of hashes, in one round trip."""

    def ask() -> list[list[bytes] | ResponseError]:
        with store.client().pipeline(transaction=False) as pipe:
            for key in keys:
                pipe.hkeys(key)
            return pipe.execute(raise_on_error=False)

    return store.guarded(ask, always=True)


def _stored(places: Iterable[Place]) -> list[Stored]:
    """What stands at places, in one round trip. It is valid by the rule of every reader; nothing slides."""
    rows = list(places)
    generations = dict.fromkeys(place.entry.generation_key for place in rows if place.entry.generation)

    def ask() -> list[Any]:
        with store.client().pipeline(transaction=False) as pipe:
            for name in generations:
                pipe.get(name)
            for place in rows:
                if place.variant is None:
                    pipe.get(place.key)
                else:
                    pipe.hget(place.key, place.variant)
                pipe.pttl(place.key)
            return pipe.execute(raise_on_error=False)

    answers = iter(store.guarded(ask, always=True))
    known = {name: next(answers) for name in generations}
    return [_judged(next(answers), next(answers), known.get(place.entry.generation_key, b"")) for place in rows]


def _judged(raw: bytes | ResponseError | None, left_ms: int, generation: bytes | None) -> Stored:
    if isinstance(raw, ResponseError):
        return Stored(error=str(raw))
    if raw is None or generation is None:
        return Stored()
    # Of what has no end PTTL says -1.
    return Stored(raw, stamp.take(raw, store.server.run, generation.decode()), 0 <= left_ms < LAST_MS)


@cache
def _shape(entry: Entry) -> "re.Pattern[str]":
    return re.compile(re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>.+)", re.escape(entry.key)), re.DOTALL)


def parameters_of(entry: Entry, key: str) -> dict[str, int | str] | None:
    """The parameters that `entry.name` made this key of, None where it cannot have. What reads as an id is one."""
    found = _shape(entry).fullmatch(key)
    return None if found is None else {name: _typed(text) for name, text in found.groupdict().items()}


def _typed(text: str) -> int | str:
    """A number only where it is written back the same and fits 64 bits."""
    return int(text) if re.fullmatch(r"0|[1-9][0-9]{0,17}", text) else text


# --- Comparing --------------------------------------------------------------------------------------------


def _compared(place: Place, body: bytes, report: Report) -> str:
    """What differs, "" for nothing; a comparison that fails is noted as a problem."""
    try:
        return _difference(place, body)
    except Exception as error:
        report.fail(place, f"{type(error).__name__}: {error}")
        return ""


def _difference(place: Place, body: bytes) -> str:
    now = place.read_database()
    if now is None:
        return NOTHING
    if now == body:
        return ""
    members = _members(_shown(place, body), _shown(place, now))
    return _cut("; ".join(islice(members, MEMBERS)), LENGTH)


def _shown(place: Place, body: bytes) -> dict[str, Any]:
    """A value's members, without those that differ with each reading."""
    members = cast("dict[str, Any]", json.loads(body))
    return {name: value for name, value in members.items() if name not in place.entry.volatile}


def _members(old: Any, new: Any, path: str = "") -> Iterator[str]:
    """Where two JSON values differ, in words: `old` is what stands in Redis."""
    if isinstance(old, dict) and isinstance(new, dict):
        for name in dict.fromkeys([*old, *new]):
            where = f"{path}.{name}" if path else name
            if name in old and name in new:
                yield from _members(old[name], new[name], where)
            else:
                yield f"{where}: only in {'Redis' if name in old else 'PostgreSQL'}"
    elif isinstance(old, list) and isinstance(new, list):
        yield from _elements(old, new, path)
    elif type(old) is not type(new) or old != new:
        yield f"{path}: {_short(old)} in Redis, {_short(new)} in PostgreSQL"


def _elements(old: list[Any], new: list[Any], path: str) -> Iterator[str]:
    # Behind one that came or went, every element would differ from the one that had its place.
    if len(old) != len(new):
        yield f"{path}: {len(old)} elements in Redis, {len(new)} in PostgreSQL"
        return
    for number, (before, after) in enumerate(zip(old, new, strict=True)):
        yield from _members(before, after, f"{path}[{number}]")


def _short(value: Any) -> str:
    return _cut(json.dumps(value, ensure_ascii=False), MEMBER_LENGTH)


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[: length - 1]}…"


def _age(raw: bytes) -> float | None:
    """Seconds since a value was stored, None where its stamp does not say: no difference is older."""
    try:
        found = stamp.split(raw)
    except ValueError:
        found = None
    return None if found is None else round(max((datetime.now(UTC) - found[3]).total_seconds(), 0.0), 3)


def _named(place: Place, detail: str) -> dict[str, Any]:
    return {"key": place.key, "family": place.entry.family, "variant": place.variant, "detail": detail}
