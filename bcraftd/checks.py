"""What must be right before the first request: Django system checks with an id and a hint.

Every command of manage.py runs them, and so does who serves without it (bcraftd/wsgi.py): an error refuses the start.
"""

import os
import re
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, run_checks
from django.core.checks import register as django_register
from django.core.exceptions import ImproperlyConfigured

from bcraftd import redisplace, secrecy
from bcraftd.network import is_loopback

TAG = "bcraftd"
MIN_KEY_BYTES = 32
LEAST_SENTINELS = 3
MAKE_ONE = 'Make one: python3 -c "import secrets; print(secrets.token_urlsafe(48))"'

register = django_register(TAG)


def refuse_to_serve() -> None:
    """Raises ImproperlyConfigured with every error that our own checks find."""
    found = [str(message) for message in run_checks(tags=[TAG]) if message.is_serious()]
    if found:
        raise ImproperlyConfigured("\n".join(["This cannot be served:", *found]))


# --- Secrets and who can reach us -------------------------------------------------------------------------


@register
def secrets_are_strong(app_configs: Sequence[AppConfig] | None, **options: Any) -> list[CheckMessage]:
    """bcraftd.E001, E002: the keys that sign tokens and cookies."""
    found: list[CheckMessage] = [
        Error(
            f"{name} is shorter than {MIN_KEY_BYTES} bytes.",
            hint=MAKE_ONE,
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


def _passwords() -> Iterator[tuple[str, str, str]]:
    """The passwords of the servers that we connect to: the setting's name, the host, the password."""
    for alias, database in settings.DATABASES.items():
        name = "DATABASE_URL" if alias == "default" else "DATABASE_REPLICA_URLS"
        yield name, str(database.get("HOST", "")), str(database.get("PASSWORD", ""))
    for host in redisplace.hosts_of(settings.REDIS_URL):
        yield "REDIS_URL (or REDIS_PASSWORD)", host, redisplace.password_of(settings.REDIS_URL)


@register
def secrets_are_not_known(app_configs: Sequence[AppConfig] | None, **options: Any) -> list[CheckMessage]:
    """bcraftd.E007: values that stand in examples, and keys that nobody drew at random."""
    own = {name: getattr(settings, name) for name in ("SECRET_KEY", "JWT_SIGNING_KEY", "METRICS_TOKEN")}
    known = [name for name, value in own.items() if secrecy.is_known(value)]
    # A host without a name is a socket on this machine. How long a password has to be is its server's to say.
    others = [(name, word) for name, host, word in _passwords() if host and not is_loopback(host)]
    known += dict.fromkeys(name for name, word in others if secrecy.is_known(word))
    uniform = [name for name, value in own.items() if value and secrecy.is_uniform(value)]
    why = [(name, "holds a word that stands in examples: others know it, or guess it") for name in known]
    why += [(name, "has too little variety for a random value") for name in uniform if name not in known]
    return [Error(f"{name} {what}.", hint=MAKE_ONE, id="bcraftd.E007") for name, what in why]


def listening() -> set[str]:
    """The hosts that this process listens on, as far as it can tell: BIND, and granian's or runserver's own words."""
    words = sys.argv[1:]
    found = {settings.BIND, os.environ.get("GRANIAN_HOST", ""), *(word[7:] for word in words if word[:7] == "--host=")}
    found |= {following for word, following in pairwise(words) if word == "--host"}
    if "runserver" in words:
        found |= {word.rpartition(":")[0] for word in words if re.fullmatch(r"[^-].*:[0-9]+", word)}
    return found - {""}


@register
def debugging_stays_here(app_configs: Sequence[AppConfig] | None, **options: Any) -> list[CheckMessage]:
    """bcraftd.E008: tracebacks hold settings and other players' data."""
    reachable = sorted(host for host in listening() if not is_loopback(host))
    if not settings.DEBUG or not reachable:
        return []
    return [
        Error(
            f"DEBUG is on and the server listens on {', '.join(reachable)}, which is not loopback.",
            hint="Set DEBUG=false, or BIND=127.0.0.1 to look at tracebacks on this machine.",
            id="bcraftd.E008",
        )
    ]


@register
def redis_asks_who_is_there(app_configs: Sequence[AppConfig] | None, **options: Any) -> list[CheckMessage]:
    """bcraftd.E009: whoever writes to Redis decides what players read, and who is signed in."""
    hosts = [host for host in redisplace.hosts_of(settings.REDIS_URL) if not is_loopback(host)]
    if redisplace.password_of(settings.REDIS_URL) or not hosts:
        return []
    return [
        Error(
            f"REDIS_URL (or REDIS_HOST) names a Redis on {', '.join(hosts)} without a password.",
            hint="Give that server a requirepass, and use redis://:password@host:port/number (or REDIS_PASSWORD).",
            id="bcraftd.E009",
        )
    ]


def _place_of(database: dict[str, Any]) -> tuple[str, str, str, str]:
    """Host, port, name, and which of several hosts libpq is to take: the one that writes is not the standby."""
    options = database.get("OPTIONS", {})
    host = options.get("host") or database["HOST"] or "a local socket"
    return host, str(database["PORT"] or 5432), database["NAME"], options.get("target_session_attrs", "any")


@register
def replicas_are_others(app_configs: Sequence[AppConfig] | None, **options: Any) -> list[CheckMessage]:
    """bcraftd.E010: a database that is named twice answers no more than once."""
    places = Counter(_place_of(each) for each in settings.DATABASES.values())
    twice = sorted(f"{host}:{port}/{name}" for (host, port, name, _), count in places.items() if count > 1)
    if not twice:
        return []
    return [
        Error(
            f"DATABASE_REPLICA_URLS names {', '.join(twice)} again, which DATABASE_URL or it itself has named.",
            hint="Name each streaming replica once, and never the primary. Without replicas leave it empty.",
            id="bcraftd.E010",
        )
    ]


@register
def sentinels_can_agree(app_configs: Sequence[AppConfig] | None, **options: Any) -> list[CheckMessage]:
    """bcraftd.W001, W002: a Redis under Sentinel that nobody would replace, and a word that nobody reads."""
    service = settings.REDIS_SERVICE
    if service is None:
        if not settings.REDIS_SENTINEL_PASSWORD:
            return []
        return [
            Warning(
                "REDIS_SENTINEL_PASSWORD is set, and REDIS_URL names no Sentinel.",
                hint=f"REDIS_URL is one of {redisplace.FORMS}.",
                id="bcraftd.W002",
            )
        ]
    if len(set(service.sentinels)) >= LEAST_SENTINELS:
        return []
    return [
        Warning(
            f"REDIS_URL names {len(set(service.sentinels))} Sentinels: when one of two is gone, nobody has a majority.",
            hint="Run three on three hosts, and name them all.",
            id="bcraftd.W001",
        )
    ]


@register
def nothing_is_pickled(app_configs: Sequence[AppConfig] | None, **options: Any) -> list[CheckMessage]:
    """bcraftd.E003: whoever can write to Redis must not be able to run code here."""
    cache_options: list[Any] = [cache.get("OPTIONS", {}) for cache in settings.CACHES.values()]
    serializers = [*(each.get("SERIALIZER", "") for each in cache_options), settings.SESSION_SERIALIZER]
    if all("JSON" in str(name) for name in serializers):
        return []
    return [
        Error(
            "CACHES or SESSION_SERIALIZER names a serializer that is not JSON.",
            hint="django-redis pickles by default: set SERIALIZER to its JSONSerializer.",
            id="bcraftd.E003",
        )
    ]


# --- The cache's declarations -----------------------------------------------------------------------------


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
