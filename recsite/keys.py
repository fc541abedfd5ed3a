"""What begins the Redis keys that libraries spell for us; ``docs/redis-keys.md`` is compared with its table."""

from __future__ import annotations

from typing import Final

from tracking.keys import RedisKey

CACHE_PREFIX: Final = "rs:cache"
CELERY_PREFIX: Final = "rs:celery:"
LOGIN_PREFIX: Final = "rs:login"

CACHE: Final = RedisKey(name="Django's cache", pattern="rs:cache:<rest>", ttl=300)
CELERY: Final = RedisKey(
    name="task queues, bindings and unacknowledged tasks of Celery",
    pattern="rs:celery:<rest>",
    ttl="none: Celery removes a task when it is done; a task names a site, never a user",
)

LOGIN_FAILURES: Final = RedisKey(
    name="failed logins of a network, a name (both by keyed hash) and the installation in a day",
    pattern="rs:login:<rest>",
    ttl=86_400,
)

TABLE: Final = (CACHE, CELERY, LOGIN_FAILURES)
