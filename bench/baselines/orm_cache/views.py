"""The page of ModelSerializers, asked for so that an ORM cache can keep it."""

from datetime import datetime

from bench.baselines.drf.views import SerializedListings


class MinutelyListings(SerializedListings):
    """The moment is cut to the minute: a query with another moment each time would be another query each time."""

    def now(self) -> datetime:
        return super().now().replace(second=0, microsecond=0)
