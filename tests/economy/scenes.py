"""Contests: calls that are released together because they are about the same thing."""

import random
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from threading import Barrier
from typing import TypeVar

from tests.economy.client import Answer, Call, Line, Player
from tests.economy.ground import Ground

T = TypeVar("T")


def together(*acts: Callable[[], T]) -> list[T]:
    """Runs each in a thread of its own, released at once; returns what they gave."""
    barrier = Barrier(len(acts))

    def run(act: Callable[[], T]) -> T:
        barrier.wait()
        return act()

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(run, acts))


def _performing(ground: Ground, call: Call) -> Callable[[], Answer]:
    """To be run in a thread: its own connection, and the books."""

    def act() -> Answer:
        with closing(ground.line()) as line:
            return ground.perform(line, call)

    return act


def outcomes(answers: Sequence[Answer]) -> Counter[str]:
    """How many good ones there were, and how many refusals by code."""
    return Counter(answer.code if answer.status >= 400 else "good" for answer in answers)


def crowd(ground: Ground, chance: random.Random, line: Line, buyers: int) -> Counter[str]:
    """One piece, and so many who want it at once: exactly one gets it."""
    seller = ground.pairs[0][0]
    listing = ground.offer(line, seller, "mutterwood-log", 1, 30)
    others = [player for player in ground.players if player is not seller]
    wanting = [ground.buying(chance.choice(others), listing, None) for _ in range(buyers)]
    got = outcomes(together(*(_performing(ground, call) for call in wanting)))
    if got["good"] != 1:
        ground.books.complain(f"listing {listing} of one piece, wanted by {buyers} at once: {dict(got)}")
    ground.count("crowds")
    return got


def opposed(ground: Ground, pair: tuple[Player, Player]) -> Counter[str]:
    """Two who buy from each other at once."""
    (one, other), staying = pair, ground.staying
    calls = (ground.buying(one, staying[other.id], 1), ground.buying(other, staying[one.id], 1))
    got = outcomes(together(*(_performing(ground, call) for call in calls)))
    if got != {"good": 2}:
        ground.books.complain(f"players {one.id} and {other.id} bought from each other: {dict(got)}")
    ground.count("opposed")
    return got


def contest(ground: Ground, chance: random.Random, line: Line) -> Counter[str]:
    """A purchase of all, two of a part, the seller's cancelling and the end of its time, all about one listing."""
    seller = chance.choice(ground.pairs)[0]
    quantity = chance.randint(1, 4)
    listing = ground.offer(line, seller, "coughcoal", quantity, 10)
    buyers = chance.sample([player for player in ground.players if player is not seller], 3)
    calls = [ground.buying(buyer, listing, wanted) for buyer, wanted in zip(buyers, (None, 1, 2), strict=True)]
    calls.append(ground.cancelling(seller, listing))
    chance.shuffle(calls)
    acts: list[Callable[[], Answer | None]] = [*(_performing(ground, call) for call in calls)]
    if chance.random() < 0.7:
        acts.insert(0, lambda: ground.run_out(listing))
    answers = together(*acts)
    ground.count("contests")
    return outcomes([answer for answer in answers if answer is not None])


def hung_up(ground: Ground, chance: random.Random, line: Line) -> Answer:
    """A client that is gone before its answer, and asks again: done once all the same.

    Only what is never refused here: where the second try were refused, the first could still be under way, and a
    refusal would not be the last word.
    """
    seller, _ = chance.choice(ground.pairs)
    call = chance.choice((ground.gathering(seller, "mutterwood-log"), ground.listing(seller, "coughcoal", 1, 10)))
    line.hang_up(call, chance.uniform(0, 0.2))
    answer = line.settle(call)
    ground.books.note(call, answer)
    ground.count("hung_up_done" if answer.replayed else "hung_up_not_done")
    return answer


def twice(ground: Ground, call: Call) -> None:
    """The same call from two places at once, under one key: done once, and answered the same."""

    def ask() -> Answer:
        with closing(ground.line()) as line:
            return line.settle(call)

    answers = together(ask, ask)
    good = [answer for answer in answers if answer.good]
    ground.books.note(call, (good or answers)[0])
    if len({answer.body for answer in good}) > 1 or (len(good) == 2 and not any(answer.replayed for answer in good)):
        ground.books.complain(f"{call}: answered {good[0]} and {good[1]} at once")
    ground.count("twice")
