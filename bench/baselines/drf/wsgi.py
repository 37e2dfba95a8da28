"""What granian serves."""

import os

from django.core.wsgi import get_wsgi_application

# Whatever the project's own settings are: this is another one.
os.environ["DJANGO_SETTINGS_MODULE"] = "bench.baselines.drf.settings"

application = get_wsgi_application()
