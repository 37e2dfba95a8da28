"""The project's own app: commands, checks, schedules."""

from django.apps import AppConfig, apps
from django.db.models.signals import post_migrate, pre_migrate


class BcraftdConfig(AppConfig):
    name = "bcraftd"
    verbose_name = "B-CraftD"

    def ready(self) -> None:
        from django_q.signals import post_spawn

        # Importing the checks and the logs registers them.
        from bcraftd import checks, logs, migrating, replicas, schedules, tasklogs  # noqa: F401
        from bcraftd.cache import outbox, register

        register(replicas.entries(), [])

        # Django sends the signal only for apps that have models, which this one has not.
        post_migrate.connect(schedules.after_migrate, sender=apps.get_app_config("django_q"))
        pre_migrate.connect(migrating.as_from_outside, dispatch_uid="bcraftd.migrating")
        post_migrate.connect(migrating.as_before, dispatch_uid="bcraftd.migrating")
        post_spawn.connect(lambda **rest: outbox.relay_start(), weak=False, dispatch_uid="bcraftd.relay")
