"""Settings and this machine."""

import shutil

from django.conf import settings
from django.core.checks import run_checks

from bcraftd.doctor import Finding, fault, ok, warning

GIB = 2**30
# Of the disk that this checkout stands on, and on which `make up` keeps its data.
FREE_WARNING, FREE_FAULT = 2 * GIB, GIB // 4


def configuration() -> Finding:
    """What would refuse the start, and what is for developers only."""
    serious = [message for message in run_checks() if message.is_serious() and not message.is_silenced()]
    if serious:
        said = "; ".join(f"{message.id}: {message.msg}" for message in serious)
        hints = " ".join(str(message.hint) for message in serious if message.hint)
        return fault(said, hints or "Correct the setting that it names.")
    if settings.DEBUG:
        return warning("DEBUG is on: errors show their code to whoever meets them.", "Set DEBUG=false.")
    if not settings.CACHE_ENABLED:
        return warning("CACHE_ENABLED is false: every read goes to PostgreSQL.", "Set CACHE_ENABLED=true.")
    return ok("Nothing in the settings refuses a start.")


def disk() -> Finding:
    """Room where this checkout stands."""
    free = shutil.disk_usage(settings.BASE_DIR).free
    said = f"{free / GIB:.1f} GiB are free where the project stands."
    mend = "Make room: old backups, logs, and in a checkout `.bcraftd/`."
    return fault(said, mend) if free < FREE_FAULT else warning(said, mend) if free < FREE_WARNING else ok(said)
