"""What is asked of a server: plans that bench/play.lua plays, the same for every variant of a scenario."""

import itertools
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.world import World

# The mix, in percent: nine of ten requests read.
READS = {"market": 50, "inventory": 15, "known": 10, "board": 10, "sky": 10, "catalogue": 5}
WRITES = {"buy": 70, "list": 20, "gather": 10}
WRITTEN = 0.1
# The exponent of how much more often the more popular of two resources is asked for.
ZIPF = 1.0
# What nobody would pay: a filter by it changes no page and makes each a variant of its own.
DEAR = 1_000_000


@dataclass(frozen=True, slots=True)
class Step:
    """One request. player: a place in the world's list of players, None for nobody. key: whether it takes an
    Idempotency-Key, which play.lua makes."""

    kind: str
    player: int | None
    method: str
    path: str
    body: str = ""
    key: bool = False

    def line(self) -> str:
        """As play.lua reads it."""
        player = 0 if self.player is None else self.player + 1
        return "\t".join([self.kind, str(player), self.method, self.path, str(int(self.key)), self.body])


def write(path: Path, steps: Sequence[Step]) -> Path:
    """Writes a plan; returns its path."""
    path.write_text("".join(f"{step.line()}\n" for step in steps), encoding="utf-8")
    return path


def page(resource_id: int) -> str:
    """The path of the first page of a resource's market: 50 listings."""
    return f"/api/market/listings?resource_id={resource_id}"


def guarded_reads(world: World, players: int) -> list[Step]:
    """One page, by many players in turn."""
    return [Step("market", player, "GET", page(world.resources[0])) for player in range(players)]


def bare_reads(world: World) -> list[Step]:
    """The same page, by nobody."""
    return [Step("market", None, "GET", page(world.resources[0]))]


def misses(world: World, number: int) -> list[Step]:
    """Pages of all resources in turn, each with a filter that nobody has asked for before."""
    resources = itertools.cycle(world.resources)
    return [Step("market", None, "GET", f"{page(next(resources))}&max_price={DEAR + place}") for place in range(number)]


def warming(world: World) -> list[Step]:
    """What brings every player's own values into Redis, and every page."""
    paths = ["/api/inventory", "/api/recipes/known"]
    own = [Step("own", player, "GET", path) for path in paths for player in range(len(world.players))]
    return own + [Step("market", None, "GET", page(resource_id)) for resource_id in world.resources]


def buys(world: World, seed: int, number: int) -> list[Step]:
    """Purchases of one piece, buyers and listings all drawn alike."""
    chance = random.Random(seed)
    offers = [offer for found in world.listings.values() for offer in found]
    return [_buy(world, chance, chance.choice(offers)) for _ in range(number)]


def mix(world: World, seed: int, number: int) -> list[Step]:
    """Nine reads to a write; resources by Zipf's law, players all alike."""
    chance = random.Random(seed)
    popularity = [1 / rank**ZIPF for rank in range(1, len(world.resources) + 1)]
    kinds = {kind: share * (1 - WRITTEN) for kind, share in READS.items()}
    kinds |= {kind: share * WRITTEN for kind, share in WRITES.items()}
    drawn = zip(
        chance.choices(list(kinds), list(kinds.values()), k=number),
        chance.choices(world.resources, popularity, k=number),
        strict=True,
    )
    return [_step(world, chance, kind, resource_id) for kind, resource_id in drawn]


def _step(world: World, chance: random.Random, kind: str, resource_id: int) -> Step:
    if kind == "buy":
        return _buy(world, chance, chance.choice(world.listings[resource_id]))
    place = chance.randrange(len(world.players))
    player = world.players[place]
    if kind == "list":
        body = f'{{"resource_id":{player.lists},"quantity":1,"unit_price":{chance.randint(10, 100)}}}'
        return Step("list", place, "POST", "/api/market/listings", body)
    if kind == "gather":
        return Step("gather", place, "POST", "/api/gather", f'{{"resource_id":{player.gathers}}}')
    path = {
        "market": page(resource_id),
        "inventory": "/api/inventory",
        "known": "/api/recipes/known",
        "board": "/api/leaderboard",
        "sky": "/api/environment/current",
        "catalogue": "/api/resources",
    }[kind]
    return Step(kind, place, "GET", path)


def _buy(world: World, chance: random.Random, offer: tuple[int, int]) -> Step:
    """Nobody buys from themselves: the next player does it."""
    listing_id, seller_id = offer
    place = chance.randrange(len(world.players))
    if world.players[place].id == seller_id:
        place = (place + 1) % len(world.players)
    return Step("buy", place, "POST", f"/api/market/listings/{listing_id}/buy", '{"quantity":1}', key=True)
