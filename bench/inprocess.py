"""Where the time of a hit, a miss and a purchase goes: the WSGI application called in this process, by one thread.

Run it with `.venv/bin/python -m bench.inprocess [hit|django_hit|miss|buy]`. It starts servers of its own and prints the
milliseconds of wall clock and of this process's CPU that each kind of request takes; where one is named, a profile of
it too. No HTTP server and no load: what remains is ours, Django's, and the waiting for Redis and PostgreSQL.
"""

import cProfile
import io
import os
import pstats
import sys
import time
import uuid
from collections.abc import Callable
from typing import Any

from tests import servers  # noqa: F401 - starts PostgreSQL and Redis, and must come before Django's settings

CALLS = 500
LISTINGS = 60
PATH = "/api/market/listings"


class Game:
    """A seller with sixty listings, and a buyer who calls the application."""

    def __init__(self) -> None:
        from django.core.wsgi import get_wsgi_application

        from accounts import services as accounts
        from bcraftd.express import Express
        from inventory.models import Resource
        from inventory.services import player_grant
        from market.services import listing_create

        self.django = get_wsgi_application()
        self.express = Express(self.django)
        seller, buyer = (
            accounts.player_register(login=name, email=f"{name}@example.org", password=uuid.uuid4().hex)
            for name in ("seller", "buyer")
        )
        self._token = accounts.session_open(player=buyer, user_agent="", address="127.0.0.1").access_token
        resource = Resource.objects.filter(tradeable=True).order_by("id")[0]
        player_grant(login="seller", coins=0, items={resource.slug: 10**7})
        player_grant(login="buyer", coins=10**9, items={})
        self._page = f"resource_id={resource.pk}"
        self._key = f"market:listings:active:{resource.pk}"
        self._listings = [
            listing_create(seller_id=seller.pk, resource_id=resource.pk, quantity=10_000, unit_price=10 + place).pk
            for place in range(LISTINGS)
        ]
        self._bought = 0

    def _call(self, application: Any, method: str, path: str, query: str = "", body: bytes = b"", **more: str) -> None:
        environ = {
            "REQUEST_METHOD": method,
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "SERVER_NAME": "localhost",
            "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "REMOTE_ADDR": "127.0.0.1",
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(body),
            "wsgi.errors": sys.stderr,
            "HTTP_HOST": "localhost",
            "HTTP_AUTHORIZATION": f"Bearer {self._token}",
            **({"CONTENT_LENGTH": str(len(body)), "CONTENT_TYPE": "application/json"} if body else {}),
            **more,
        }
        said: list[str] = []
        answer = application(environ, lambda status, headers, error=None: said.append(status))
        b"".join(answer)
        if hasattr(answer, "close"):
            answer.close()
        if not said[0].startswith("200"):
            raise RuntimeError(f"{method} {path}: {said[0]}")

    def hit(self) -> None:
        self._call(self.express, "GET", PATH, self._page)

    def django_hit(self) -> None:
        self._call(self.django, "GET", PATH, self._page)

    def miss(self) -> None:
        from bcraftd.cache import store

        store.client().delete(self._key)
        self._call(self.express, "GET", PATH, self._page)

    def buy(self) -> None:
        self._bought += 1
        path = f"{PATH}/{self._listings[self._bought % LISTINGS]}/buy"
        self._call(self.express, "POST", path, body=b'{"quantity":1}', HTTP_IDEMPOTENCY_KEY=str(uuid.uuid4()))


def timed(call: Callable[[], None]) -> tuple[float, float]:
    """Milliseconds of wall clock and of CPU that a call takes in the mean."""
    call()
    wall, cpu = time.perf_counter(), time.process_time()
    for _ in range(CALLS):
        call()
    return (time.perf_counter() - wall) / CALLS * 1000, (time.process_time() - cpu) / CALLS * 1000


def main(words: list[str]) -> int:
    """Prints the table and, for a name, its profile."""
    os.environ |= {"RATE_LIMIT_DEFAULT": "1000000/s", "LOG_LEVEL": "WARNING"}
    import django

    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    call_command("seed", "--json", stdout=io.StringIO())
    game = Game()
    for name in ("hit", "django_hit", "miss", "buy"):
        wall, cpu = timed(getattr(game, name))
        print(f"{name:12} {wall:.2f} ms, {cpu:.2f} ms of CPU")  # noqa: T201
    for name in words:
        profile = cProfile.Profile()
        profile.runcall(lambda: [getattr(game, name)() for _ in range(CALLS)])  # noqa: B023 - runs at once
        pstats.Stats(profile).sort_stats("tottime").print_stats(40)
    return 0


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "bcraftd.settings")
    sys.exit(main(sys.argv[1:]))
