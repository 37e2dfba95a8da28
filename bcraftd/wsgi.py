"""What granian serves."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "bcraftd.settings")

application = get_wsgi_application()

# Django has to be set up before anything of the engine can be imported.
from bcraftd.cache import outbox  # noqa: E402

outbox.relay_start()
