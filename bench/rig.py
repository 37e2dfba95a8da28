"""What the scenarios are measured with: a run of servers, world and plans, and how much of it there is."""

import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

from bcraftd.embedded.postgres import NAME
from bench import load, plans
from bench.load import Sample, Shot
from bench.stack import KINDS, PRISTINE, Server, Stack
from bench.tools import Tools
from bench.world import World, played

CONNECTIONS = 64
SEED = 20_261

Round = dict[str, Sample]
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Form:
    """How much is measured. Seconds are those of one run."""

    name: str
    players: int
    listings: int
    rounds: int
    seconds: int
    mix_seconds: int
    capacity_rounds: int
    probe: int
    redis_requests: int


QUICK = Form("quick", 1_000, 10_000, 2, 1, 3, 1, 1, 40_000)
FULL = Form("full", 2_000, 10_000, 7, 3, 8, 5, 3, 200_000)


class Bench:
    """A run: its servers, its world, and the files that wrk reads."""

    def __init__(self, stack: Stack, tools: Tools, form: Form, say: Say) -> None:
        self.stack = stack
        self.tools = tools
        self.form = form
        self.say = say
        self.tokens: list[str] = []
        self._run = secrets.token_hex(4)
        self._shots = 0
        self.world = World([], {})

    def prepare(self) -> None:
        """Migrates, seeds and makes the world, and keeps a copy of what was there before it."""
        from django.core.management import call_command
        from django.db import connection

        call_command("migrate", verbosity=0)
        call_command("seed", stdout=StringIO())
        connection.close()
        self.stack.sql(f"CREATE DATABASE {PRISTINE} TEMPLATE {NAME}", "postgres")
        self.world = self.stack.play(played(self.form.listings, self.form.players))
        call_command("leaderboard_refresh", stdout=StringIO())
        connection.close()
        self._open_prototype_sessions()

    def _open_prototype_sessions(self) -> None:
        """Where a login of the prototype's would have put them."""
        with self.stack.redis(KINDS["prototype"].redis) as client, client.pipeline() as pipe:
            for player in self.world.players:
                value = {"player_id": player.id, "session_id": player.session_id, "role": "player"}
                pipe.setex(f"session:{player.session_id}", 86400, json.dumps(value))
            pipe.execute()

    def sign_in(self) -> Path:
        """New access tokens for everybody, which live a quarter of an hour; the file that holds them."""
        from accounts import tokens

        self.tokens = [
            tokens.issue(player_id=player.id, session_id=player.session_id, refresh_id="0").access_token
            for player in self.world.players
        ]
        path = self.stack.folder / "players"
        path.write_text("\n".join(self.tokens), encoding="utf-8")
        return path

    def plan(self, name: str, steps: list[plans.Step]) -> Path:
        """The file of a plan."""
        return plans.write(self.stack.folder / f"{name}.plan", steps)

    def shoot(self, server: Server, plan: Path, connections: int, seconds: int, *, noted: bool = False) -> Sample:
        """One run of wrk, with the statements that PostgreSQL ran meanwhile. Raises LoadError."""
        self._shots += 1
        run = f"{self._run}-{self._shots}"
        players = self.stack.folder / "players"
        self.stack.settle()
        self.stack.count_statements(server.database)
        answers = self.stack.folder / "answers" if noted else None
        sample = load.wrk(self.tools, Shot(server.url, plan, players, connections, seconds, run, answers))
        sample["sql"] = self.stack.count_statements(server.database)
        return sample

    def walk(self, server: Server, plan: Path) -> None:
        """Runs a plan to its end at least once, so that all that it names is warm. Raises LoadError."""
        steps = sum(1 for _ in plan.open(encoding="utf-8"))
        seconds = 1
        while self.shoot(server, plan, CONNECTIONS, seconds)["requests"] < steps:
            seconds *= 2

    def drop_pages(self, server: Server) -> None:
        """Takes all pages of the market out of a server's Redis."""
        with self.stack.redis(KINDS[server.name].redis) as client:
            if keys := list(client.scan_iter("market:listings:*", count=1000)):
                client.unlink(*keys)

    def rounds(self, number: int, variants: dict[str, Callable[[], Sample]]) -> list[Round]:
        """Runs all variants in turn, so often; every second round goes the other way round."""
        found: list[Round] = []
        for count in range(number):
            names = list(variants) if count % 2 == 0 else list(variants)[::-1]
            found.append({name: variants[name]() for name in names})
            shown = ", ".join(f"{name} {_shown(sample)}" for name, sample in sorted(found[-1].items()))
            self.say(f"  round {count + 1} of {number}: {shown}")
        return found


def _shown(sample: Sample) -> str:
    return f"{sample['rps']:.0f}/s" if "rps" in sample else str(sample["connections"])
