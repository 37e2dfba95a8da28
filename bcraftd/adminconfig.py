"""Which admin site is ours. Apart from the rest, because Django reads it before any model is there."""

from django.contrib.admin.apps import AdminConfig


class OperatorsConfig(AdminConfig):
    """Stands in INSTALLED_APPS for django.contrib.admin."""

    default_site = "bcraftd.adminbase.OperatorsSite"
