"""The cache engine: mechanism only. It knows no domain app; each app declares its entries in its own cache.py."""

from bcraftd.cache import hot
from bcraftd.cache.behind import WriteBehind
from bcraftd.cache.entry import Answer, Entry, Fresh, When
from bcraftd.cache.fill import WriteThrough
from bcraftd.cache.hot import Hot
from bcraftd.cache.invalidation import changed, drop, register

__all__ = [
    "Answer", "Entry", "Fresh", "Hot", "When", "WriteBehind", "WriteThrough", "changed", "drop", "hot", "register",
]  # fmt: skip
