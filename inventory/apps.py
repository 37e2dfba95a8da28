"""Inventory: registration with the cache happens here, in the app whose cached data goes stale."""

from django.apps import AppConfig


class InventoryConfig(AppConfig):
    name = "inventory"

    def ready(self) -> None:
        from bcraftd import replicas
        from bcraftd.cache import register
        from inventory import cache, selectors  # noqa: F401 - importing selectors declares what fills the entries

        register(cache.ENTRIES, [*cache.TABLE, *replicas.where_used(cache.LAGGING)])
