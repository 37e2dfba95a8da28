"""What an app declares about a cached value: its key, its life, what fills it, and what makes it stale."""

import json
import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.conf import settings
from django.core.serializers.json import DjangoJSONEncoder
from django.db.models import Model
from django.utils import timezone

from bcraftd.cache.hot import Hot

Filler = Callable[..., "Fresh | None"]


@dataclass(frozen=True, slots=True)
class Fresh:
    """What a filler read from PostgreSQL.

    `data` is the JSON object as it goes out, or its bytes where PostgreSQL has made them; `until` is when it stops
    being true by itself (a listing runs out, the season ends), None where only a write can change it.
    """

    data: Mapping[str, Any] | bytes
    until: datetime | None = None

    @property
    def body(self) -> bytes:
        """The object as JSON."""
        return self.data if isinstance(self.data, bytes) else encode(self.data)


@dataclass(frozen=True, slots=True)
class Answer:
    """A read's result: JSON bytes of an object, and how it came: HIT, MISS or BYPASS."""

    body: bytes
    outcome: str

    @property
    def source(self) -> str:
        return "cache" if self.outcome == "HIT" else "database"

    def data(self) -> Any:
        """The body as Python values, for callers inside the process."""
        return json.loads(self.body)


@dataclass(frozen=True, eq=False)
class Entry:
    """One kind of cached value.

    family: the name that statistics, flushes and settings use.
    key: as it stands in Redis, with named places: "inventory:user:{player_id}".
    ttl: seconds, or the name of the setting that holds them.
    variants: whether the key is a hash with a field per canonical variant (filters, pages).
    generation: whether a change of something that all of the family's values show drops all of them at once.
    slides: whether each read starts the life of the value again.
    volatile: members that say when a value was read, which no audit compares.
    hot: the paths whose GET shows the value as it stands; these are answered without Django.
    """

    family: str
    key: str
    ttl: int | str
    variants: bool = False
    generation: bool = False
    slides: bool = False
    volatile: frozenset[str] = frozenset()
    hot: tuple[Hot, ...] = ()
    _filler: list[Filler] = field(default_factory=list, repr=False)

    def filler(self, function: Filler) -> Filler:
        """Decorator: `function(**params, **variant)` reads the value from PostgreSQL, None where there is none."""
        self._filler[:] = [function]
        return function

    @property
    def is_filled(self) -> bool:
        """Whether a filler has been declared."""
        return bool(self._filler)

    def read_database(self, params: Mapping[str, Any], variant: Mapping[str, Any]) -> Fresh | None:
        """Runs the filler."""
        return self._filler[0](**params, **variant)

    def get(self, params: Mapping[str, Any] | None = None, variant: Mapping[str, Any] | None = None) -> Answer | None:
        """The value from Redis or, where it is not there, from PostgreSQL; None where there is none.

        Never raises for Redis. Raises what the filler raises.
        """
        from bcraftd.cache import fill

        return fill.get(self, params or {}, variant or {})

    def name(self, params: Mapping[str, Any]) -> str:
        """The key for given parameters."""
        return self.key.format(**params)

    def is_usual(self, variant: Mapping[str, Any]) -> bool:
        """Whether a variant is one of the few that everybody asks for, and always kept: the others share a cap."""
        return not self.hot or any(hot.usual(variant, self.parameters) for hot in self.hot)

    @property
    def generation_key(self) -> str:
        """Where the family's generation token stands; "" where the entry has none."""
        return f"gen:{self.family}" if self.generation else ""

    @property
    def parameters(self) -> list[str]:
        """The names of the key's places."""
        return [part.split("}")[0] for part in self.key.split("{")[1:]]

    @property
    def pattern(self) -> str:
        """The key as a pattern for SCAN."""
        return "".join(
            part.split("}")[-1] if index == 0 else "*" + part.split("}")[1]
            for index, part in enumerate(self.key.split("{"))
        )

    def life_ms(self, fresh: Fresh) -> int:
        """For how many milliseconds a value may be kept; 0 where it is over already."""
        seconds = float(getattr(settings, self.ttl) if isinstance(self.ttl, str) else self.ttl)
        if fresh.until is not None:
            seconds = min(seconds, (fresh.until - timezone.now()).total_seconds())
        return max(int(seconds * 1000), 0)


@dataclass(frozen=True)
class When:
    """A row of an app's table: when `model` changes, `entry` goes stale.

    keys: from the changed row to the parameters of the keys that go stale; None drops the whole family.
    columns: only a save that may change one of these counts; empty: every save does.
    creation: whether a new row counts. It does not where nothing can be cached under a key before its row exists.
    """

    model: type[Model]
    entry: Entry
    keys: Callable[[Any], Iterable[Mapping[str, Any]]] | None
    columns: frozenset[str] = frozenset()
    creation: bool = True


def variant_name(variant: Mapping[str, Any]) -> str:
    """The canonical name of a variant: the hash field that holds it. Readable, and parses back."""
    return json.dumps(
        {name: variant[name] for name in sorted(variant) if variant[name] is not None}, separators=(",", ":")
    )


def encode(data: Mapping[str, Any]) -> bytes:
    """An object as the JSON bytes that go out."""
    return json.dumps(data, cls=JSONEncoder, ensure_ascii=False, separators=(",", ":")).encode()


class JSONEncoder(DjangoJSONEncoder):
    """Times as RFC 3339 in UTC, Decimals as numbers."""

    def default(self, o: Any) -> Any:
        if isinstance(o, datetime):
            return rfc3339(o)
        if hasattr(o, "as_tuple"):
            return float(o)
        return super().default(o)


def rfc3339(moment: datetime) -> str:
    """A time as `2026-01-31T12:00:00.000000Z`."""
    return moment.astimezone(timezone.get_fixed_timezone(0)).isoformat(timespec="microseconds").replace("+00:00", "Z")


def new_token() -> str:
    """A random lease or generation token: 16 hex digits."""
    return secrets.token_hex(8)
