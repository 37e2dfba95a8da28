"""What must be right before the first request: Django system checks with an id and a hint."""

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, register

MIN_KEY_BYTES = 32


@register
def secrets_are_strong(app_configs: Sequence[AppConfig] | None, **options: Any) -> list[CheckMessage]:
    """bcraftd.E001, E002: the keys that sign tokens and cookies."""
    found: list[CheckMessage] = [
        Error(
            f"{name} is shorter than {MIN_KEY_BYTES} bytes.",
            hint='Make one: python3 -c "import secrets; print(secrets.token_urlsafe(48))"',
            id="bcraftd.E001",
        )
        for name in ("SECRET_KEY", "JWT_SIGNING_KEY")
        if len(getattr(settings, name).encode()) < MIN_KEY_BYTES
    ]
    if settings.SECRET_KEY == settings.JWT_SIGNING_KEY:
        found.append(
            Error(
                "SECRET_KEY and JWT_SIGNING_KEY are the same.",
                hint="Give players' tokens a key of their own, so that either can be changed alone.",
                id="bcraftd.E002",
            )
        )
    return found


@register
def nothing_is_pickled(app_configs: Sequence[AppConfig] | None, **options: Any) -> list[CheckMessage]:
    """bcraftd.E003: whoever can write to Redis must not be able to run code here."""
    cache_options: Any = settings.CACHES["default"].get("OPTIONS", {})
    if "json" in cache_options.get("SERIALIZER", "").lower() and "JSON" in settings.SESSION_SERIALIZER:
        return []
    return [
        Error(
            "The cache or the session serializer is not JSON.",
            hint="django-redis pickles by default: set SERIALIZER to its JSONSerializer.",
            id="bcraftd.E003",
        )
    ]


@register
def entries_are_complete(app_configs: Sequence[AppConfig] | None, **options: Any) -> list[CheckMessage]:
    """bcraftd.E004: a declared cache entry that nothing fills."""
    from bcraftd.cache import invalidation

    return [
        Error(
            f"Nothing fills the cache entry {entry.key}.",
            hint="Decorate its read in the app's selectors.py with @ENTRY.filler.",
            id="bcraftd.E004",
        )
        for entry in invalidation.entries()
        if not entry.is_filled
    ]


@register
def shown_models_are_tracked(app_configs: Sequence[AppConfig] | None, **options: Any) -> list[CheckMessage]:
    """bcraftd.E005, E006: a model that something cached shows, and that can change without anybody hearing of it."""
    from bcraftd.cache import invalidation
    from bcraftd.tracked import Tracked, TrackedQuerySet, outside_triggers

    found: list[CheckMessage] = []
    wanted = {trigger.name for trigger in outside_triggers()}
    for model in invalidation.table():
        if not issubclass(model, Tracked) or not isinstance(model._default_manager.all(), TrackedQuerySet):
            found.append(
                Error(
                    f"{model._meta.label} is shown by something cached and is not tracked.",
                    hint="Derive it from bcraftd.tracked.Tracked, and its manager from TrackedQuerySet.",
                    id="bcraftd.E005",
                )
            )
        if not wanted <= {trigger.name for trigger in getattr(model._meta, "triggers", ())}:
            found.append(
                Error(
                    f"{model._meta.label} has no triggers that tell of changes from outside.",
                    hint="Put *outside_triggers() into its Meta.triggers, and make the migration.",
                    id="bcraftd.E006",
                )
            )
    return found
