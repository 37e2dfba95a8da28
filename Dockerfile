# The image of the API; the worker and the migrations run other commands in the same image.

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
    PYTHONDONTWRITEBYTECODE=1

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
    "import os, urllib.request as u; host = os.environ.get('ALLOWED_HOSTS', '').split(',')[0].strip().lstrip('*.') or 'localhost'; u.urlopen(u.Request('http://127.0.0.1:8000/healthz', headers={'Host': host}), timeout=4)"]

# Four threads a process, because each holds a connection to PostgreSQL, which allows 100 in all.
# The workers share their metrics through files: a new folder at each start, so that no dead process is counted, under /tmp,
# which is memory where the container is read-only.
CMD ["sh", "-euc", "PROMETHEUS_MULTIPROC_DIR=$(mktemp -d); export PROMETHEUS_MULTIPROC_DIR; exec granian --interface wsgi --host 0.0.0.0 --port 8000 --no-ws --workers \"${WEB_WORKERS:-2}\" --blocking-threads 4 --respawn-failed-workers --workers-kill-timeout 20 bcraftd.wsgi:application"]
