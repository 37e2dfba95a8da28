"""Keyset paging: a cursor names the last row's place in the order, so that no page skips or repeats a row.

DRF's CursorPagination keeps an offset among rows of equal position, which slips when one of them is sold
between two pages; here the id always breaks the tie.
"""

import base64
import binascii
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from django.db.models import Q, QuerySet

from bcraftd.errors import invalid

Order = Sequence[str]


def cursor_to(order: Order, place: Sequence[Any]) -> str:
    """The cursor that names a place in an order: the values of its columns."""
    values = [value.isoformat() if isinstance(value, datetime) else value for value in place]
    text = json.dumps([",".join(order), *values], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _typed(value: Any, example: type) -> Any:
    if example is datetime:
        moment = datetime.fromisoformat(value)
        if moment.tzinfo is None:
            raise ValueError
        # In UTC, because PostgreSQL reads no offset of less than a second.
        return moment.astimezone(UTC)
    if isinstance(value, bool) or not isinstance(value, int) or not -(2**63) <= value < 2**63:
        raise ValueError
    return value


def place_of(cursor: str, order: Order, kinds: Sequence[type]) -> list[Any]:
    """The place that a cursor names: values of `kinds`, int or datetime.

    Raises Refusal `invalid` for a cursor that we did not write for this order.
    """
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        label, *values = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
        if label != ",".join(order) or len(values) != len(kinds):
            raise ValueError
        place = [_typed(value, kind) for value, kind in zip(values, kinds, strict=True)]
    except (ValueError, TypeError, OverflowError, RecursionError, binascii.Error):
        raise invalid("cursor", "This is not a cursor of this list.") from None
    return place


def _after(order: Order, place: Sequence[Any]) -> Q:
    """The rows behind a place: (a, b) > (x, y) as a > x or (a = x and b > y), for any mix of directions.

    The first column's bound is repeated outside the OR, because PostgreSQL starts an index scan from it.
    """
    condition = Q()
    equal = Q()
    for name, value in zip(order, place, strict=True):
        column = name.lstrip("-")
        operator = "lt" if name.startswith("-") else "gt"
        condition |= equal & Q(**{f"{column}__{operator}": value})
        equal &= Q(**{column: value})
    first = order[0]
    bound = "lte" if first.startswith("-") else "gte"
    return Q(**{f"{first.lstrip('-')}__{bound}": place[0]}) & condition


def keyset_page(
    rows: QuerySet[Any, Any],
    *,
    order: Order,
    kinds: Sequence[type],
    cursor: str | None,
    limit: int,
) -> tuple[list[dict[str, Any]], str | None]:
    """One page of a `.values()` queryset, in one query.

    `order` holds column names ("-" in front for descending) whose last one is unique, `kinds` their types (int
    or datetime). Returns the rows and the next page's cursor, None on the last page. Raises Refusal `invalid`
    for a bad cursor.
    """
    if cursor is not None:
        rows = rows.filter(_after(order, place_of(cursor, order, kinds)))
    # One more than asked for tells that there is a next page, without a COUNT.
    found = list(rows.order_by(*order)[: limit + 1])
    if len(found) <= limit:
        return found, None
    last = found[limit - 1]
    return found[:limit], cursor_to(order, [last[name.lstrip("-")] for name in order])
