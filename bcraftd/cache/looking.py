"""Redis as operators look at it: a page of keys at a time, one value, and what the server says of itself.

Never more than a bounded number of commands for a look, however many keys there are. What would let its reader into
somebody's session is hidden here and not in the pages, so that no page can forget to.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, cast

from bcraftd.cache import families, stamp, store

# One page of the browser ends after so many keys, or after so many steps of SCAN through keys that do not match: then
# the page is short and the next one goes on. A step of a thousand keys takes Redis about a millisecond.
PAGE_KEYS = 50
PAGE_STEPS = 20
_STEP = 1000
# SCAN goes through Redis' hash table, which is in no order: its first keys are a fair sample of all.
SAMPLE = 10_000
# Of one value so much is shown (bytes), and of a hash, list or set so many members.
SHOWN_BYTES = 64 * 1024
SHOWN_MEMBERS = 100
LONGEST_PATTERN = 200
SLOW_COMMANDS = 10

# Ids of players' sessions, and the keys of the admin's, which are as good as a password.
_SECRET = ("session:*", "admin:session:*", "activity:last_seen*")
_HELPERS = ("lease:", "fence:")
HIDDEN = "•" * 8


def is_secret(key: str) -> bool:
    """Whether a key's name or content must not be shown."""
    for helper in _HELPERS:
        key = key.removeprefix(helper)
    return any(fnmatchcase(key, pattern) for pattern in _SECRET)


@dataclass(frozen=True)
class Page:
    """Some keys, each with family, type, life left (seconds) and size (bytes), and where the next page begins.

    `cursor` is "" where there is no next page. `looked_at` is how many keys Redis went through.
    """

    keys: list[dict[str, Any]]
    cursor: str
    looked_at: int


def page(patterns: Sequence[str], cursor: str = "", *, secrets: bool = False) -> Page:
    """A page of the keys that match any of some patterns (those of SCAN).

    `cursor` is "" or what the page before gave. Secret keys are left out, or with `secrets` shown without their names:
    a pattern that somebody makes up would spell them out. A key may come twice, as SCAN has it, or not come where it
    was made or dropped meanwhile. Raises ValueError for a cursor that is none, and StoreDown.
    """
    index, place = _place(cursor, len(patterns))
    found: dict[str, None] = {}
    looked_at = 0
    for _ in range(PAGE_STEPS):
        if index == len(patterns) or len(found) >= PAGE_KEYS:
            break
        place, step, looked = _step(patterns[index], place)
        looked_at += looked
        found |= dict.fromkeys(key for key in step if secrets or not is_secret(key))
        index += not place
    rows = [row for key in sorted(found) if (row := _row(key)) is not None]
    return Page(rows, "" if index == len(patterns) else f"{index}.{place}", looked_at)


def _place(cursor: str, patterns: int) -> tuple[int, int]:
    """Which pattern a cursor stands at, and SCAN's own cursor there."""
    if not cursor:
        return 0, 0
    index, _, place = cursor.partition(".")
    if not (cursor.isascii() and index.isdigit() and place.isdigit()) or int(index) >= patterns or int(place) >= 2**64:
        raise ValueError("not a place in the list of keys")
    return int(index), int(place)


def _step(pattern: str, place: int) -> tuple[int, list[str], int]:
    """SCAN's next cursor, the keys that matched, and how many it went through."""
    if not any(sign in pattern for sign in "*?[\\"):
        there = store.guarded(lambda: store.client().exists(pattern), always=True)
        return 0, [pattern] if there else [], 1
    answer = store.guarded(lambda: store.client().scan(place, match=pattern, count=_STEP), always=True)
    place, keys = cast("tuple[int, list[bytes]]", answer)
    return place, [key.decode("utf-8", "replace") for key in keys], _STEP


def _row(key: str) -> dict[str, Any] | None:
    found = families.describe(key)
    if found is None:
        return None
    secret = is_secret(key)
    family = families.of(key)
    # Nothing of the engine's own may be dropped from here: a lease or a mark taken away lets stale values in.
    droppable = bool(family) and family not in families.KEPT and not secret
    return {"key": shown(key), "family": family, "secret": secret, "droppable": droppable, **found}


def shown(key: str) -> str:
    """A key's name, or what stands for it where that is secret."""
    return f"{key.rpartition(':')[0]}:{HIDDEN}" if is_secret(key) else key


@dataclass(frozen=True)
class Part:
    """A value, or a member of one. `name` is the hash's field, "" for a string.

    `served` is whether a reader would be given it, None where it has no stamp: then `stored_at` is None as well.
    """

    name: str
    text: str
    size: int
    cut: bool
    served: bool | None
    stored_at: Any
    run: str
    generation: str


def value(key: str) -> tuple[dict[str, Any], list[Part]] | None:
    """A key as its page of keys has it, and what it holds; None where it is gone.

    Of a secret key there are no parts. Raises StoreDown.
    """
    row = _row(key)
    if row is None:
        return None
    if row["secret"]:
        return row, []
    kept = _generation(row["family"])
    return row, [_part(name, raw, size, kept) for name, raw, size in _members(key, row["type"])]


def _members(key: str, kind: str) -> Iterator[tuple[str, bytes, int]]:
    """Names, the first SHOWN_BYTES of each value, and the values' whole lengths."""
    redis = store.client()
    if kind == "string":
        raw = store.guarded(lambda: redis.getrange(key, 0, SHOWN_BYTES - 1), always=True)
        size = store.guarded(lambda: redis.strlen(key), always=True)
        yield "", cast("bytes", raw), size
        return
    yield from ((_text(name), raw[:SHOWN_BYTES], len(raw)) for name, raw in _of_collection(key, kind))


def _of_collection(key: str, kind: str) -> list[tuple[bytes, bytes]]:
    redis: Any = store.client()
    if kind == "hash":
        _, found = store.guarded(lambda: redis.hscan(key, count=SHOWN_MEMBERS), always=True)
        return list(found.items())[:SHOWN_MEMBERS]
    if kind == "list":
        items = store.guarded(lambda: redis.lrange(key, 0, SHOWN_MEMBERS - 1), always=True)
        return [(str(place).encode(), item) for place, item in enumerate(items)]
    if kind == "set":
        _, items = store.guarded(lambda: redis.sscan(key, count=SHOWN_MEMBERS), always=True)
        return [(b"", item) for item in items[:SHOWN_MEMBERS]]
    if kind == "zset":
        pairs = store.guarded(lambda: redis.zrange(key, 0, SHOWN_MEMBERS - 1, withscores=True), always=True)
        return [(str(score).encode(), item) for item, score in pairs]
    return []


def _generation(family: str) -> str:
    """The family's generation token, "" where it has none."""
    key = next((entry.generation_key for entry in families.entries_of(family) if entry.generation), "")
    token = store.guarded(lambda: store.client().get(key), always=True) if key else b""
    return (cast("bytes | None", token) or b"").decode()


def _part(name: str, raw: bytes, size: int, kept: str) -> Part:
    cut = size > len(raw)
    stamped = None if cut else stamp.split(raw)
    if stamped is None:
        return Part(name, _pretty(raw, cut=cut), size, cut, None, None, "", "")
    body, run, generation, moment = stamped
    served = run == store.server.run and generation in ("", kept)
    return Part(name, _pretty(body, cut=False), size, False, served, moment, run, generation)


def _pretty(raw: bytes, *, cut: bool) -> str:
    """JSON with its indents, and anything else as it stands."""
    text = _text(raw)
    if not cut:
        try:
            return json.dumps(json.loads(text), indent=2, ensure_ascii=False)
        except (ValueError, RecursionError):
            pass
    return text


def _text(raw: bytes) -> str:
    """Bytes as text that a page can hold: what is no UTF-8, and control characters, as their escapes."""
    text = raw.decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() or c in "\n\t" else c.encode("unicode_escape").decode() for c in text)


def drop(keys: Sequence[str]) -> int:
    """Drops cached values by name, as a write would: running fills are refused. Returns how many were there.

    Raises ValueError where a key is not one that may be dropped here, before anything is dropped; and StoreDown.
    """
    for key in keys:
        family = families.of(key)
        if not family or family in families.KEPT or is_secret(key):
            raise ValueError(f"{key!r} is not a cached value.")
    return families.flush_keys(keys)


@dataclass(frozen=True)
class Census:
    """How many keys there are, of each family and of the engine's own. Not `exact` where it is told from a sample."""

    keys: int
    families: Mapping[str, int]
    exact: bool


def census() -> Census:
    """Counts keys by family, from at most SAMPLE of them. Raises StoreDown."""
    total = store.guarded(lambda: store.client().dbsize(), always=True)
    sample: set[str] = set()
    place, steps = 0, 0
    while steps < SAMPLE // _STEP:
        place, found, _ = _step("*", place)
        sample.update(found)
        steps += 1
        if not place:
            break
    counted = Counter(families.of(key) for key in sample)
    scale = 1.0 if not place else total / max(len(sample), 1)
    every = {name: round(counted[name] * scale) for name in families.all_names()}
    return Census(total, every, exact=not place)


def server() -> dict[str, Any]:
    """What the server says of itself, in one round trip: memory, clients, evictions, persistence, slow commands.

    Raises StoreDown.
    """

    def ask() -> list[Any]:
        with store.client().pipeline(transaction=False) as pipe:
            pipe.info()
            pipe.slowlog_get(SLOW_COMMANDS)
            return pipe.execute()

    info, slow = store.guarded(ask, always=True)
    return {"info": info, "slow": [_slow(each) for each in slow]}


def _slow(each: Mapping[str, Any]) -> dict[str, Any]:
    """A slow command without its arguments but the first key: they hold values, and session ids."""
    words = _text(each["command"]).split(" ") if isinstance(each["command"], bytes) else str(each["command"]).split(" ")
    return {"at": each["start_time"], "ms": each["duration"] / 1000, "command": _named(words)}


def _named(words: Sequence[str]) -> str:
    """`HGETALL stats:market`, and of a script its first key."""
    verb = words[0].upper()
    keys = words[3:4] if verb in ("EVAL", "EVALSHA", "EVAL_RO", "EVALSHA_RO") else words[1:2]
    known = [key for key in keys if families.of(key) or key.startswith(("stats:", "gen:", *_HELPERS))]
    return " ".join([verb, *map(shown, known)])
