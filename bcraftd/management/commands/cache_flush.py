"""manage.py cache_flush"""

import sys
from typing import Any

from django.core.management.base import CommandError, CommandParser

from bcraftd.cache import families, store
from bcraftd.commands import ReportingCommand


class Command(ReportingCommand):
    help = (
        "Drops cached values and nothing else: never the whole database, and sessions, rate limits and activity"
        " only where --family names them. Example: manage.py cache_flush --family market --yes"
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        known = families.all_names()
        parser.add_argument(
            "--family", choices=known, action="append", default=[], metavar="NAME", help=", ".join(known)
        )
        parser.add_argument("--key", action="append", default=[], metavar="KEY", help="one key, as cache_keys shows it")
        parser.add_argument("--user", type=int, metavar="ID", help="what is cached of one player")
        parser.add_argument("--all", action="store_true", help="every family that is a cache")
        parser.add_argument("--yes", action="store_true", help="do not ask")

    def run(self, **options: Any) -> dict[str, int]:
        chosen = list(dict.fromkeys(options["family"]))
        if options["all"]:
            chosen += [name for name in families.names() if name not in families.KEPT and name not in chosen]
        keys = set(options["key"])
        foreign = sorted(key for key in keys if not families.owns(key))
        if foreign:
            raise CommandError(f"Of no family, so not ours to drop: {', '.join(foreign)}.")
        if options["user"] is not None:
            keys |= set(families.keys_of_player(options["user"]))
        if not chosen and not keys:
            raise CommandError("Nothing to flush: name --family, --key, --user or --all.")
        if not options["yes"]:
            self._ask(chosen, keys)
        try:
            return {"deleted": sum(families.flush(name) for name in chosen) + families.flush_keys(keys)}
        except store.StoreDown as error:
            raise CommandError(f"Redis does not answer, nothing more was dropped: {error}") from None

    def _ask(self, chosen: list[str], keys: set[str]) -> None:
        if not sys.stdin.isatty():
            raise CommandError("Say --yes: nobody can be asked here.")
        answer = input(f"Drop {', '.join([*chosen, *sorted(keys)])}? [y/N] ")
        if answer.strip().lower() not in ("y", "yes"):
            raise CommandError("Nothing was dropped.")
