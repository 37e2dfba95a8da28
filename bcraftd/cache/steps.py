"""The named steps of a read and of a write, where the consistency checker (tests/consistency/) steps in.

Nothing here does anything by itself. The checker sets a hook that waits, or kills its own process, between any
two steps, and it switches single mechanisms off to see that it then finds what they are there to prevent.
"""

from collections.abc import Callable
from typing import Literal

Mechanism = Literal["fence", "lease", "drop"]

# A read: asks Redis, asks for a lease, has it, has read PostgreSQL, has stored.
# A write: is about to fence, has fenced (COMMIT comes next), has committed, has dropped.
READ_STEPS = ("read", "lease", "leased", "selected", "stored")
WRITE_STEPS = ("fence", "fenced", "committed", "dropped")

_hook: Callable[[str], None] | None = None
_off: frozenset[str] = frozenset()


def at(step: str) -> None:
    """Says that a step has been reached."""
    if _hook is not None:
        _hook(step)


def watch(hook: Callable[[str], None] | None) -> None:
    """Sets what is called at each step, in the thread that reached it; None for nothing. For tests only."""
    global _hook
    _hook = hook


def switch_off(*mechanisms: Mechanism) -> None:
    """Switches mechanisms off, and all others on again. For tests only: with any of them off, reads can be stale."""
    global _off
    _off = frozenset(mechanisms)


def is_on(mechanism: Mechanism) -> bool:
    """Whether a mechanism is at work: always, outside the checker."""
    return mechanism not in _off
