"""How the observatory writes its figures."""

from collections.abc import Mapping

from django import template
from django.utils.http import urlencode

register = template.Library()


@register.filter
def percent(share: float | None) -> str:
    """0.9731 is "97.3 %"; a dash where nothing was counted."""
    return "–" if share is None else f"{100 * share:.1f} %"


@register.filter
def life(seconds: int | None) -> str:
    """Seconds until a key ends, "no end" for None."""
    if seconds is None:
        return "no end"
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s" if minutes else f"{rest} s"


@register.filter
def reads(counts: Mapping[str, int]) -> int:
    """How many reads a family had."""
    return counts["hits"] + counts["misses"] + counts["bypasses"]


@register.filter
def as_query(key: str) -> str:
    """`key=...` for an address."""
    return urlencode({"key": key})
