"""One bot: it looks, decides, acts and holds what it sees against what it knows, until it is told to stop."""

import asyncio
import random

from bcraftd.simulation.client import Account, Answer, Client, Door, NotLetIn, Over
from bcraftd.simulation.habits import REFUSALS, Action, Habit, World, decide
from bcraftd.simulation.mirror import Mirror

# What everybody looks at first, to know who and what they are.
FIRST = (Action("me", "GET", "/api/auth/me"), Action("inventory", "GET", "/api/inventory"))
# After a write in so many of a hundred cases the bot looks at once whether it is there.
CHECKED = 0.3
AFTER = {
    "gather": FIRST[1],
    "craft": FIRST[1],
    "buy": FIRST[1],
    "list": Action("mine", "GET", "/api/market/listings/mine"),
    "cancel": Action("mine", "GET", "/api/market/listings/mine"),
}
CATALOGUE = ("resources", "recipes", "professions")


class Shelf:
    """The catalogue, read by the first bot that needs it."""

    def __init__(self) -> None:
        self._lock = asyncio.Lock()
        self._world: World | None = None

    async def world(self, client: Client) -> World:
        """Raises Over or NotLetIn."""
        async with self._lock:
            if self._world is None:
                bodies = [await client.ask(Action("catalogue", "GET", f"/api/{name}")) for name in CATALOGUE]
                try:
                    self._world = World.of(*(answer.body for answer in bodies))
                except (KeyError, TypeError) as error:
                    raise NotLetIn(f"the catalogue is none: {error!r}") from None
                if not self._world.traded:
                    raise NotLetIn("the catalogue is empty")
            return self._world


class Bot:
    """think: seconds between an answer and the next call, on average."""

    def __init__(self, door: Door, account: Account, habit: Habit, chance: random.Random, think: float) -> None:
        self._door = door
        self._habit = habit
        self._chance = chance
        self._think = think
        self._client = Client(door, account, chance)
        self._mirror = Mirror()

    async def live(self, shelf: Shelf) -> None:
        """Plays until the simulation stops."""
        try:
            await self._client.enter()
            world = await shelf.world(self._client)
            self._door.tally.playing[self._habit.name] += 1
            for action in FIRST:
                await self._act(action)
            while True:
                await self._door.pause(self._chance.expovariate(1 / self._think) if self._think else 0.001)
                action = decide(self._habit, self._mirror.seen, world, self._chance)
                await self._act(action)
                if action.kind in AFTER and self._chance.random() < CHECKED:
                    await self._act(AFTER[action.kind])
        except Over:
            return
        except NotLetIn as error:
            self._tell("sign in", str(error))

    async def _act(self, action: Action) -> None:
        answer = await self._client.ask(action)
        if answer.good:
            for detail in self._mirror.look(action, answer.body):
                self._tell(action.kind, detail)
        elif answer.code in REFUSALS.get(action.kind, ()):
            self._mirror.refused(action)
        else:
            self._unexpected(action, answer)

    def _unexpected(self, action: Action, answer: Answer) -> None:
        """An answer that the API must not give here. Of what it did nobody knows."""
        self._mirror.doubt()
        said = f"{answer.code}: {answer.body.get('detail')}" if answer.code else f"{answer.body}"
        self._tell(action.kind, f"{action.method} {action.path} was answered {answer.status} {said}"[:500])

    def _tell(self, kind: str, detail: str) -> None:
        self._door.tally.violation(self._client.account.login, kind, detail)
