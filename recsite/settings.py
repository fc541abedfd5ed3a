"""Every setting of Recsite, with its unit and default; values come from the environment through ``env.py``.

The names in ``docs/settings.md`` are the names of the environment variables read here.
"""

from __future__ import annotations

import gc
import os
from pathlib import Path
from typing import Any

from django.urls import reverse_lazy
from django.utils.translation import gettext_lazy

from recsite import valid
from recsite.backoffice.navigation import UNFOLD  # noqa: F401  (a setting)
from recsite.databases import databases
from recsite.env import Env, read_env_file
from recsite.keys import CACHE_PREFIX, CELERY_PREFIX
from recsite.mail import SCHEMES, mail_settings
from recsite.server.csp import STRICT
from recsite.server.logs import logging_config
from tracking.log.urls import DURABLE_SCHEMES

# While modules are imported nothing is garbage, and looking for it costs a fifth of the start; apps.py ends this.
gc.disable()

REDIS_SCHEMES = ("redis", "rediss", "unix", "redis+cluster", "rediss+cluster")
MOST_DAYS = 100 * 366

BASE_DIR = Path(__file__).resolve().parent.parent
env = Env()

# Where the installation keeps what it writes: database, embedded Redis, spool, archive, model versions.
DATA_DIR = Path(env.string("RECSITE_DATA_DIR", str(BASE_DIR / "var"), each=valid.a_writable_folder)).resolve()
# `manage.py up` writes here what it chose (secret key, address of its Redis), so that commands in another
# terminal find the same installation. The environment wins over the file.
env = Env({**read_env_file(DATA_DIR / "local.env"), **os.environ})
env.names.add("RECSITE_DATA_DIR")

# --- Django -----------------------------------------------------------------------------------------------
DEBUG = env.boolean("RECSITE_DEBUG", False)
# No default: `manage.py up` and the tests make one of their own; without it nothing starts.
SECRET_KEY = env.secret("RECSITE_SECRET_KEY") or ""
# Former secrets, newest first, that signatures may still be of while they are replaced.
SECRET_KEY_FALLBACKS = (env.secret("RECSITE_SECRET_KEY_FALLBACKS") or "").replace(",", " ").split()
ALLOWED_HOSTS = list(
    env.words("RECSITE_ALLOWED_HOSTS", ("localhost", "127.0.0.1", "[::1]"), each=valid.an_allowed_host)
)
CSRF_TRUSTED_ORIGINS = list(env.words("RECSITE_CSRF_TRUSTED_ORIGINS", (), each=valid.an_origin))
# https in front of us (nginx): secure cookies, redirects and HSTS.
HTTPS = env.boolean("RECSITE_HTTPS", False)
SECURE_SSL_REDIRECT = HTTPS
SECURE_REDIRECT_EXEMPT = [r"^metrics$"]  # Prometheus asks each process itself, beside the proxy
SESSION_COOKIE_SECURE = HTTPS
CSRF_COOKIE_SECURE = HTTPS
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = HTTPS
# Lists that browsers ship are hard to leave: a decision of whoever owns the domain.
SECURE_HSTS_PRELOAD = HTTPS and env.boolean("RECSITE_HSTS_PRELOAD", False)
SILENCED_SYSTEM_CHECKS = ["security.W021"]  # that one asks for it
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if HTTPS else None
SECURE_REFERRER_POLICY = "strict-origin-when-cross-origin"
X_FRAME_OPTIONS = "DENY"

INSTALLED_APPS = [
    "recsite.backoffice.console.ConsoleConfig",  # Unfold, with every screen held to the sites of the staff member
    "unfold.contrib.filters",
    "unfold.contrib.forms",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "channels",
    "ninja",  # brings Swagger UI as static files: the API page needs no other host
    "corsheaders",
    "csp",
    "axes",
    "django_otp",
    "django_otp.plugins.otp_totp",
    "oauth2_provider",
    "django_celery_beat",
    "django_prometheus",
    "tracking",
    "features",
    "recommendations",
    "recsite",
]

MIDDLEWARE = [
    "recsite.server.middleware.RequestId",
    "recsite.server.middleware.MetricsByAddress",
    "django_prometheus.middleware.PrometheusBeforeMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "corsheaders.middleware.CorsMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "recsite.server.middleware.PageLanguage",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django_otp.middleware.OTPMiddleware",
    "recsite.server.middleware.SecondFactor",
    "django.contrib.messages.middleware.MessageMiddleware",
    "tracking.staff.audit.ActorMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "recsite.server.csp.PolicyMiddleware",
    "axes.middleware.AxesMiddleware",
    "recsite.backoffice.login_limits.LoginWait",
    "django_prometheus.middleware.PrometheusAfterMiddleware",
]

ROOT_URLCONF = "recsite.urls"
WSGI_APPLICATION = "recsite.wsgi.application"
ASGI_APPLICATION = "recsite.asgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "csp.context_processors.nonce",
            ],
        },
    },
]

# --- Database: SQLite in WAL mode on a laptop, PostgreSQL by DATABASE_URL -----------------------------------
DATABASE_URL = env.url("DATABASE_URL", None, schemes=("sqlite", "postgres", "postgresql"), each=valid.a_database)
# Longest statement, and half of it the longest wait for a lock; 0: no limit. The client gives up 5 s later.
DATABASE_TIMEOUT_MS = env.integer("RECSITE_DATABASE_TIMEOUT_MS", 30_000, minimum=0, maximum=3_600_000)
DATABASES = databases(DATABASE_URL, folder=DATA_DIR, timeout_ms=DATABASE_TIMEOUT_MS)
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- Redis, event log ---------------------------------------------------------------------------------------
# Features, announcements, cache and Celery's broker; `manage.py up` starts a Redis of its own when this is unset.
REDIS_URL = env.url("REDIS_URL", None, schemes=REDIS_SCHEMES, each=valid.a_redis) or "redis://127.0.0.1:6379/0"
# kafka://host:port,…/topic?partitions=8 or redis://host:port/db?stream=recsite.events&partitions=4
EVENT_LOG_URL = (
    env.url(
        "EVENT_LOG_URL",
        None,
        schemes=DURABLE_SCHEMES,
        each=valid.a_server,
    )
    or REDIS_URL
)
EVENT_LOG_TIMEOUT_MS = env.integer("EVENT_LOG_TIMEOUT_MS", 50, minimum=1, maximum=10_000)
REDIS_TIMEOUT_MS = env.integer("REDIS_TIMEOUT_MS", 25, minimum=1, maximum=10_000)
SPOOL_DIR = Path(env.string("SPOOL_DIR", str(DATA_DIR / "spool"), each=valid.a_writable_folder))
SPOOL_MAX_MB = env.integer("SPOOL_MAX_MB", 1024, minimum=1, maximum=1 << 30)
# How many proxies of ours stand in front: which entry of X-Forwarded-For is the client's address, and whether
# X-Forwarded-Proto is trusted. 0: none is.
TRUSTED_PROXIES = env.integer("RECSITE_TRUSTED_PROXIES", 0, minimum=0, maximum=10)
# Where those proxies connect from; from anywhere else the headers count for nothing. Empty: nobody else reaches us.
TRUSTED_PROXY_NETWORKS = env.words("RECSITE_TRUSTED_PROXY_NETWORKS", (), each=valid.a_network)

CACHES = {
    "default": {
        "BACKEND": "django_redis.cache.RedisCache",
        "LOCATION": REDIS_URL.replace("+cluster", ""),
        "KEY_PREFIX": CACHE_PREFIX,
        "OPTIONS": {
            "SOCKET_CONNECT_TIMEOUT": 0.5,
            "SOCKET_TIMEOUT": 0.5,
            "IGNORE_EXCEPTIONS": True,
        },
    }
}
SESSION_ENGINE = "django.contrib.sessions.backends.db"

# --- Features -----------------------------------------------------------------------------------------------
SESSION_TTL_S = env.integer("RECSITE_SESSION_TTL_S", 900, minimum=10, maximum=MOST_DAYS * 86_400)
PROFILE_TTL_S = env.integer("RECSITE_PROFILE_TTL_S", 90 * 86_400, minimum=60, maximum=MOST_DAYS * 86_400)
LATENESS_MS = env.integer("RECSITE_LATENESS_MS", 15 * 60_000, minimum=0, maximum=MOST_DAYS * 86_400_000)
STREAM_BATCH_RECORDS = env.integer("RECSITE_STREAM_BATCH_RECORDS", 500, minimum=1, maximum=10_000)
ARCHIVE_URL = env.string("RECSITE_ARCHIVE_URL", str(DATA_DIR / "archive"), each=valid.an_archive)
# A demo may show a log of many years ago, whose archive the next full hour would empty.
ARCHIVE_RETENTION_DAYS = env.integer(
    "RECSITE_ARCHIVE_RETENTION_DAYS",
    36_500 if env.boolean("RECSITE_DEMO", False) else 400,
    minimum=1,
    maximum=MOST_DAYS,
)
PROFILE_RETENTION_DAYS = env.integer(
    "RECSITE_PROFILE_RETENTION_DAYS", ARCHIVE_RETENTION_DAYS, minimum=1, maximum=MOST_DAYS
)

# --- Recommendations ----------------------------------------------------------------------------------------
MODEL_DIR = Path(env.string("RECSITE_MODEL_DIR", str(DATA_DIR / "models"), each=valid.a_folder))
# Folder of an ONNX sentence encoder (docs/models.md); empty counts letters and words.
TEXT_ENCODER = env.string("RECSITE_TEXT_ENCODER", "", each=valid.a_folder_that_is_there)
INFERENCE_PROVIDER = env.string("RECSITE_INFERENCE_PROVIDER", "auto", each=valid.one_of("auto", "cpu", "cuda"))
INFERENCE_THREADS = env.integer("RECSITE_INFERENCE_THREADS", 2, minimum=1, maximum=64)
BUDGET_MS = env.integer("RECSITE_BUDGET_MS", 60, minimum=1, maximum=10_000)
# In which a proxy in front says the visitor's country, such as CF-IPCountry; empty: none does.
COUNTRY_HEADER = env.string("RECSITE_COUNTRY_HEADER", "", each=valid.a_header_name)

# --- Celery -------------------------------------------------------------------------------------------------
CELERY_BROKER_URL = env.optional("CELERY_BROKER_URL", each=valid.a_broker) or REDIS_URL.replace("+cluster", "")
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TASK_DEFAULT_QUEUE = "recsite"
CELERY_TASK_TIME_LIMIT = 3 * 3600
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "global_keyprefix": CELERY_PREFIX,
    "socket_timeout": 5,
    "socket_connect_timeout": 2,
    "visibility_timeout": 4 * 3600,
}
CELERY_BEAT_SCHEDULER = "django_celery_beat.schedulers:DatabaseScheduler"
CELERY_TIMEZONE = "UTC"

# --- Languages, time, static files ----------------------------------------------------------------------------
# Of logs, replies of the API and the shop; staff choose theirs in the console, or their browser does.
LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("de", "Deutsch")]
LOCALE_PATHS = [BASE_DIR / "locale"]
LANGUAGE_COOKIE_AGE = 365 * 86400
LANGUAGE_COOKIE_HTTPONLY = True
LANGUAGE_COOKIE_SAMESITE = "Lax"
LANGUAGE_COOKIE_SECURE = HTTPS
TIME_ZONE = "UTC"
USE_I18N = True
FORMAT_MODULE_PATH = ["recsite.backoffice.formats"]
USE_TZ = True
STATIC_URL = "/static/"
STATIC_ROOT = Path(env.string("RECSITE_STATIC_ROOT", str(DATA_DIR / "static"), each=valid.a_folder))
MEDIA_ROOT = DATA_DIR / "media"
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = False
DATA_UPLOAD_MAX_MEMORY_SIZE = 2 * 1024 * 1024

# --- Staff: passwords, login throttling, OAuth2 ---------------------------------------------------------------
PASSWORD_HASHERS = [
    "recsite.backoffice.hashing.TwoAtATime",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
AUTHENTICATION_BACKENDS = [
    "recsite.backoffice.login_limits.LoginLimits",
    "django.contrib.auth.backends.ModelBackend",
    "tracking.staff.backend.RoleBackend",
]
AXES_VERBOSE = False
AXES_FAILURE_LIMIT = 10
AXES_COOLOFF_TIME = 0.25  # hours
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_CLIENT_IP_CALLABLE = (
    "recsite.server.middleware.client_address"  # X-Forwarded-For as far as RECSITE_TRUSTED_PROXIES says
)
# Staff need an authenticator app beside their password; they set it up at their next login.
REQUIRE_SECOND_FACTOR = env.boolean("RECSITE_REQUIRE_SECOND_FACTOR", False)
OTP_TOTP_ISSUER = "Recsite"
OTP_ADMIN_HIDE_SENSITIVE_DATA = True  # a secret is shown to whom it belongs, once, while they set it up
# Login by OpenID Connect beside passwords: off without an issuer.
OIDC_ISSUER = env.url("RECSITE_OIDC_ISSUER", None, schemes=("https", "http"), each=valid.a_server)
OIDC_RP_CLIENT_ID = env.string("RECSITE_OIDC_CLIENT_ID", "")
OIDC_RP_CLIENT_SECRET = env.secret("RECSITE_OIDC_CLIENT_SECRET") or ""
OIDC_GROUPS_CLAIM = env.string("RECSITE_OIDC_GROUPS_CLAIM", "groups")
# Which group of the provider is which role: merchants=shop:Merchandiser, admins=shop:Owner.
OIDC_ROLES = [valid.parts_of_role(one) for one in env.words("RECSITE_OIDC_ROLES", (), each=valid.a_role)]
if OIDC_ISSUER:
    INSTALLED_APPS.append("mozilla_django_oidc")
    AUTHENTICATION_BACKENDS.append("recsite.backoffice.single_sign_on.Backend")
OIDC_RP_SIGN_ALGO = "RS256"
OIDC_RP_SCOPES = env.string("RECSITE_OIDC_SCOPES", "openid email profile")
OIDC_USE_PKCE = True
OIDC_TIMEOUT = 5
OIDC_CALLBACK_CLASS = "recsite.backoffice.single_sign_on.Callback"
OIDC_AUTHENTICATE_CLASS = "recsite.backoffice.single_sign_on.Begin"
LOGIN_URL = reverse_lazy("admin:login")
LOGIN_REDIRECT_URL = reverse_lazy("admin:index")
OAUTH2_PROVIDER: dict[str, Any] = {
    "SCOPES": {
        "events": gettext_lazy("Send events"),
        "recommendations": gettext_lazy("Read recommendations"),
        "catalogue": gettext_lazy("Read and write items, placements and exchange rates"),
        "users": gettext_lazy("Export and erase users"),
        "reports": gettext_lazy("Read reports"),
    },
    "ACCESS_TOKEN_EXPIRE_SECONDS": 900,
    "ACCESS_TOKEN_GENERATOR": "tracking.access.tokens.generate",
    "SCOPES_BACKEND_CLASS": "tracking.http.oauth.SiteScopes",
    "OAUTH2_VALIDATOR_CLASS": "tracking.http.oauth.ClientCredentialsOnly",
    "ALLOWED_REDIRECT_URI_SCHEMES": ["https"],
    # RFC 9700 as far as the library knows it: tokens kept as digests only, nothing that is discouraged.
    **{
        f"COMPLIANT_BCP_RFC9700_{name}": True
        for name in (
            "IMPLICIT_GRANT",
            "PASSWORD_GRANT",
            "PKCE_METHOD",
            "ACCESS_TOKEN_TRANSPORT",
            "AUTHZ_RESPONSE_ISS",
            "TOKEN_STORAGE",
            "REFRESH_TOKEN",
            "REDIRECT_URI_SCHEME",
            "REDIRECT_URI_MATCHING",
            "PKCE_REQUIRED",
        )
    },
    "REFRESH_TOKEN_REUSE_PROTECTION": True,
}
OAUTH2_PROVIDER_APPLICATION_MODEL = "oauth2_provider.Application"
OAUTH2_PROVIDER_ACCESS_TOKEN_MODEL = "oauth2_provider.AccessToken"  # noqa: S105  (a class)
# nginx says it together with the client certificate that it verified (deploy/nginx/mtls.conf); unset: nobody can.
PROXY_SECRET = env.secret("RECSITE_PROXY_SECRET", each=valid.a_secret)

# --- Browser security -----------------------------------------------------------------------------------------
# What each page may load and run; relaxed where recsite/server/csp.py says why.
CONTENT_SECURITY_POLICY = {"EXCLUDE_URL_PREFIXES": ("/metrics",), "DIRECTIVES": STRICT}
CORS_ALLOWED_ORIGINS: list[str] = []  # the hot paths answer CORS by each site's own origins (tracking/http/edge.py)
CORS_URLS_REGEX = r"^/v1/.*$"

# --- E-mail: reports that people asked for -----------------------------------------------------------------------
globals().update(mail_settings(env.url("RECSITE_EMAIL_URL", None, schemes=SCHEMES, each=valid.a_server)))
DEFAULT_FROM_EMAIL = env.string("RECSITE_EMAIL_FROM", "Recsite <recsite@localhost>")

# --- Metrics and logs -----------------------------------------------------------------------------------------
METRICS_TOKEN = env.secret("RECSITE_METRICS_TOKEN", each=valid.a_token)  # unset: /metrics answers loopback only
# Celery workers answer Prometheus here; 0: they do not (on one machine the web processes answer for all).
METRICS_HOST = env.string("RECSITE_METRICS_HOST", "127.0.0.1", each=valid.a_host)
METRICS_PORT = env.integer("RECSITE_METRICS_PORT", 0, minimum=0, maximum=65535)
PROMETHEUS_EXPORT_MIGRATIONS = False
LOG_LEVEL = env.string("RECSITE_LOG_LEVEL", "INFO", each=valid.a_level)
LOG_FORMAT = env.string("RECSITE_LOG_FORMAT", "text")
LOGGING = logging_config(LOG_LEVEL, LOG_FORMAT)
# A project of Sentry, GlitchTip or another service that speaks its protocol; unset: errors stand in the log alone.
SENTRY_DSN = env.secret("RECSITE_SENTRY_DSN", each=valid.a_project)
SENTRY_ENVIRONMENT = env.string("RECSITE_SENTRY_ENVIRONMENT", "production")
# An OpenTelemetry collector that takes OTLP over HTTP; unset: nothing is traced. The share is of requests whose caller
# does not trace them.
OTLP_ENDPOINT = env.url("RECSITE_OTLP_ENDPOINT", None, schemes=("http", "https"), each=valid.a_collector)
TRACE_SHARE = env.number("RECSITE_TRACE_SHARE", 0.01, minimum=0.0, maximum=1.0)

# --- Demo -----------------------------------------------------------------------------------------------------
DEMO = env.boolean("RECSITE_DEMO", False)  # serves the demo shop at / and allows its printed password

# --- Names that nobody reads ------------------------------------------------------------------------------------
# Told by a system check and in the log of each process: most are misspelt. Of the others deploy/ and benchmarks/ know.
UNKNOWN_SETTINGS = env.unknown(
    prefixes=("RECSITE_", "EVENT_LOG_", "SPOOL_"),
    others=frozenset(
        {
            "RECSITE_ACME_EMAIL", "RECSITE_ACME_SERVER", "RECSITE_BENCHMARK_DATA", "RECSITE_BIND", "RECSITE_DOMAIN",
            "RECSITE_EXTRAS", "RECSITE_TLS",
        }
    ),
)  # fmt: skip
