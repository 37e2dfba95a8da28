"""What all threads of a run share: the players, the catalogue, what is offered, and the books."""

import itertools
import json
import random
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass, field

import psycopg2

from tests.consistency.stage import StageError
from tests.economy.books import Books
from tests.economy.client import Answer, Call, Line, Player
from tests.economy.stage import Stage


@dataclass(frozen=True, slots=True)
class Trade:
    """What a player lives by, as slugs."""

    professions: tuple[str, ...]
    gathered: tuple[str, ...]
    recipes: tuple[str, ...]
    made: tuple[str, ...]


TRADES = (
    Trade(
        professions=("timberhand", "sawyer", "toolwright"),
        gathered=("mutterwood-log",),
        recipes=("saw-mutterwood-planks", "whittle-a-mutterwood-mallet"),
        made=("mutterwood-plank", "mutterwood-mallet"),
    ),
    Trade(
        professions=("pitdelver", "furnacer", "clangsmith"),
        gathered=("rustbelly-ore", "coughcoal"),
        recipes=("smelt-a-rustbelly-ingot", "hammer-a-lumpen-club"),
        made=("rustbelly-ingot", "lumpen-club"),
    ),
)
GATHERED = tuple(itertools.chain.from_iterable(trade.gathered for trade in TRADES))
# Pieces of everything gathered that most players begin with; those who trade against each other have much more.
PIECES, MUCH = 2_000, 10**7
COINS_FOR_A_PIECE = 50
# One in so many players begins with nothing else than the starting coins, and is soon refused.
POOR_ONE_IN = 15
PAIRS = 3
# An offer of so many stays for the whole run: inside.py's sweep leaves it alone.
STAYING = 500_000
# What a run counts: kills, what stood in a call's way, and what the clients did on purpose.
TALLIED = (
    "postgres_kills", "worker_kills", "connections_broken", "unavailable", "in_progress", "timeouts", "recovered",
    "hung_up_done", "hung_up_not_done", "repeated", "misused", "twice", "opposed", "contests", "crowds",
)  # fmt: skip
PASSWORD = "correct horse battery"
# What is offered, as far as the clients remember it.
BOARD = 300


@dataclass(slots=True)
class Catalogue:
    """Ids by slug."""

    resources: dict[str, int] = field(default_factory=dict)
    recipes: dict[str, int] = field(default_factory=dict)
    professions: dict[str, int] = field(default_factory=dict)


class Ground:
    """The players and their books, on a stage whose API listens on a port."""

    def __init__(self, stage: Stage, port: int, seed: int) -> None:
        self.stage = stage
        self.seed = seed
        self.books = Books()
        self.catalogue = Catalogue()
        self.players: list[Player] = []
        # Pairs of players, each with an offer that stays.
        self.pairs: list[tuple[Player, Player]] = []
        self.staying: dict[int, int] = {}
        self.tally = Counter(dict.fromkeys(TALLIED, 0))
        self._port = port
        self._board: dict[int, Player] = {}
        self._keys = itertools.count()
        self._lock = threading.Lock()

    def line(self) -> Line:
        """A connection for one thread."""
        return Line(self._port, self.count)

    def trade_of(self, player: Player) -> Trade:
        return TRADES[player.number % len(TRADES)]

    def count(self, what: str) -> None:
        with self._lock:
            self.tally[what] += 1

    # --- Before the run -------------------------------------------------------------------------------------

    def prepare(self, players: int) -> None:
        """Learns the catalogue, and makes players with something to begin with."""
        with closing(self.line()) as line, ThreadPoolExecutor(8) as pool:
            self._learn(line)
            self.players = list(pool.map(self._register, range(players)))
            for player in self.players:
                self.books.registered(player.id)
            self._grant()
            list(pool.map(self._settle_in, self.players))
            self.pairs = [(self.players[2 * n], self.players[2 * n + 1]) for n in range(PAIRS)]
            for player in itertools.chain.from_iterable(self.pairs):
                self.staying[player.id] = self.offer(line, player, "mutterwood-log", STAYING, 20)

    def _learn(self, line: Line) -> None:
        for name in ("resources", "recipes", "professions"):
            rows = line.public("GET", f"/api/{name}").json()[name]
            setattr(self.catalogue, name, {row["slug"]: row["id"] for row in rows})

    def _register(self, number: int) -> Player:
        login = f"player-{number}"
        body = {"login": login, "email": f"{login}@example.org", "password": PASSWORD}
        with closing(self.line()) as line:
            answer = line.public("POST", "/api/auth/register", body)
            if answer.status != 201:
                raise StageError(f"{login} cannot register: {answer.body!r}")
            player = Player(answer.json()["id"], number, login, PASSWORD)
            line.sign_in(player)
        return player

    def _grant(self) -> None:
        """By the operators' service."""
        rows: list[tuple[str, int, dict[str, int]]] = []
        for player in self.players:
            pieces = MUCH if player.number < 2 * PAIRS else PIECES
            if player.number % POOR_ONE_IN != POOR_ONE_IN - 1:
                rows.append((player.login, COINS_FOR_A_PIECE * pieces, dict.fromkeys(GATHERED, pieces)))
        self.stage.inside("grant", json.dumps(rows))
        ids = {player.login: player.id for player in self.players}
        for login, coins, items in rows:
            self.books.granted(ids[login], coins, {self.catalogue.resources[slug]: n for slug, n in items.items()})

    def _settle_in(self, player: Player) -> None:
        with closing(self.line()) as line:
            for slug in self.trade_of(player).professions:
                self.perform(line, self.joining(player, slug))

    # --- Calls ----------------------------------------------------------------------------------------------

    def perform(self, line: Line, call: Call) -> Answer:
        """Has a call settled and books its answer. Raises Unsettled."""
        answer = line.settle(call)
        if answer.replayed:
            # It had been done before the connection, the worker or PostgreSQL was lost.
            self.count("recovered")
        self.books.note(call, answer)
        return answer

    def key(self) -> str:
        return f"{self.seed}-{next(self._keys)}"

    def joining(self, player: Player, slug: str) -> Call:
        return Call("join", player, f"/api/professions/{self.catalogue.professions[slug]}/join", {})

    def gathering(self, player: Player, slug: str) -> Call:
        return Call("gather", player, "/api/gather", {"resource_id": self.catalogue.resources[slug]}, self.key())

    def crafting(self, player: Player, slug: str, attempts: int) -> Call:
        body = {"recipe_id": self.catalogue.recipes[slug], "quantity": attempts}
        return Call("craft", player, "/api/craft", body, self.key())

    def listing(self, player: Player, slug: str, quantity: int, unit_price: int) -> Call:
        terms = {"quantity": quantity, "unit_price": unit_price}
        resource = self.catalogue.resources[slug]
        body = {"resource_id": resource, **terms}
        return Call("list", player, "/api/market/listings", body, self.key(), {"resource": resource, **terms})

    def buying(self, player: Player, listing: int, quantity: int | None) -> Call:
        body = {} if quantity is None else {"quantity": quantity}
        path = f"/api/market/listings/{listing}/buy"
        return Call("buy", player, path, body, self.key(), {"listing": listing, "quantity": quantity})

    def cancelling(self, player: Player, listing: int) -> Call:
        return Call("cancel", player, f"/api/market/listings/{listing}/cancel", {}, self.key())

    def offer(self, line: Line, player: Player, slug: str, quantity: int, unit_price: int) -> int:
        """Lists something that the player has; returns the listing. Raises StageError where it is refused."""
        answer = self.perform(line, self.listing(player, slug, quantity, unit_price))
        if not answer.good:
            raise StageError(f"player {player.id} cannot list: {answer.body!r}")
        return int(answer.json()["id"])

    def run_out(self, listing: int) -> None:
        """A listing's time comes, if PostgreSQL is there; the sweep closes it if nobody is quicker."""
        with suppress(psycopg2.OperationalError):
            self.stage.sql(f"UPDATE market_listing SET expires_at = now() WHERE id = {listing} AND status = 'active'")

    # --- The board ------------------------------------------------------------------------------------------

    def put_up(self, listing: int, seller: Player) -> None:
        with self._lock:
            self._board[listing] = seller
            while len(self._board) > BOARD:
                del self._board[next(iter(self._board))]

    def take_down(self, listing: int) -> None:
        with self._lock:
            self._board.pop(listing, None)

    def offered(self, chance: random.Random) -> tuple[int, Player] | None:
        """One of the offers; None where there is none."""
        with self._lock:
            return chance.choice(list(self._board.items())) if self._board else None
