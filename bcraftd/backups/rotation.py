"""Which backups stay: of each of the last hours and of each of the last days the newest."""

from collections.abc import Iterable
from datetime import datetime

HOURLY, DAILY = 24, 30


def kept(moments: Iterable[datetime], *, hourly: int = HOURLY, daily: int = DAILY) -> set[datetime]:
    """Of some backups' times those that stay.

    The newest of each of the last `hourly` hours in which there is one, and of each of the last `daily` such days.
    Hours without any count for nothing: after a pause of a month the last ones before it are still there. The newest of
    all stays whatever the numbers.
    """
    ordered = sorted(moments, reverse=True)
    stay = set(ordered[:1])
    for count, form in ((hourly, "%Y%m%d%H"), (daily, "%Y%m%d")):
        newest: dict[str, datetime] = {}
        for moment in ordered:
            newest.setdefault(moment.strftime(form), moment)
        stay |= set(list(newest.values())[:count])
    return stay
