"""Settings, from the environment; without one, an embedded installation that needs no service.

Secrets may come from files: SECRET_KEY_FILE, DATABASE_URL_FILE and so on are read where they are set.
"""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

import django_stubs_ext
import environ
from kombu import Exchange, Queue

from nnlab import home, logs

django_stubs_ext.monkeypatch()  # so that admin.ModelAdmin[Run] works at run time on Django 5.2

env = environ.FileAwareEnv()


def _secret(name: str) -> str:
    """Read a secret; a file's last line end is not part of it."""
    return str(env.str(name, default="")).strip()


BASE_DIR = Path(__file__).resolve().parent.parent
NNLAB_HOME = home.data_folder()
CSV_FOLDER = NNLAB_HOME / "datasets"

INSTANCE = env.str("NNLAB_INSTANCE", default="")  # set by the supervisor, to know its own web server
ADMIN_USER = env.str("NNLAB_ADMIN_USER", default="admin")
ADMIN_PASSWORD = _secret("NNLAB_ADMIN_PASSWORD")
METRICS_TOKEN = _secret("NNLAB_METRICS_TOKEN")  # with which Prometheus may read /metrics, and nothing else

DEBUG = False
SECRET_KEY = _secret("SECRET_KEY") or home.secret_key(NNLAB_HOME)
ALLOWED_HOSTS = env.list("NNLAB_ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])
CSRF_TRUSTED_ORIGINS = env.list("NNLAB_ORIGINS", default=[])

INSTALLED_APPS = [
    "runs",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "axes",
    "csp",
]
MIDDLEWARE = [
    "nnlab.traffic.watched",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "axes.middleware.AxesMiddleware",
]
DATA_UPLOAD_MAX_NUMBER_FIELDS = 3_000  # four for each of an upload's columns, which may be 500
ROOT_URLCONF = "nnlab.urls"
ASGI_APPLICATION = "nnlab.asgi.application"
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
            ],
        },
    },
]

# Database: PostgreSQL where DATABASE_URL says so, else SQLite. Writers take SQLite's lock when their
# transaction begins: a reader that turns into a writer half-way could not wait and would fail at once.
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
_DATABASE_URL = _secret("DATABASE_URL") or f"sqlite:///{quote(str(NNLAB_HOME / 'nnlab.sqlite3'))}"
DATABASES = {"default": env.db_url_config(_DATABASE_URL)}
# Every thread of the web server keeps its connection, and looks before a request whether it still stands.
DATABASES["default"] = {"CONN_MAX_AGE": 60, "CONN_HEALTH_CHECKS": True} | DATABASES["default"]
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    DATABASES["default"]["OPTIONS"] = {
        "timeout": 30,
        "transaction_mode": "IMMEDIATE",
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA mmap_size=268435456;",
    }

else:  # a host that does not answer any more must not hold up a training for minutes
    _PATIENCE = {"connect_timeout": 5, "keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 2}
    _PATIENCE["tcp_user_timeout"] = 20_000  # milliseconds; the others are seconds
    DATABASES["default"]["OPTIONS"] = _PATIENCE | DATABASES["default"].get("OPTIONS", {})

# Who may come in
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
AXES_FAILURE_LIMIT = 8
AXES_COOLOFF_TIME = 0.25  # hours
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_RESET_ON_SUCCESS = True
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "login"
SESSION_COOKIE_HTTPONLY = True
HTTPS = env.bool("NNLAB_HTTPS", default=False)
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if HTTPS else None
SECURE_HSTS_SECONDS = 3600 * 24 * 30 if HTTPS else 0
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"

# One strict policy for the whole site, the admin included. Plotly sets two style attributes: the empty
# string, and the list of image-rendering values on a heat map's image; each is allowed by its hash.
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'none'"],
        "script-src": ["'self'"],
        "style-src": ["'self'"],
        "style-src-elem": ["'self'"],
        "style-src-attr": [
            "'unsafe-hashes'",
            "'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='",
            "'sha256-AR/cKIZjWPcPmBUPDA6oti9XBiTbJvz0Cro2J1VzzS8='",
        ],
        "img-src": ["'self'", "data:", "blob:"],
        "font-src": ["'self'"],
        "connect-src": ["'self'"],
        "form-action": ["'self'"],
        "base-uri": ["'none'"],
        "frame-ancestors": ["'none'"],
        "object-src": ["'none'"],
    },
}

STATIC_URL = "static/"
STATIC_ROOT = Path(env.str("NNLAB_STATIC", default=str(NNLAB_HOME / "static")))
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}

LANGUAGE_CODE = "en"
USE_TZ = True
TIME_ZONE = "UTC"

# The queue. The database row is the truth and a message only a wake-up, so the broker's redelivery is
# switched off in practice (24 hours): recovery belongs to the reconciler, which reads the leases.
REDIS_URL = _secret("REDIS_URL")
BROKER_SOCKET = None if REDIS_URL else home.broker_socket(NNLAB_HOME)
_VISIBILITY_TIMEOUT = 24 * 3600
# What an attempt at a run may take where its submission does not say, and the most that one may say.
RUN_TIME_LIMIT = env.int("NNLAB_RUN_TIME_LIMIT", default=6 * 3600)  # seconds
MAX_RUN_TIME_LIMIT = max(RUN_TIME_LIMIT, env.int("NNLAB_MAX_RUN_TIME_LIMIT", default=24 * 3600))
RUN_MEMORY_LIMIT_MB = env.int("NNLAB_RUN_MEMORY_LIMIT_MB", default=4096)
MAX_RUN_MEMORY_LIMIT_MB = max(RUN_MEMORY_LIMIT_MB, env.int("NNLAB_MAX_RUN_MEMORY_LIMIT_MB", default=16_384))
CELERY_BROKER_URL = REDIS_URL or f"redis+socket://{BROKER_SOCKET}"
# A submission must not wait for a broker that is away: it fails at once, and the reconciler publishes later.
# The workers have a patience of their own, and it is without end.
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": _VISIBILITY_TIMEOUT,
    "max_retries": 0,
    "socket_connect_timeout": 2,
}
CELERY_TASK_PUBLISH_RETRY = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_VISIBILITY_TIMEOUT = _VISIBILITY_TIMEOUT
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_TASK_IGNORE_RESULT = True
# A run waits in the queue of what it is to be trained on; a worker takes those that it is started for.
CELERY_TASK_QUEUES = [Queue(name, Exchange(name), routing_key=name) for name in ("cpu", "gpu")]
CELERY_TASK_CREATE_MISSING_QUEUES = False  # a queue's name that is mistyped is refused, and not waited at
CELERY_TASK_DEFAULT_QUEUE = "cpu"
# Behind the limit that training itself obeys, for an attempt that is stuck; it may be several runs together.
CELERY_TASK_SOFT_TIME_LIMIT = MAX_RUN_TIME_LIMIT + 600
CELERY_TASK_TIME_LIMIT = MAX_RUN_TIME_LIMIT + 720
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
# A process makes room for a new one after so many tasks, or the task in which it grew beyond so many bytes.
CELERY_WORKER_MAX_TASKS_PER_CHILD = 50
CELERY_WORKER_MAX_MEMORY_PER_CHILD = env.int("NNLAB_WORKER_MEMORY_MB", default=1024) * 1024  # kB
# What uses a GPU cannot be forked off a process that has looked at it.
CELERY_WORKER_POOL_START_METHOD = "spawn" if env.str("NNLAB_TIER", default="") == "cupy" else "fork"
# That a worker which is told to stop leaves its processes to save what they train and give it back.
STOP_SECONDS = env.float("NNLAB_STOP_SECONDS", default=8.0)
# While the broker is away a run goes on: its message says nothing that its row does not know.
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = False
CELERY_WORKER_HIJACK_ROOT_LOGGER = False

# Deleted runs are purged once they were in the trash for so many days; 0: never.
TRASH_DAYS = env.int("NNLAB_TRASH_DAYS", default=30)

# Checkpoints of runs: so many seconds apart, at least. A network whose own could be larger than the limit has
# none. Those of runs that are over are kept for so many days, the newest of them within so many bytes.
CHECKPOINT_SECONDS = env.float("NNLAB_CHECKPOINT_SECONDS", default=30.0)
CHECKPOINT_LIMIT = env.int("NNLAB_CHECKPOINT_LIMIT_MB", default=128) * 2**20
CHECKPOINT_DAYS = env.int("NNLAB_CHECKPOINT_DAYS", default=30)
CHECKPOINT_BUDGET = env.int("NNLAB_CHECKPOINT_BUDGET_MB", default=2048) * 2**20

# Notifications. Links in them begin with PUBLIC_URL; webhooks into the own network have to be allowed.
PUBLIC_URL = (env.str("NNLAB_PUBLIC_URL", default="") or next(iter(CSRF_TRUSTED_ORIGINS), "")).rstrip("/")
ALLOW_PRIVATE_WEBHOOKS = env.bool("NNLAB_ALLOW_PRIVATE_WEBHOOKS", default=False)
_EMAIL_URL = _secret("EMAIL_URL")
MAIL_IS_SET_UP = bool(_EMAIL_URL)
vars().update(env.email_url_config(_EMAIL_URL or "dummymail://"))
EMAIL_TIMEOUT = 10  # seconds
DEFAULT_FROM_EMAIL = env.str("NNLAB_EMAIL_FROM", default="") or "nnlab@localhost"

# How many runs a project and a person may have, where they have no bounds of their own; 0: any number.
PROJECT_MAX_RUNNING = env.int("NNLAB_PROJECT_MAX_RUNNING", default=0)
PROJECT_MAX_QUEUED = env.int("NNLAB_PROJECT_MAX_QUEUED", default=0)
USER_MAX_RUNNING = env.int("NNLAB_USER_MAX_RUNNING", default=0)
USER_MAX_QUEUED = env.int("NNLAB_USER_MAX_QUEUED", default=0)

# What one submission may ask for
MAX_RUNS_PER_SWEEP = env.int("NNLAB_MAX_RUNS_PER_SWEEP", default=1000)
MAX_STEPS_PER_RUN = env.int("NNLAB_MAX_STEPS_PER_RUN", default=10_000_000)

# Logs: lines for people, or JSON for machines. What is secret here is never printed.
LOG_FORMAT = env.str("NNLAB_LOG", default="") or "lines"
LOGGING = logs.configuration(
    LOG_FORMAT,
    env.str("NNLAB_LOG_LEVEL", default="") or "INFO",
    [SECRET_KEY, ADMIN_PASSWORD, METRICS_TOKEN, _DATABASE_URL, REDIS_URL, _EMAIL_URL],
)
