"""The base of our manage.py commands: `--json` on each that reports, an exit status that tells the truth."""

import argparse
import json
from abc import ABC, abstractmethod
from collections.abc import Callable
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

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="print the report as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            report = self.run(**options)
        except Refusal as refusal:
            raise CommandError(refusal.detail) from None
        if options["json"]:
            self.stdout.write(json.dumps(report, cls=JSONEncoder, ensure_ascii=False))
        else:
            self.show(report)

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
