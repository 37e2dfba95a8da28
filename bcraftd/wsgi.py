"""What granian serves."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "bcraftd.settings")

django = get_wsgi_application()

# Django has to be set up before anything of the engine can be imported.
from bcraftd import checks, processes  # noqa: E402
from bcraftd.cache import outbox  # noqa: E402
from bcraftd.express import Express  # noqa: E402

application = Express(django)

# The commands of manage.py check by themselves; a server that is started from here has to ask.
checks.refuse_to_serve()
processes.serves()
outbox.relay_start()
