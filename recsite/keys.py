"""What begins the Redis keys that libraries spell for us; ``docs/redis-keys.md`` is compared with its table."""

from __future__ import annotations

from typing import Final

from tracking.keys import RedisKey

CACHE_PREFIX: Final = "rs:cache"
CELERY_PREFIX: Final = "rs:celery:"

CACHE: Final = RedisKey(name="Django's cache", pattern="rs:cache:<rest>", ttl=300)
CELERY: Final = RedisKey(
    name="task queues, bindings and unacknowledged tasks of Celery",
    pattern="rs:celery:<rest>",
    ttl="none: Celery removes a task when it is done; a task names a site, never a user",
)

TABLE: Final = (CACHE, CELERY)
