"""Counts in fixed windows that PostgreSQL keeps: what must hold in all processes, also while Redis is away.

A row names its kind and a keyed hash of what is counted. Whoever opens a window takes some away that have ended, so
that the table holds little more than those that still run.
"""

from django.db import connection
from django.utils.crypto import salted_hmac

from bcraftd.models import LimitWindow

# The kind of the failures of one login from everywhere: accounts.lockout counts them, the admin forgets them.
LOGIN_FAILURES = "login-failures"
# How many ended windows go for one that is opened.
SWEPT = 10

# One statement, so that of two processes neither loses the other's count.
_WRITE = """
INSERT INTO bcraftd_limitwindow AS kept (key, count, ends_at)
VALUES (%(key)s, 1, now() + %(window)s * interval '1 second')
ON CONFLICT (key) DO UPDATE SET
    count = CASE WHEN %(renew)s OR kept.ends_at <= now() THEN 1 ELSE kept.count + 1 END,
    ends_at = CASE WHEN %(renew)s OR kept.ends_at <= now() THEN excluded.ends_at ELSE kept.ends_at END
RETURNING count, ceil(extract(epoch FROM ends_at - now()))
"""
# Rows that somebody else has locked are left to the next one: nobody waits here while holding anything.
_SWEEP = """
DELETE FROM bcraftd_limitwindow WHERE key IN (
    SELECT key FROM bcraftd_limitwindow WHERE ends_at <= now() ORDER BY ends_at LIMIT %s FOR UPDATE SKIP LOCKED
)
"""
_READ = """
SELECT key, count, ceil(extract(epoch FROM ends_at - now())) FROM bcraftd_limitwindow
WHERE key = ANY(%s) AND ends_at > now()
"""

Window = tuple[str, str]


def _key(window: Window) -> str:
    kind, what = window
    return f"{kind}:{salted_hmac('bcraftd.windows', what, algorithm='sha256').hexdigest()}"


def _write(window: Window, seconds: int, *, renew: bool) -> tuple[int, int]:
    with connection.cursor() as cursor:
        cursor.execute(_WRITE, {"key": _key(window), "window": seconds, "renew": renew})
        count, left = cursor.fetchone()
        if count == 1:
            cursor.execute(_SWEEP, [SWEPT])
    return int(count), max(int(left), 1)


def count(window: Window, seconds: int) -> tuple[int, int]:
    """Counts one in a window, by its kind and what is counted; returns the count and the seconds that it has left."""
    return _write(window, seconds, renew=False)


def remember(window: Window, seconds: int) -> None:
    """Notes that something took place; it is known for so many seconds from now."""
    _write(window, seconds, renew=True)


def running(*windows: Window) -> dict[Window, tuple[int, int]]:
    """Count and seconds left of those windows that have not ended. One query; it counts nothing."""
    names = {_key(window): window for window in windows}
    with connection.cursor() as cursor:
        cursor.execute(_READ, [list(names)])
        return {names[key]: (int(number), max(int(left), 1)) for key, number, left in cursor.fetchall()}


def forget(window: Window) -> None:
    """Ends a window now."""
    LimitWindow.objects.filter(key=_key(window)).delete()
