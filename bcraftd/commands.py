"""The base of our manage.py commands: `--json` on each that reports, an exit status that tells the truth."""

import argparse
import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import IO, Any, cast

from django.core.management.base import BaseCommand, CommandError, CommandParser
from rich.console import Console

from bcraftd.cache.entry import JSONEncoder
from bcraftd.errors import Refusal

# Columns where nobody looks on: in a file or a pipe a folded key could not be searched for.
WIDE = 200


class ReportingCommand(BaseCommand, ABC):
    """A command whose `run` returns a report. `--json` prints it as it is, else `show` prints it for people.

    A Refusal becomes a CommandError: its sentence on standard error and exit status 1.
    """

    # What one waits for, shown beside a spinner for as long as `run` takes; "" for what is quick or shows more itself.
    waiting = ""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="print the report as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            with self._shown_to_work(options):
                report = self.run(**options)
        except Refusal as refusal:
            raise CommandError(refusal.detail) from None
        if options["json"]:
            self.stdout.write(json.dumps(report, cls=JSONEncoder, ensure_ascii=False))
        else:
            self.show(report)

    def is_watched(self, options: Mapping[str, Any]) -> bool:
        """Whether somebody sits at a terminal and looks on."""
        return self.stdout.isatty() and not options["json"]

    def _shown_to_work(self, options: Mapping[str, Any]) -> AbstractContextManager[object]:
        return self.console().status(self.waiting) if self.waiting and self.is_watched(options) else nullcontext()

    def console(self) -> Console:
        """Where tables are printed."""
        return Console(file=cast("IO[str]", self.stdout), width=None if self.stdout.isatty() else WIDE)

    @abstractmethod
    def run(self, **options: Any) -> Any:
        """Does the work and returns the report."""

    def show(self, report: Any) -> None:
        """Prints the report for people."""
        self.stdout.write(", ".join(f"{name}: {value}" for name, value in report.items()))


def whole(least: int, most: int) -> Callable[[str], int]:
    """The type of an argument that is a whole number in plain digits, `least` to `most`."""

    def parse(text: str) -> int:
        if not (text.isascii() and text.isdigit() and least <= int(text) <= most):
            raise argparse.ArgumentTypeError(f"{text}: expected a whole number, {least} to {most}")
        return int(text)

    return parse
