"""The project's own app: commands, checks, schedules."""

from django.apps import AppConfig, apps
from django.db.models.signals import post_migrate


class BcraftdConfig(AppConfig):
    name = "bcraftd"
    verbose_name = "B-CraftD"

    def ready(self) -> None:
        from bcraftd import checks, schedules  # noqa: F401 - importing checks registers them

        # Django sends the signal only for apps that have models, which this one has not.
        post_migrate.connect(schedules.after_migrate, sender=apps.get_app_config("django_q"))
