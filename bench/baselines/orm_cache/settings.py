"""The plain project's settings, with cachalot: nothing else has to be done for it."""

from bench.baselines.drf.settings import *  # noqa: F403
from bench.baselines.drf.settings import INSTALLED_APPS as PLAIN

INSTALLED_APPS = [*PLAIN, "cachalot"]
ROOT_URLCONF = "bench.baselines.orm_cache.urls"
