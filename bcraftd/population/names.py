"""Logins of players who were made up: two words and a number that is theirs alone."""

import random

# As text, which reads as what it is.
_FIRST = (  # noqa: SIM905
    "alder amber ash barley birch bramble brisk copper dawn dusk ember fallow fern flint frost gentle gilded grey hazel"
    " heather hollow iron ivy keen larch linden marsh mellow merry misty moss oak old opal quiet raven red reed rowan"
    " rusty sable salt silver sleepy sly smoky stout swift tawny thorn tidal wandering wild willow winter wry yarrow"
).split()
_LAST = (  # noqa: SIM905
    "anvil badger baker barrow beacon bell brewer brook cartwright chandler cobbler cooper crow delver digger drover"
    " farrier fell ferryman forge fox fuller giant glover grove hare harper hatter heron hook horn hunter joiner kettle"
    " lantern mason mill miner otter packer peddler piper potter quarry ranger sawyer scribe shepherd smith sparrow"
    " spinner tanner thatcher tinker trapper turner warden weaver weir wright"
).split()
_WORDS = [(first, last) for first in _FIRST for last in _LAST]


def login(chance: random.Random, number: int) -> str:
    """A login that no other number gives: `mossotter-4711`. A third write theirs with capitals."""
    first, last = chance.choice(_WORDS)
    name = f"{first}{last}" if chance.random() < 2 / 3 else f"{first.title()}{last.title()}"
    return f"{name}-{number}"
