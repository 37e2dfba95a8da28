"""The project's own app: commands, checks, schedules."""

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class BcraftdConfig(AppConfig):
    name = "bcraftd"
    verbose_name = "B-CraftD"

    def ready(self) -> None:
        from bcraftd import checks, schedules  # noqa: F401 - importing checks registers them

        post_migrate.connect(schedules.after_migrate, sender=self)
