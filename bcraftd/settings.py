"""All settings. They come from the environment, then `.env`, then `.bcraftd/env` (what `make up` wrote).

A missing secret or a malformed value stops the start with the setting's name, because a server that guesses
is found out by its players.
"""

import logging
import os
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import structlog
from csp.constants import NONE
from redis.backoff import NoBackoff
from redis.retry import Retry

from bcraftd import redisplace
from bcraftd.config import Config
from bcraftd.masking import Masked
from bcraftd.postgresql.connecting import connecting

BASE_DIR = Path(__file__).resolve().parent.parent

# The tests set this to "off", so that a developer's own .env cannot change what they test.
_files = os.environ.get("BCRAFTD_ENV_FILES") != "off"
env = Config(*([BASE_DIR / ".env", BASE_DIR / ".bcraftd" / "env"] if _files else []))

# --- Secrets and where we are reachable -------------------------------------------------------------------

SECRET_KEY = env.secret("SECRET_KEY")
JWT_SIGNING_KEY = env.secret("JWT_SIGNING_KEY")
DEBUG = env.flag("DEBUG", False)
BIND = env.text("BIND", "127.0.0.1")
PORT = env.number("PORT", 8000, 1, 65535)
WEB_WORKERS = env.number("WEB_WORKERS", 2, 1, 64)
# Seconds that an instance told to stop goes on answering while it says that it is not ready: ten times what a load
# balancer takes that asks every half second.
DRAIN_SECONDS = env.number("DRAIN_SECONDS", 5, 0, 600)
ALLOWED_HOSTS = env.words("ALLOWED_HOSTS", "localhost,127.0.0.1,[::1]")
TRUSTED_PROXIES = env.networks("TRUSTED_PROXIES")
METRICS_TOKEN = env.text("METRICS_TOKEN")

# --- Applications -----------------------------------------------------------------------------------------

INSTALLED_APPS = [
    "unfold.apps.BasicAppConfig",
    "bcraftd.adminconfig.OperatorsConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_q",
    "pgtrigger",
    "csp",
    "axes",
    "django_structlog",
    "accounts",
    "inventory",
    "market",
    "environment",
    "leaderboard",
    "bcraftd",
]

MIDDLEWARE = [
    "bcraftd.measuring.MeasureMiddleware",
    "bcraftd.middleware.EdgeMiddleware",
    "bcraftd.logs.LogMiddleware",
    "bcraftd.middleware.ContentPolicyMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "accounts.api.middleware.IdentityMiddleware",
    "bcraftd.middleware.RateLimitMiddleware",
    "bcraftd.middleware.PageSessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "bcraftd.middleware.PageAuthenticationMiddleware",
    "bcraftd.middleware.AdminRateLimitMiddleware",
    "bcraftd.middleware.PageMessageMiddleware",
    "axes.middleware.AxesMiddleware",
]

ROOT_URLCONF = "bcraftd.urls"
WSGI_APPLICATION = "bcraftd.wsgi.application"
APPEND_SLASH = False
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

# --- PostgreSQL -------------------------------------------------------------------------------------------

_database = env.database("DATABASE_URL")
# Whether a pgbouncer in transaction mode stands in between: a connection is somebody else's after each transaction, and
# takes no words at its start. bcraftd/postgresql/base.py then says them in each transaction.
DATABASE_POOLED = env.flag("DATABASE_POOLED", False)
# Replicas of it by streaming replication, for reads that may lag: bcraftd/replicas.py.
_replicas = env.databases("DATABASE_REPLICA_URLS")
DATABASES = {
    "default": connecting(_database, pooled=DATABASE_POOLED),
    **{
        f"replica-{number}": connecting(url, pooled=DATABASE_POOLED, replica=True)
        for number, url in enumerate(_replicas, 1)
    },
}
DATABASE_REPLICAS = [name for name in DATABASES if name != "default"]
DATABASE_ROUTERS = ["bcraftd.postgresql.lagging.Router"] if DATABASE_REPLICAS else []

# --- Redis: django-redis is the only way to it ------------------------------------------------------------


def _redis_url() -> str:
    url = env.redis("REDIS_URL", "REDIS_URI")
    if url:
        return url
    password = env.text("REDIS_PASSWORD")
    login = f":{quote(password, safe='')}@" if password else ""
    host, port = env.text("REDIS_HOST", "127.0.0.1"), env.number("REDIS_PORT", 6379, 1, 65535)
    return f"redis://{login}{host}:{port}/{env.number('REDIS_DB', 0)}"


REDIS_URL = _redis_url()
# Where Sentinels watch over it. Every process then asks PostgreSQL which Redis counts: bcraftd/cache/term.py.
REDIS_SERVICE = redisplace.service(REDIS_URL)
REDIS_SENTINEL_PASSWORD = env.text("REDIS_SENTINEL_PASSWORD")
# Seconds that any call to Redis may take before the request goes on without it.
REDIS_TIMEOUT = env.seconds("REDIS_TIMEOUT", 0.1)

# Learns from each new connection which Redis process answers: what an earlier one had stored is not served.
DJANGO_REDIS_CONNECTION_FACTORY = f"bcraftd.cache.{'sentinel.Factory' if REDIS_SERVICE else 'store.GreetingFactory'}"

_pool: dict[str, Any] = {
    "max_connections": 50,
    # One try: a second one would make a hung Redis cost a request two timeouts.
    "retry": Retry(NoBackoff(), 0),
}
_redis_options: dict[str, Any] = {
    # Pickle would let whoever can write to Redis run code here.
    "SERIALIZER": "django_redis.serializers.json.JSONSerializer",
    "SOCKET_TIMEOUT": REDIS_TIMEOUT,
    "SOCKET_CONNECT_TIMEOUT": REDIS_TIMEOUT,
    "CONNECTION_POOL_KWARGS": _pool,
}
if REDIS_SERVICE:
    # django-redis's own way to Sentinel, for the primary alone: a replica lags, and is never read from.
    _redis_options |= {
        "SENTINELS": list(REDIS_SERVICE.sentinels),
        "SENTINEL_KWARGS": {
            "socket_timeout": REDIS_TIMEOUT,
            "socket_connect_timeout": REDIS_TIMEOUT,
            "retry": Retry(NoBackoff(), 0),
            "password": REDIS_SENTINEL_PASSWORD or None,
        },
        "USERNAME": REDIS_SERVICE.username or None,
        "PASSWORD": REDIS_SERVICE.password or None,
    }
else:
    _redis_options["CONNECTION_POOL_CLASS"] = "redis.connection.BlockingConnectionPool"
    _pool["timeout"] = REDIS_TIMEOUT

CACHES = {
    "default": {
        "BACKEND": "django_redis.cache.RedisCache",
        "LOCATION": REDIS_SERVICE.location if REDIS_SERVICE else REDIS_URL,
        # Keys stand in Redis as they are written in the code, so that redis-cli finds what the docs name.
        "KEY_FUNCTION": "bcraftd.cache.store.plain_key",
        "OPTIONS": _redis_options,
    }
}

CACHE_ENABLED = env.flag("CACHE_ENABLED", True)
CACHE_ENVIRONMENT_TTL = env.number("CACHE_ENVIRONMENT_TTL", 3600, 1)
CACHE_MARKET_LISTINGS_TTL = env.number("CACHE_MARKET_LISTINGS_TTL", 60, 1)
CACHE_LEADERBOARD_TTL = env.number("CACHE_LEADERBOARD_TTL", 300, 1)
CACHE_USER_INVENTORY_TTL = env.number("CACHE_USER_INVENTORY_TTL", 30, 1)
CACHE_SESSION_TTL = env.number("CACHE_SESSION_TTL", 86400, 60)

# --- Limits, in human units. (requests, seconds) or None where off ----------------------------------------

# Sixty requests a minute let a client poll four screens every four seconds.
RATE_LIMIT_DEFAULT = env.rate("RATE_LIMIT_DEFAULT", "60/m")
# Ten batches a minute: a batch may hold a hundred attempts, so that more would only be a bot.
RATE_LIMIT_CRAFT = env.rate("RATE_LIMIT_CRAFT", "10/m")
# Gathering is the faucet of the economy: one action every three seconds.
RATE_LIMIT_GATHER = env.rate("RATE_LIMIT_GATHER", "20/m")
# Ten logins a minute from one address leave a family room and a password guesser none.
RATE_LIMIT_LOGIN = env.rate("RATE_LIMIT_LOGIN", "10/m")
# Twenty accounts an hour from one address: a school class in one go, no farm.
RATE_LIMIT_REGISTER = env.rate("RATE_LIMIT_REGISTER", "20/h")
# Two pages a second are more than an operator reads, and keep a script from paging through every player there is.
RATE_LIMIT_ADMIN = env.rate("RATE_LIMIT_ADMIN", "120/m")
# A hundred failures of one login in an hour, from wherever: a forgetful player has a dozen, and at that pace the
# thousand most common passwords take a guesser with many addresses ten hours.
RATE_LIMIT_LOGIN_FAILURES = env.rate("RATE_LIMIT_LOGIN_FAILURES", "100/h")
RATELIMIT_USE_CACHE = "default"

STARTING_COINS = env.number("STARTING_COINS", 1000)
MARKET_FEE_PERCENT = env.number("MARKET_FEE_PERCENT", 5, 0, 100)

# --- Accounts ---------------------------------------------------------------------------------------------

AUTH_USER_MODEL = "accounts.Player"
AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", "accounts.backends.PlayerBackend"]
PASSWORD_HASHERS = [
    "accounts.hashers.BoundedArgon2",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {
        "NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator",
        "OPTIONS": {"user_attributes": ("login", "email")},
    },
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 8}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]

# W004 wants a plain unique column; ours is unique without regard to case, by a constraint of its own.
SILENCED_SYSTEM_CHECKS = ["auth.W004"]

LOGIN_FAILURE_LIMIT = env.number("LOGIN_FAILURE_LIMIT", 10)
# Axes also hears what RATE_LIMIT_LOGIN_FAILURES counts; where only that is on, its own limit is never reached.
AXES_ENABLED = LOGIN_FAILURE_LIMIT > 0 or RATE_LIMIT_LOGIN_FAILURES is not None
AXES_FAILURE_LIMIT = LOGIN_FAILURE_LIMIT or 2**31 - 1
AXES_HANDLER = "accounts.lockout.LoginHandler"
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_COOLOFF_TIME = timedelta(minutes=15)
AXES_RESET_ON_SUCCESS = True
# A locked-out player who keeps trying must still be let in a quarter of an hour after the last counted failure.
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
AXES_USERNAME_CALLABLE = "accounts.backends.axes_username"
AXES_CLIENT_IP_CALLABLE = "accounts.backends.axes_client_ip"
AXES_LOCKOUT_CALLABLE = "accounts.backends.axes_lockout"
AXES_VERBOSE = False
AXES_DISABLE_ACCESS_LOG = True
AXES_HTTP_RESPONSE_CODE = 429

SIMPLE_JWT = {
    "ALGORITHM": "HS256",
    "SIGNING_KEY": JWT_SIGNING_KEY,
    "ISSUER": "bcraftd",
    "ACCESS_TOKEN_LIFETIME": timedelta(minutes=15),
    # The session ends after CACHE_SESSION_TTL without use: a refresh token outlives that by one access token.
    "REFRESH_TOKEN_LIFETIME": timedelta(seconds=CACHE_SESSION_TTL, minutes=15),
    "USER_ID_CLAIM": "player_id",
    "UPDATE_LAST_LOGIN": False,
}

# The admin's sessions. Players' sessions are accounts.PlayerSession.
SESSION_ENGINE = "bcraftd.sessions"
SESSION_SERIALIZER = "django.contrib.sessions.serializers.JSONSerializer"
SESSION_COOKIE_NAME = "bcraftd_admin"
SESSION_COOKIE_AGE = 12 * 3600
SESSION_COOKIE_HTTPONLY = True

# --- The API ----------------------------------------------------------------------------------------------

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["accounts.api.authentication.SessionTokenAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["bcraftd.parsing.StrictJSONParser"],
    "DEFAULT_SCHEMA_CLASS": "bcraftd.schema.ApiSchema",
    "EXCEPTION_HANDLER": "bcraftd.errors.exception_handler",
    "UNAUTHENTICATED_USER": "bcraftd.identity.Anonymous",
    "URL_FORMAT_OVERRIDE": None,
    "COERCE_DECIMAL_TO_STRING": False,
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}

SPECTACULAR_SETTINGS = {
    "TITLE": "B-CraftD",
    "DESCRIPTION": "The REST API of a multiplayer crafting economy: gather, craft, trade, climb. Bodies and queries are"
    " closed: a field or a parameter that is not named here is refused, and so is a parameter given twice.",
    "VERSION": "0.1.0",
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PUBLIC": True,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SERVE_AUTHENTICATION": [],
    "SCHEMA_PATH_PREFIX": r"/api",
    "COMPONENT_SPLIT_REQUEST": True,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "ENUM_NAME_OVERRIDES": {"SuccessEnum": [("success", "success")]},
    # bcraftd/converters.py
    "PATH_CONVERTER_OVERRIDES": {
        "id": {"type": "integer", "format": "int64", "minimum": 1, "maximum": 2**63 - 1},
    },
    "POSTPROCESSING_HOOKS": ["drf_spectacular.hooks.postprocess_schema_enums", "bcraftd.openapi.complete"],
}

# --- Static files, security -------------------------------------------------------------------------------

STATIC_URL = "/static/"
# WhiteNoise reads the packages' own files at start: no collectstatic step that an operator can forget.
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = False
# Its default would let every site read them; ours alone have a use for them.
WHITENOISE_ALLOW_ALL_ORIGINS = False

HTTPS = env.flag("HTTPS", True)
SECURE_SSL_REDIRECT = HTTPS
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$", r"^metrics$"]
SECURE_HSTS_SECONDS = 365 * 24 * 3600 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = HTTPS
SECURE_HSTS_PRELOAD = HTTPS
SESSION_COOKIE_SECURE = HTTPS
CSRF_COOKIE_SECURE = HTTPS
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"

# What the API answers is never a page, so that nothing may run in it.
# bcraftd/middleware.py gives the admin and the docs another policy.
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {"default-src": [NONE], "frame-ancestors": [NONE], "base-uri": [NONE], "form-action": [NONE]}
}

# Unfold's login form does not say where to go on.
LOGIN_REDIRECT_URL = "admin:index"
_ICON = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="7" fill="#9810fa"/>'
    '<path d="M6 9h14l6 4-6 3v-2h-3v12h-5V14H6z" fill="#fff"/></svg>'
)
UNFOLD = {
    "SITE_TITLE": "B-CraftD",
    "SITE_HEADER": "B-CraftD",
    "SITE_SUBHEADER": "Crafting economy",
    "SITE_SYMBOL": "construction",
    "SITE_URL": "/api/docs",
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": f"data:image/svg+xml,{quote(_ICON)}"}],
    "SHOW_HISTORY": True,
    "DASHBOARD_CALLBACK": "bcraftd.dashboard.context",
    "SHOW_VIEW_ON_SITE": False,
    # What unfold itself leaves unreadable or nameless.
    "STYLES": [lambda request: f"{STATIC_URL}operators/operators.css"],
    "SCRIPTS": [lambda request: f"{STATIC_URL}operators/operators.js"],
    "SIDEBAR": {"show_search": True, "navigation": "bcraftd.adminmenu.navigation"},
}

# --- Background work --------------------------------------------------------------------------------------

QCLUSTER_WORKERS = env.number("QCLUSTER_WORKERS", 2, 1, 64)
Q_CLUSTER = {
    "name": "bcraftd",
    # The ORM broker: its Redis broker loses a task when a worker dies.
    "orm": "default",
    "workers": QCLUSTER_WORKERS,
    # Seconds. A task that runs longer is ended; a task is given to another worker only well after that.
    "timeout": 120,
    "retry": 180,
    "max_attempts": 3,
    "ack_failures": True,
    "catch_up": False,
    "poll": 1,
    # Of each schedule, so that the runs of what is due every minute do not push out the last one of what is due daily.
    "save_limit": 100,
    "save_limit_per": "group",
    "recycle": 500,
    "label": "Background work",
}

# --- Logs: one JSON object a line ------------------------------------------------------------------------

DJANGO_STRUCTLOG_TRUST_UPSTREAM_REQUEST_ID = True
DJANGO_STRUCTLOG_STATUS_4XX_LOG_LEVEL = logging.INFO
# One line for a request, when it is answered; bcraftd/logs.py adds what the first one would have said.
DJANGO_STRUCTLOG_STATUS_START_LOG_LEVEL = logging.DEBUG
DJANGO_STRUCTLOG_IP_LOGGING_ENABLED = False
DJANGO_STRUCTLOG_USER_ID_FIELD = ""
# Every how many answers of the express lane leave a line; 0: none does. A line takes half as long as the answer does.
LOG_HITS = env.number("LOG_HITS", 0)
_passwords = [
    *(str(each.get("PASSWORD") or "") for each in DATABASES.values()),
    redisplace.password_of(REDIS_URL),
    REDIS_SENTINEL_PASSWORD,
]
_shared: list[Any] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "json": {
            "()": structlog.stdlib.ProcessorFormatter,
            "processors": [
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                structlog.processors.JSONRenderer(default=str),
                Masked([SECRET_KEY, JWT_SIGNING_KEY, METRICS_TOKEN, *_passwords]),
            ],
            # What logging's own callers give as `extra` stands in the line like everything else.
            "foreign_pre_chain": [*_shared, structlog.stdlib.ExtraAdder()],
        }
    },
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "json"}},
    "root": {
        "handlers": ["console"],
        "level": env.choice("LOG_LEVEL", "INFO", ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")),
    },
    "loggers": {
        # Its own handlers go: with DEBUG on one of them would write each line a second time, as it came. Below INFO it
        # logs what templates were given, the tokens of forms among it, and statements with their values.
        "django": {"handlers": [], "level": "INFO"},
        "django.server": {"handlers": ["console"], "propagate": False},
        # A refusal has its line already; an error has this one too, which shows where it came from.
        "django.request": {"level": "ERROR"},
        # bcraftd/tasklogs.py has a line for each task; a failed one has this one too, with its traceback.
        "django-q": {"level": "WARNING"},
    },
}
structlog.configure(
    processors=[structlog.stdlib.filter_by_level, *_shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
    logger_factory=structlog.stdlib.LoggerFactory(),
    cache_logger_on_first_use=True,
)
