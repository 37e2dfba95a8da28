"""A PostgreSQL primary, its standby and pgbouncer by the scripts of deploy/postgres and deploy/pgbouncer."""

import os
import shutil
import signal
from collections.abc import Mapping
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import Any

import psycopg2

from bcraftd.embedded.postgres import Account, account, program
from bcraftd.embedded.process import Child, free_port
from tests.deployed import ADDRESSES, PASSWORDS, placed
from tests.processes import wait_until
from tests.test_deploy import DEPLOY, SERVICES
from tests.tools import tool

# What the image's own start does at the first one, as far as ours counts on it.
ENTRYPOINT = """\
#!/bin/sh
set -eu
if [ "$1" = postgres ] && [ ! -s "$PGDATA/PG_VERSION" ]; then
    printf %s "$POSTGRES_PASSWORD" >"$HOME/password"
    initdb --username="$POSTGRES_USER" --auth-local=trust --auth-host=scram-sha-256 --pwfile="$HOME/password" >/dev/null
    echo "host all all all scram-sha-256" >>"$PGDATA/pg_hba.conf"
    (shift && pg_ctl --options="$* -c listen_addresses=''" --wait --silent start)
    createdb --host="$PGHOST" --username="$POSTGRES_USER" "$POSTGRES_DB"
    . "$INIT"
    pg_ctl --wait --silent --mode=fast stop
fi
exec "$@"
"""


class Replicated:
    """A primary, its standby, and the pooler, as compose.ha.yml starts them."""

    def __init__(self, folder: Path, running: ExitStack) -> None:
        self.port, self.pooler_port = free_port(), free_port()
        self.account = account()
        self._folder = folder
        self._running = running
        self.children: dict[str, Child] = {}
        (folder / "bin").mkdir()
        (folder / "bin" / "docker-entrypoint.sh").write_text(ENTRYPOINT)
        (folder / "bin" / "docker-entrypoint.sh").chmod(0o755)
        for script in ("start.sh", "primary.sh"):
            shutil.copy(DEPLOY / "postgres" / script, folder)

    def _own(self, path: Path) -> None:
        if self.account is Account.NOBODY:
            os.chown(path, *self.account.owner)

    def home(self, name: str) -> Path:
        home = self._folder / name
        home.mkdir(exist_ok=True)
        self._own(home)
        return home

    def _environment(self, name: str) -> dict[str, str]:
        home, given = self.home(name), SERVICES[name]["environment"]
        return {
            "PATH": f"{self._folder / 'bin'}:{program('postgres').parent}:/usr/bin:/bin",
            "HOME": str(home),
            "LC_ALL": "C.UTF-8",
            "PGDATA": str(home / "18" / "docker"),
            "PGPORT": str(self.port),
            "PGHOST": str(home),
            "INIT": str(self._folder / "primary.sh"),
            **{key: ADDRESSES.get(value, value) for key, value in given.items()},
            **{key: value for key, value in PASSWORDS.items() if key in given},
        }

    def _child(self, name: str, words: list[str], environment: Mapping[str, str]) -> Child:
        command = [*self.account.prefix, "/bin/sh", str(self._folder / "start.sh"), *words]
        return Child(
            name, command, log=self.home(name) / "log", cwd=self.home(name), env=environment,
            stop_signal=signal.SIGINT,
        )  # fmt: skip

    def start(self, name: str) -> None:
        here = [f"--listen-addresses={ADDRESSES[name]}", f"--port={self.port}", "--fsync=off"]
        words = [*SERVICES[name]["command"], *here, f"--unix-socket-directories={self.home(name)}"]
        self.children[name] = self._child(name, words, self._environment(name))
        self.children[name].start()
        self._running.callback(self.children[name].stop)
        wait_until(lambda: self.answers(name), f"{name} answers:\n{self.children[name].tail()}")

    def copy_anew(self, name: str, following: str) -> None:
        """What docs/deploy.md says to do with a former primary, whose volume is removed."""
        shutil.rmtree(self.home(name) / "18")
        child = self._child(name, ["true"], {**self._environment(name), "FOLLOW": ADDRESSES[following], **PASSWORDS})
        child.start()
        assert child.wait(120) == 0, child.tail()

    def pg_ctl(self, name: str, *words: str) -> None:
        child = Child(
            "pg_ctl", [*self.account.prefix, str(program("pg_ctl")), *words], log=self._folder / "pg_ctl.log",
            env=self._environment(name), cwd=self.home(name),
        )  # fmt: skip
        child.start()
        assert child.wait(60) == 0, child.tail()

    def start_pooler(self) -> None:
        home = self.home("pgbouncer")
        for name in ("pgbouncer.ini", "primary.ini"):
            text = (DEPLOY / "pgbouncer" / name).read_text()
            pairs = [("/etc/pgbouncer", str(home)), ("/run/pgbouncer", str(home)), ("6432", str(self.pooler_port))]
            # Debian's 1.18 has no such setting, and does without prepared statements as well.
            pairs += [("max_prepared_statements = 0\n", ""), ("listen_addr = *", "listen_addr = 127.0.0.1")]
            of_this = [pair for pair in pairs if name == "pgbouncer.ini"] or [("port=5432", f"port={self.port}")]
            (home / name).write_text(placed(text, *of_this))
        script = placed(
            SERVICES["pgbouncer"]["command"][0].replace("$$", "$"),
            ("/run/pgbouncer", str(home)), ("/etc/pgbouncer", str(home)),
            ("exec pgbouncer", f"exec {tool('pgbouncer')}"),
        )  # fmt: skip
        self.children["pgbouncer"] = Child(
            "pgbouncer", [*self.account.prefix, *SERVICES["pgbouncer"]["entrypoint"], script], log=home / "log",
            env={"PATH": "/usr/bin:/bin", **PASSWORDS}, cwd=home,
        )  # fmt: skip
        self.children["pgbouncer"].start()
        self._running.callback(self.children["pgbouncer"].stop)
        wait_until(lambda: self.answers("pgbouncer"), f"pgbouncer answers:\n{self.children['pgbouncer'].tail()}")

    def point_pooler_at(self, name: str) -> None:
        file = self.home("pgbouncer") / "primary.ini"
        other = next(known for known in ("postgres-primary", "postgres-replica") if known != name)
        file.write_text(file.read_text().replace(ADDRESSES[other], ADDRESSES[name]))
        self.children["pgbouncer"].send(signal.SIGHUP)

    def ask(self, name: str, statement: str, **parameters: Any) -> list[tuple[Any, ...]]:
        where = {
            "host": ADDRESSES.get(name, "127.0.0.1"),
            "port": self.pooler_port if name == "pgbouncer" else self.port,
        }
        login = {
            "user": "bcraftd",
            "password": PASSWORDS["POSTGRES_PASSWORD"],
            "dbname": "bcraftd",
            "connect_timeout": 5,
        }
        with closing(psycopg2.connect(**{**where, **login, **parameters})) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(statement)
                return list(cursor.fetchall()) if cursor.description else []

    def answers(self, name: str) -> bool:
        assert self.children[name].running, self.children[name].tail()
        with suppress(psycopg2.Error):
            return self.ask(name, "SELECT 1") == [(1,)]
        return False
