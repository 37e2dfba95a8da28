"""Accounts: registration with the cache happens here, in the app whose cached data goes stale."""

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "accounts"

    def ready(self) -> None:
        from accounts import cache, selectors, signals  # noqa: F401 - importing declares fillers and receivers
        from bcraftd import replicas
        from bcraftd.cache import register

        register(cache.ENTRIES, [*cache.TABLE, *replicas.where_used(cache.LAGGING)])
