"""One player's calls over HTTP: each is asked again, under the same key, until its answer is definite."""

import asyncio
import json
import random
import time
import uuid
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp

from bcraftd.simulation.habits import Action
from bcraftd.simulation.tally import Tally

# Seconds. Longer than the API takes for anything.
TIMEOUT = 30.0
# After a broken connection: a little longer each time.
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 5.0
PROGRESS_PAUSE = 0.2
# What an answer without Retry-After is taken to say.
RETRY_AFTER = 1.0
# An access token is renewed when so much of its life is left.
RENEWED_AT = 0.1
# Pages whose ETags are kept.
PAGES = 100


class Over(Exception):
    """The simulation ends: nobody waits for an answer any more."""


class NotLetIn(Exception):
    """The API will not have this player, whatever is tried."""


@dataclass(slots=True)
class Account:
    """Who plays. Without tokens they log in first; `known` says that they are registered."""

    login: str
    password: str
    access_token: str = ""
    refresh_token: str = ""
    expires_in: float = 0.0
    known: bool = True


@dataclass(frozen=True, slots=True)
class Answer:
    """A definite answer. `body` is the object in it, None where there is none."""

    status: int
    body: Any
    headers: Mapping[str, str]

    @property
    def good(self) -> bool:
        return 200 <= self.status < 300

    @property
    def code(self) -> str:
        """An error's code, empty where there is none."""
        return str(self.body.get("code", "")) if self.status >= 400 and isinstance(self.body, dict) else ""


class Door:
    """What all players share: the way to the API, when to stop, and one queue where newcomers register."""

    def __init__(self, session: aiohttp.ClientSession, url: str, tally: Tally) -> None:
        self.session = session
        self.url = url.rstrip("/")
        self.tally = tally
        self.stop = asyncio.Event()
        self.queue = asyncio.Lock()

    async def pause(self, seconds: float) -> None:
        """Waits so long. Raises Over where the end comes first."""
        try:
            await asyncio.wait_for(self.stop.wait(), seconds)
        except TimeoutError:
            return
        raise Over


class Client:
    """One player's. It is used by one task at a time."""

    def __init__(self, door: Door, account: Account, chance: random.Random) -> None:
        self._door = door
        self._chance = chance
        self.account = account
        self._expires = time.monotonic() + account.expires_in
        self._pages: OrderedDict[str, tuple[str, Any]] = OrderedDict()

    async def ask(self, action: Action) -> Answer:
        """Asks as this player until the answer is definite. Raises Over or NotLetIn."""
        key = str(uuid.uuid4()) if action.keyed else ""
        is_renewed = False
        while True:
            if time.monotonic() > self._expires:
                await self._renew()
            answer = await self._settle(action, key)
            if answer.status != 401 or is_renewed:
                return answer
            # Another process may have ended the session; a token that is new and refused is told as it is.
            await self._renew()
            is_renewed = True

    async def _settle(self, action: Action, key: str = "", *, public: bool = False) -> Answer:
        """Goes round until there is an answer that is not "later"."""
        pause = FIRST_PAUSE
        while True:
            if self._door.stop.is_set():
                raise Over
            try:
                answer = await self._once(action, key, public)
            except (aiohttp.ClientError, TimeoutError, OSError):
                self._door.tally.broken(action.kind)
                await self._door.pause(pause * self._chance.uniform(0.5, 1.5))
                pause = min(pause * 2, LONGEST_PAUSE)
                continue
            if answer.status in (429, 503):
                await self._door.pause(_retry_after(answer) + self._chance.random())
            elif answer.code == "idempotency_in_progress":
                await self._door.pause(PROGRESS_PAUSE)
            else:
                return answer

    async def _once(self, action: Action, key: str, public: bool) -> Answer:
        """One try. Raises what aiohttp raises where there is no answer."""
        headers = {"Idempotency-Key": key} if key else {}
        if not public:
            headers["Authorization"] = f"Bearer {self.account.access_token}"
        kept = self._pages.get(action.path) if action.method == "GET" else None
        if kept is not None:
            headers["If-None-Match"] = kept[0]
        began = time.monotonic()
        async with self._door.session.request(
            action.method, self._door.url + action.path, json=action.body, headers=headers
        ) as response:
            content = await response.read()
            given = response.headers
            answer = Answer(response.status, _body(content), given)
        self._door.tally.answered(
            action.kind, answer.status, time.monotonic() - began, code=answer.code, cache=given.get("X-Cache", "")
        )
        return self._paged(action, answer, kept)

    def _paged(self, action: Action, answer: Answer, kept: tuple[str, Any] | None) -> Answer:
        """The kept page where nothing has changed; else keeps this one."""
        if answer.status == 304 and kept is not None:
            return Answer(200, kept[1], answer.headers)
        if action.method == "GET" and answer.status == 200 and "ETag" in answer.headers:
            self._pages[action.path] = (answer.headers["ETag"], answer.body)
            self._pages.move_to_end(action.path)
            if len(self._pages) > PAGES:
                self._pages.popitem(last=False)
        return answer

    # --- Who it is ----------------------------------------------------------------------------------------

    async def enter(self) -> None:
        """Registers and logs in where that is still to be done, one player after the other. Raises NotLetIn."""
        if self.account.access_token:
            return
        async with self._door.queue:
            if not self.account.known:
                await self._register()
            await self._log_in()

    async def _register(self) -> None:
        login = self.account.login
        body = {"login": login, "email": f"{login}@example.org", "password": self.account.password}
        answer = await self._settle(Action("register", "POST", "/api/auth/register", body), public=True)
        # Taken: by the first try, whose answer was lost.
        if not answer.good and answer.code != "login_taken":
            raise NotLetIn(f"registering: {answer.status} {answer.code}")
        self.account.known = True

    async def _log_in(self) -> None:
        body = {"login": self.account.login, "password": self.account.password}
        answer = await self._settle(Action("login", "POST", "/api/auth/login", body), public=True)
        if not answer.good:
            raise NotLetIn(f"logging in: {answer.status} {answer.code}")
        self._take(answer)

    async def _renew(self) -> None:
        """A new pair by the refresh token; where that is worth nothing any more, by the password."""
        body = {"refresh_token": self.account.refresh_token}
        answer = await self._settle(Action("refresh", "POST", "/api/auth/refresh", body), public=True)
        if answer.good:
            self._take(answer)
        else:
            await self._log_in()

    def _take(self, answer: Answer) -> None:
        try:
            self.account.access_token = answer.body["access_token"]
            self.account.refresh_token = answer.body["refresh_token"]
            self._expires = time.monotonic() + answer.body["expires_in"] * (1 - RENEWED_AT)
        except (KeyError, TypeError) as error:
            raise NotLetIn(f"tokens: {error!r}") from None


def _body(content: bytes) -> Any:
    """The object in an answer, None where it is empty or none."""
    try:
        return json.loads(content) if content else None
    except ValueError:
        return None


def _retry_after(answer: Answer) -> float:
    """Seconds."""
    given = answer.headers.get("Retry-After", "")
    return float(given) if given.isascii() and given.isdigit() else RETRY_AFTER
