"""manage.py backup"""

import signal
import threading
from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser
from django.db import close_old_connections

from bcraftd.backups import BackupError, making, rotation
from bcraftd.commands import ReportingCommand


class Command(ReportingCommand):
    help = (
        "Writes PostgreSQL and Redis into a new folder below DIR, with a manifest, and removes old ones."
        " docs/backups.md says how to get them back. Example: manage.py backup /var/backups/bcraftd"
    )

    waiting = "dumping PostgreSQL, copying Redis"

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("directory", type=Path, metavar="DIR")
        parser.add_argument(
            "--redis-data", type=Path, metavar="PATH", help="where Redis' data folder is seen from here"
        )
        parser.add_argument(
            "--without-redis", action="store_true", help="PostgreSQL alone, which has everything that counts"
        )
        parser.add_argument("--keep-hourly", type=int, default=rotation.HOURLY, metavar="N")
        parser.add_argument("--keep-daily", type=int, default=rotation.DAILY, metavar="N")
        parser.add_argument(
            "--every", type=int, metavar="SECONDS", help="go on for ever, a backup each so many seconds"
        )
        parser.add_argument(
            "--check", type=int, metavar="SECONDS", help="make none: exit 0 if the newest is whole and not older"
        )

    def run(self, **options: Any) -> dict[str, Any]:
        if options["check"] is not None:
            return making.newest(options["directory"], options["check"]).manifest()
        wanted = making.Wanted(
            directory=options["directory"],
            redis_data=options["redis_data"],
            with_redis=not options["without_redis"],
            hourly=options["keep_hourly"],
            daily=options["keep_daily"],
        )
        return self._again_and_again(wanted, options["every"]) if options["every"] else making.run(wanted)

    def _again_and_again(self, wanted: making.Wanted, seconds: int) -> dict[str, Any]:
        """Until SIGTERM or Ctrl-C, which let a backup that is being made end. After a failure the next one comes.

        Returns the last one's manifest.
        """
        over = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: over.set())
        last: dict[str, Any] = {}
        while not over.is_set():
            close_old_connections()
            try:
                last = making.run(wanted)
                self.stdout.write(f"{last['made_at']}: whole, {sum(f['bytes'] for f in last['files'].values())} bytes")
            except BackupError as error:
                self.stderr.write(str(error))
            over.wait(seconds)
        return last

    def show(self, report: dict[str, Any]) -> None:
        if not report:
            return
        size = sum(facts["bytes"] for facts in report["files"].values())
        rows = sum(report["tables"].values())
        redis = "without Redis" if report["redis"] is None else f"Redis {report['redis']['server']}"
        self.stdout.write(
            f"{report['made_at']}: PostgreSQL {report['postgresql']['server']} ({rows} rows), {redis},"
            f" {size / 2**20:.1f} MiB in {report['seconds']} s"
        )
