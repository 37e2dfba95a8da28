"""The only module that talks to Redis for cached values, with one policy for its failures.

Every call takes at most settings.REDIS_TIMEOUT seconds. A call that fails raises StoreDown and opens the breaker:
nothing asks Redis for BREAKER_SECONDS, reads go to PostgreSQL and writes leave what they owe in the outbox. Then one
caller probes, outside any transaction: it must get an answer *and* replay the outbox before the breaker closes, so
that this process serves nothing that a write made stale in the meantime.
"""

import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar, cast

from django.db import connection as database
from django_redis import get_redis_connection
from redis import Redis
from redis.exceptions import OutOfMemoryError, RedisError, ResponseError, TimeoutError

from bcraftd.cache import scripts, stamp, steps
from bcraftd.cache.breaker import StoreDown as StoreDown
from bcraftd.cache.breaker import breaker as breaker
from bcraftd.cache.breaker import note
from bcraftd.cache.server import ClusterNode as ClusterNode
from bcraftd.cache.server import GreetingFactory as GreetingFactory
from bcraftd.cache.server import server as server

T = TypeVar("T")
log = logging.getLogger(__name__)

# How often one probe replays the outbox, where writes go on meanwhile.
PROBE_ROUNDS = 10
# A fill that takes longer than this has lost its lease. No statement runs for longer: see settings.DATABASES.
LEASE_MS = 15_000
# A mark outlives the commit that it stands for: a transaction ends after TRANSACTION_TIMEOUT, which is shorter.
FENCE_MS = 10_000


# Run before the breaker closes. The outbox puts its replay here; each raises StoreDown where Redis fails again.
recovery: list[Callable[[], object]] = []


def plain_key(key: str, prefix: str, version: int) -> str:
    """Django's KEY_FUNCTION: keys stand in Redis as the code writes them."""
    return key


def client() -> "Redis":
    """django-redis's client, on its connection pool. Values are bytes."""
    return cast("Redis", get_redis_connection("default"))


def guarded(call: Callable[[], T], *, always: bool = False) -> T:
    """Runs one call to Redis under the failure policy.

    `always` asks even while the breaker is open, for operators' commands. Raises StoreDown where Redis did not
    take the call.
    """
    if server.is_lapsed and not breaker.is_open:
        breaker.trip("PostgreSQL has not confirmed lately that this Redis counts")
    if breaker.is_open and not always and not recovered():
        raise StoreDown("the breaker is open")
    return _attempt(call)


def _attempt(call: Callable[[], T]) -> T:
    try:
        return call()
    except ResponseError as error:
        note("failures")
        # A full Redis, or one key that somebody else has made another kind of: the rest may still be asked.
        if not isinstance(error, OutOfMemoryError) and not str(error).startswith("WRONGTYPE"):
            breaker.trip(error)
        raise StoreDown(str(error)) from error
    except (RedisError, OSError) as error:
        note("timeouts" if isinstance(error, TimeoutError) else "failures")
        breaker.trip(error)
        raise StoreDown(str(error)) from error


def recovered() -> bool:
    """Whether the breaker is closed, after probing where it is this caller's turn.

    Nobody probes inside a transaction: the outbox must be seen as everybody else sees it.
    """
    if not breaker.is_open:
        return True
    if database.in_atomic_block or not breaker.may_probe():
        return False
    try:
        # A write that could not be fenced may commit while the outbox is replayed: then it is replayed once more.
        return any(_probed() for _ in range(PROBE_ROUNDS))
    except StoreDown:
        return False
    except Exception:
        log.exception("what Redis owes could not be replayed, so that nothing is served from it")
        return False


def _probed() -> bool:
    """Asks Redis, replays the outbox, and closes the breaker if nothing went wrong meanwhile."""
    trips = breaker.trips
    ping()
    for replay in recovery:
        replay()
    return breaker.close(trips)


def _run(script: scripts.Script, keys: list[str], args: list[Any]) -> Any:
    return scripts.run(client(), script, keys, args)


def ping() -> None:
    """Raises StoreDown where no answer comes."""
    _attempt(lambda: client().ping())


def lease_key(key: str) -> str:
    """Where the leases of a key's running fills stand."""
    return f"lease:{key}"


def fence_key(key: str) -> str:
    """Where the marks of the writers stand that are committing something which makes a key stale."""
    return f"fence:{key}"


def read(key: str) -> bytes | None:
    """A string value. One command."""
    return guarded(lambda: cast("bytes | None", client().get(key)))


def read_sliding(key: str, ttl_ms: int) -> bytes | None:
    """A string value whose life starts again with each read. One command."""
    return guarded(lambda: cast("bytes | None", client().getex(key, px=ttl_ms)))


def read_variant(key: str, variant: str) -> bytes | None:
    """One field of a hash. One command."""
    return guarded(lambda: cast("bytes | None", client().hget(key, variant)))


def read_with_generation(key: str, generation_key: str) -> tuple[bytes | None, bytes | None]:
    """A string value and its family's generation. One command."""
    value, generation = guarded(lambda: cast("list[bytes | None]", client().mget(key, generation_key)))
    return value, generation


def read_variant_with_generation(key: str, variant: str, generation_key: str) -> tuple[bytes | None, bytes | None]:
    """One field of a hash and its family's generation. One script call."""
    value, generation = guarded(lambda: _run(scripts.READ_VARIANT, [key, generation_key], [variant]))
    return value, generation


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who asks, for `hot`: the keys of the session, "" for nobody, and of the limit's counter, "" for no limit; whose
    session it has to be, and for how long it then goes on; the limit's window in seconds."""

    counter: str = ""
    limit: int = 0
    window: int = 0
    session: str = ""
    player_id: int = 0
    session_ms: int = 0


@dataclass(frozen=True, slots=True)
class Hit:
    """A value as it goes out, how many requests its visitor has had in the window, and the seconds that it has left."""

    body: bytes
    count: int
    reset: int


def hot(key: str, variant: str, generation_key: str, visitor: Visitor) -> Hit | None:
    """A value for a visitor whose session lives and who is within the limit, all by one call; the request is counted
    and the session slid on. None, with nothing counted, where any of it is not so. Raises StoreDown.
    """
    run = server.run
    head = stamp.proof(run, "")
    keys = [key, generation_key, visitor.session, visitor.counter]
    args = [
        head[:-17], variant, head, f'"player_id":{visitor.player_id},', visitor.session_ms, visitor.limit,
        visitor.window * 1000,
    ]  # fmt: skip
    found = guarded(lambda: _run(scripts.HOT, keys, args))
    # Where the call itself has opened a connection to another Redis than before, that one was asked for old stamps. The
    # request is then counted a second time by Django, once in that Redis's life.
    if not found or server.run != run:
        return None
    stored, count, left_ms = found
    return Hit(stored[: -stamp.LENGTH] + b"}", count, _seconds(left_ms))


def _seconds(ms: int) -> int:
    """What is left of a window, for a header: it always ends."""
    return max((int(ms) + 999) // 1000, 1)


@dataclass(frozen=True, slots=True)
class Lease:
    """The answer to asking for a lease: granted, or fenced, or a value that was stored meanwhile, or none of these:
    somebody fills.

    `generation` is the family's, "" where it has none. `body` is the value with its stamp. `run` is the Redis as it
    was known before the lease was asked for: what is stored under the lease is of that run, so that a lease which
    a restart brought back from an old append-only file lets nothing in that will be served.
    """

    run: str = stamp.NO_RUN
    granted: bool = False
    fenced: bool = False
    generation: str = ""
    body: bytes | None = None


def lease(
    key: str, variant: str, token: str, *, hashed: bool = False, generation_key: str = "", new_generation: str = ""
) -> Lease:
    """Asks to be the one that fills a missing value."""
    run = server.run
    # Not `is_lapsed`: the lease may be renewed between two looks, and what is stored is stamped with the first.
    if server.by_term and run == stamp.NO_RUN:
        raise StoreDown("nothing is stored without a term")
    answer = guarded(
        lambda: _run(
            scripts.LEASE,
            [key, lease_key(key), generation_key, fence_key(key), fence_key(generation_key) if generation_key else ""],
            [variant, token, LEASE_MS, new_generation, int(hashed), run],
        )
    )
    state, generation, body = [*answer, None, None][:3]
    return Lease(run, state == 1, state == 3, (generation or b"").decode(), body)


def release(key: str, variant: str, token: str) -> None:
    """Gives a lease back without a value."""
    guarded(lambda: _run(scripts.RELEASE, [lease_key(key)], [variant, token]))


def fill(
    key: str,
    variant: str,
    token: str,
    body: bytes,
    ttl_ms: int,
    *,
    hashed: bool,
    generation_key: str,
    lease: Lease,
    usual: bool = True,
) -> bool:
    """Stores a value if its lease still stands and the generation is still the same; else refuses. So it does a
    variant of a hash that has too many of its kind: see scripts.caps."""
    if not steps.is_on("lease"):
        guarded(lambda: client().hset(lease_key(key), variant, f"0 {token}"))
    stored = stamp.put(body, lease.run, lease.generation)
    return bool(
        guarded(
            lambda: _run(
                scripts.FILL,
                [key, lease_key(key), generation_key],
                [variant, token, stored, ttl_ms, int(hashed), lease.generation, *scripts.caps(usual)],
            )
        )
    )


def _places(names: list[str]) -> list[str]:
    """A script's KEYS for names: the values, their leases, their fences."""
    return [*names, *(lease_key(name) for name in names), *(fence_key(name) for name in names)]


def fence(names: Iterable[str], mark: str) -> None:
    """Before a commit: deletes values and leases, and sees that nobody fills them until the mark is lifted or
    FENCE_MS are over. One round trip; a generation's key counts as a value. Raises StoreDown."""
    keys = list(names)
    guarded(lambda: _run(scripts.FENCE, _places(keys), [len(keys), mark, FENCE_MS]))


def drop(names: Iterable[str], *marks: str, always: bool = False) -> int:
    """Deletes values and their leases together and lifts writers' marks, in one round trip.

    Returns how many values were there. Raises StoreDown.
    """
    keys = list(names)
    if not keys:
        return 0
    return int(guarded(lambda: _run(scripts.DROP, _places(keys), [len(keys), *marks]), always=always))


def lift(names: Iterable[str], mark: str) -> None:
    """After a rollback: takes a writer's mark away and nothing else. Raises StoreDown."""
    guarded(lambda: _run(scripts.LIFT, [fence_key(name) for name in names], [mark]))


def count_in_window(key: str, window: int) -> tuple[int, int]:
    """Counts one in a window of seconds, in one call. Returns the count and the seconds left, which always end."""
    count, left_ms = guarded(lambda: _run(scripts.COUNT, [key], [window * 1000]))
    return int(count), _seconds(left_ms)


def scan(pattern: str) -> Iterator[str]:
    """Every key that matches, perhaps twice. For commands only, never on a request path."""

    def step(cursor: int) -> tuple[int, list[bytes]]:
        found = guarded(lambda: client().scan(cursor, match=pattern, count=1000), always=True)
        return cast("tuple[int, list[bytes]]", found)

    cursor = 0
    while True:
        cursor, found = step(cursor)
        yield from (key.decode("utf-8", "replace") for key in found)
        if not cursor:
            return


def server_info() -> dict[str, Any]:
    """What the server says of itself."""
    return guarded(lambda: client().info(), always=True)
