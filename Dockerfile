# One image, three roles: the API, its worker and the migrations (bcraftd/role.py).

FROM python:3.11-slim AS builder
RUN python -m venv /opt/venv
COPY requirements-runtime.lock ./
# Only wheels, and only those whose hashes are in the lock: nothing is compiled here, so that no compiler is needed.
RUN /opt/venv/bin/pip install --disable-pip-version-check --no-cache-dir --no-deps \
    --require-hashes --only-binary=:all: --requirement requirements-runtime.lock

FROM python:3.11-slim
LABEL org.opencontainers.image.title="B-CraftD" \
      org.opencontainers.image.licenses="MIT"

ENV PATH=/opt/venv/bin:$PATH \
    DJANGO_SETTINGS_MODULE=bcraftd.settings \
    # Logs leave as they are written, also those of a process that is killed a moment later.
    PYTHONUNBUFFERED=1 \
    PYTHONFAULTHANDLER=1 \
    # The file system is read-only at run time; the bytecode is compiled below.
    PYTHONDONTWRITEBYTECODE=1 \
    # The container's own interface; what the host sees is decided by what it publishes.
    BIND=0.0.0.0

# The ids are fixed, so that a volume's or a secret's permissions can name them.
RUN groupadd --system --gid 10001 bcraftd \
    && useradd --system --uid 10001 --gid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin bcraftd

COPY --from=builder /opt/venv /opt/venv
WORKDIR /app
COPY manage.py ./
COPY bcraftd bcraftd
COPY accounts accounts
COPY inventory inventory
COPY market market
COPY environment environment
COPY leaderboard leaderboard
# The code stays root's: the process that serves players can't change it.
RUN python -m compileall -q .

# A named volume takes over what the image has in its place: the folder and whose it is.
RUN install --directory --owner=10001 --group=10001 --mode=0700 /backups

USER 10001:10001
EXPOSE 8000

# It calls the API by the first of its names, since Django refuses all others.
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 CMD ["python", "-c", \
    "import os, urllib.request as u; host = os.environ.get('ALLOWED_HOSTS', '').split(',')[0].strip().lstrip('*.') or 'localhost'; u.urlopen(u.Request('http://127.0.0.1:' + (os.environ.get('PORT') or '8000') + '/healthz', headers={'Host': host}), timeout=4)"]

# `worker` and `migrate` are the other roles. Metrics are shared through files under /tmp, which is memory where the container
# is read-only; nothing else is written.
CMD ["python", "-m", "bcraftd.role", "api"]
