"""Clients of Redis and of the log, made on first use and dropped when a setting changes."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import redis
from django.conf import settings
from django.core.signals import setting_changed

from features.store.online import OnlineStore
from tracking.log import EventLog, open_log
from tracking.redis_client import connect

WORKER_TIMEOUT_S = 2.0
"""A stream worker waits longer for Redis than a request does: a batch is a large transaction."""


@lru_cache(maxsize=1)
def event_log() -> EventLog:
    """Return the event log of ``EVENT_LOG_URL``."""
    return open_log(settings.EVENT_LOG_URL)


def partitions() -> int:
    """Return the number of partitions, which says under which key a user's state stands."""
    return event_log().partitions


def log_name() -> str:
    """Return the name under which positions in this log are stored: positions of another backend mean nothing."""
    return name_of(event_log())


def name_of(log: EventLog) -> str:
    """Return backend and topic of a log."""
    return f"{type(log).__name__.removesuffix('Log').lower()}:{log.topic}"


@lru_cache(maxsize=1)
def client() -> redis.Redis:
    """Return the client of ``REDIS_URL`` for tasks and commands; not for requests."""
    return connect(settings.REDIS_URL, timeout_s=WORKER_TIMEOUT_S)


@lru_cache(maxsize=1)
def store() -> OnlineStore:
    """Return the store of this process."""
    return OnlineStore(
        client(),
        log_name=log_name(),
        session_ttl_s=settings.SESSION_TTL_S,
        profile_ttl_s=settings.PROFILE_TTL_S,
    )


def drop_clients(*, setting: str = "", **kwargs: Any) -> None:
    """Forget the clients, as after a change of a setting that they were made from."""
    if setting in ("", "REDIS_URL", "EVENT_LOG_URL", "SESSION_TTL_S", "PROFILE_TTL_S"):
        store.cache_clear()
        client.cache_clear()
        event_log.cache_clear()


setting_changed.connect(drop_clients, dispatch_uid="features.drop_clients")
