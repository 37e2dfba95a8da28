"""Leaderboard: registration with the cache happens here, in the app whose cached data goes stale."""

from django.apps import AppConfig


class LeaderboardConfig(AppConfig):
    name = "leaderboard"

    def ready(self) -> None:
        from bcraftd.cache import register
        from leaderboard import cache, selectors  # noqa: F401 - importing selectors declares what fills the entries

        register(cache.ENTRIES, cache.TABLE)
