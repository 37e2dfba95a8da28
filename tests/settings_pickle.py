"""Settings as somebody might change them: the cache keeps objects. Only for a start that must be refused."""

from bcraftd.settings import *  # noqa: F403
from bcraftd.settings import CACHES

CACHES["default"]["OPTIONS"] = {"SERIALIZER": "django_redis.serializers.pickle.PickleSerializer"}
