"""manage.py cache_watch"""

import json
import signal
import threading
import time
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import takewhile
from typing import Any

from django.core.management.base import CommandError, CommandParser
from rich.console import Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from bcraftd.cache import families, store, watching
from bcraftd.cache.entry import rfc3339
from bcraftd.cache.watching import Event
from bcraftd.commands import ReportingCommand

LAST = 20
REDRAW_SECONDS = 0.5
KINDS = tuple(watching.KINDS.values())


class Command(ReportingCommand):
    help = (
        "Shows cached values as they go: run out, evicted, or dropped by a write or a flush. While it watches, Redis is"
        " told to publish these events. Example: manage.py cache_watch --family market --seconds 60"
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        known = families.all_names()
        parser.add_argument("--family", choices=known, metavar="NAME", help=", ".join(known))
        parser.add_argument("--seconds", type=float, metavar="N", help="end after so long; without it at Ctrl-C")
        parser.add_argument("--lines", action="store_true", help="each event as a line of JSON, as it happens")

    def run(self, **options: Any) -> dict[str, Any]:
        began = time.monotonic()
        end = began + options["seconds"] if options["seconds"] is not None else None
        watched = _Watched(options["family"])
        is_live = self.is_watched(options) and not options["lines"]
        try:
            with _told_to_end() as over, watching.events() as events:
                until = takewhile(lambda _: not over.is_set() and (end is None or time.monotonic() < end), events)
                if is_live:
                    self._live(watched, until)
                else:
                    self._quiet(watched, until, lines=options["lines"])
        except store.StoreDown as error:
            raise CommandError(f"Redis does not answer, or lets nobody change what it publishes: {error}") from None
        return {"seconds": round(time.monotonic() - began, 1), **watched.report()}

    def _live(self, watched: "_Watched", events: Iterable[Event | None]) -> None:
        with Live(watched.tables(), console=self.console(), auto_refresh=False) as live:
            drawn = time.monotonic()
            for event in events:
                watched.add(event)
                if time.monotonic() - drawn > REDRAW_SECONDS:
                    live.update(watched.tables(), refresh=True)
                    drawn = time.monotonic()

    def _quiet(self, watched: "_Watched", events: Iterable[Event | None], *, lines: bool) -> None:
        for event in events:
            if watched.add(event) and lines and event is not None:
                line = {"at": rfc3339(event.at), "kind": event.kind, "family": event.family, "key": event.key}
                self.stdout.write(json.dumps(line, ensure_ascii=False))
                self.stdout.flush()

    def show(self, report: dict[str, Any]) -> None:
        for name, counts in report["families"].items():
            self.stdout.write(f"{name}: " + ", ".join(f"{counts[kind]} {kind}" for kind in KINDS))
        self.stdout.write(f"{report['events']} events in {report['seconds']} s")


@contextmanager
def _told_to_end() -> Iterator[threading.Event]:
    """Set by Ctrl-C and SIGTERM. Not by an exception, which might come just where Redis is being given back."""
    over = threading.Event()
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, lambda *_: over.set()) for number in numbers]
    try:
        yield over
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


class _Watched:
    """What was seen: counts by family, and the last events."""

    def __init__(self, family: str | None) -> None:
        self._family = family
        self._counts: Counter[tuple[str, str]] = Counter()
        self._last: deque[Event] = deque(maxlen=LAST)

    def add(self, event: Event | None) -> bool:
        """Whether it is one that was asked for."""
        if event is None or self._family not in (None, event.family):
            return False
        self._counts[event.family, event.kind] += 1
        self._last.append(event)
        return True

    def report(self) -> dict[str, Any]:
        names = sorted({family for family, _ in self._counts})
        by_family = {name: {kind: self._counts[name, kind] for kind in KINDS} for name in names}
        return {"events": self._counts.total(), "families": by_family}

    def tables(self) -> Group:
        counts = Table("family", *KINDS)
        for name, row in self.report()["families"].items():
            counts.add_row(name, *(str(row[kind]) for kind in KINDS))
        last = Table("at", "what", "family", "key")
        for event in reversed(self._last):
            last.add_row(f"{event.at:%H:%M:%S}", event.kind, event.family, Text(event.key))
        return Group(Text("Ctrl-C ends it."), counts, last)
