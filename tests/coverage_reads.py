"""Everything that is read through the cache, markers that stand in for values, and what is stale: what the tests of
coverage look at.

An entry that comes to be declared needs its filters in VARIANTS, and the values of its key's places in PLACES.
"""

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast

from accounts.models import Player, PlayerSession
from bcraftd.cache import Entry, audit, families, fill, invalidation, scripts, stamp, steps, store
from bcraftd.cache.entry import new_token, variant_name
from inventory.models import Profession, Recipe, Resource
from leaderboard.selectors import SORTS
from market.cache import ALL
from market.models import Listing
from market.selectors import ORDERINGS
from tests.support import redis_commands

Places = dict[str, Any]


# --- What is read -----------------------------------------------------------------------------------------


def _resources() -> Iterable[Places]:
    resource = Resource.objects.order_by("-pk")[0]
    filters = {"kind": resource.kind, "rarity": resource.rarity_id, "gatherable": resource.gatherable}
    return [{}, {"id": resource.pk}, filters]


def _recipes() -> Iterable[Places]:
    recipe = Recipe.objects.order_by("-pk")[0]
    return [{}, {"id": recipe.pk}, {"profession_id": Profession.objects.order_by("pk")[5].pk}]


def _pages() -> Iterable[Places]:
    seller = Player.objects.order_by("-pk")[0].pk
    filters: list[Places] = [{}, {"limit": 1}, {"seller_id": seller}, {"min_price": 1, "max_price": 7}]
    ordered = zip(ORDERINGS, filters, strict=True)
    pages = [{"limit": 50, **filtered, "ordering": ordering} for ordering, filtered in ordered]
    return [*pages, {"limit": 1, "ordering": "unit_price", "cursor": _cursor()}]


def _cursor() -> str:
    """That of a first page with one listing, as long as there are two; None reads the first page."""
    from market import selectors

    answer = selectors.listings_page(limit=1)
    assert answer is not None
    return cast("str", answer.data()["next"])


# Every filter of an entry by its key: all that readers of the API may ask for.
VARIANTS: dict[str, Callable[[], Iterable[Places]]] = {
    "market:listings:active:{resource_id}": _pages,
    "leaderboard:board": lambda: [{"sort": sort, "limit": 10, "offset": 0} for sort in SORTS],
    "catalogue:resources": _resources,
    "catalogue:recipes": _recipes,
    "catalogue:professions": lambda: [{}],
    "recipes:user:{player_id}": lambda: [{}],
}

# What stands in a key's places, by name.
PLACES: dict[str, Callable[[], Iterable[Any]]] = {
    "player_id": lambda: Player.objects.values_list("pk", flat=True),
    "resource_id": lambda: [ALL, *Listing.objects.values_list("resource_id", flat=True).distinct()],
    "session_id": lambda: PlayerSession.objects.values_list("session_id", flat=True),
}


def reads_of(entry: Entry) -> list[tuple[Places, Places]]:
    """The parameters and the variants with which an entry is read in this world."""
    assert not entry.variants or entry.key in VARIANTS, f"tests.coverage_reads.VARIANTS needs the filters of {entry}."
    assert set(entry.parameters) <= set(PLACES), f"tests.coverage_reads.PLACES needs the places of {entry}."
    variants = list(VARIANTS[entry.key]()) if entry.variants else [{}]
    named: list[Places] = [{}]
    for place in entry.parameters:
        named = [{**each, place: value} for each in named for value in PLACES[place]()]
    return [(params, variant) for params in named for variant in variants]


def names_of_filler(entry: Entry) -> set[str]:
    """The parameters that an entry's filler names."""
    parameters = inspect.signature(entry._filler[0]).parameters.values()
    return {each.name for each in parameters if each.kind is not inspect.Parameter.VAR_KEYWORD}


def read_all(chosen: Iterable[Entry] | None = None) -> None:
    """Reads everything, so that all of it stands in Redis."""
    for entry in invalidation.entries() if chosen is None else chosen:
        for params, variant in reads_of(entry):
            entry.get(params, variant)


# --- What is stale ----------------------------------------------------------------------------------------


def stale(*chosen: str) -> list[dict[str, Any]]:
    """The values that Redis would serve and PostgreSQL no longer has, each as `cache_audit` shows it."""
    report = audit.run(chosen or families.names())
    assert report.problems == {}, report.problems
    return list(report.differences.values())


def stale_families() -> set[str]:
    return {row["family"] for row in stale()}


@contextmanager
def nothing_invalidates() -> Iterator[None]:
    """Neither fences nor drops, to see that the tests would notice."""
    steps.switch_off("fence", "drop")
    try:
        yield
    finally:
        steps.switch_off()


# --- Markers ----------------------------------------------------------------------------------------------


FIELD = variant_name({"marker": 1})


@dataclass(frozen=True)
class Marker:
    """A value under a key of an entry, whatever its filler would read."""

    entry: Entry
    key: str

    def put(self) -> None:
        redis = cast("Any", store.client())
        generation = ""
        if self.entry.generation:
            redis.set(self.entry.generation_key, new_token(), nx=True)
            generation = redis.get(self.entry.generation_key).decode()
        body = stamp.put(b'{"marker":1}', store.server.run, generation)
        if self.entry.variants:
            redis.hset(self.key, FIELD, body)
        else:
            redis.set(self.key, body)

    @property
    def is_served(self) -> bool:
        """Whether a reader would be answered with it."""
        return fill._read(self.entry, self.key, FIELD) is not None

    def remove(self) -> None:
        store.client().delete(self.key)


def markers(entry: Entry, places: Iterable[Mapping[str, Any]] | None) -> list[Marker]:
    """Markers under these keys of an entry; None stands for a whole family, of which one shows it."""
    named = [dict.fromkeys(entry.parameters, "somebody")] if places is None else list(places)
    assert named, f"no key of {entry} is named"
    made = [Marker(entry, entry.name(params)) for params in named]
    for marker in made:
        marker.put()
    assert all(marker.is_served for marker in made)
    return made


@contextmanager
def drops(placed: Iterable[Marker], *, alone: bool = True) -> Iterator[None]:
    """The write inside takes all markers away: fences them once, before it commits, and drops them once, after it;
    and, `alone`, this thread goes to Redis for nothing else."""
    placed = list(placed)
    reached: list[str] = []
    left: list[Marker] = []
    with redis_commands() as commands:

        def look(step: str) -> None:
            if step in steps.WRITE_STEPS:
                reached.append(step)
            if step == "fenced":
                seen = len(commands)
                left.extend(marker for marker in placed if marker.is_served)
                del commands[seen:]

        steps.watch(look)
        try:
            yield
        finally:
            steps.watch(None)
    assert reached == list(steps.WRITE_STEPS), reached
    assert left == [], "still served when the commit came"
    assert [marker for marker in placed if marker.is_served] == []
    trips = [words[:2] for words in commands]
    assert not alone or trips == [("EVALSHA", scripts.FENCE.sha), ("EVALSHA", scripts.DROP.sha)], trips


def scripts_are_known() -> None:
    """Redis is sent a script's text only with its first call, which would count as another one."""
    store.fence(["nothing"], "mark")
    store.drop(["nothing"], "mark")
    store.client().delete(store.fence_key("nothing"))
