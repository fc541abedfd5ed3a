"""System checks of tracking: mistakes in the settings, told at the start and not by the first request."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register

from tracking.log import InvalidLogUrl, open_log
from tracking.redis_client import InvalidRedisUrl, connect_async


@register("start")
def event_log_url_is_valid(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Refuse an address of the log that cannot be used; connects to nothing."""
    try:
        open_log(settings.EVENT_LOG_URL)
    except InvalidLogUrl as error:
        return [Error(f"EVENT_LOG_URL: {error}", hint="See docs/settings.md.", id="tracking.E001")]
    return []


@register("start")
def redis_url_is_valid(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Refuse an address of Redis that cannot be used; connects to nothing."""
    try:
        connect_async(settings.REDIS_URL, timeout_s=1.0)  # checks the address, and connects at its first command
    except InvalidRedisUrl as error:
        return [Error(f"REDIS_URL: {error}", hint="See docs/settings.md.", id="tracking.E002")]
    return []


@register("start")
def spool_can_be_written(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Refuse a spool that could take nothing when the log is unavailable."""
    folder = Path(settings.SPOOL_DIR)
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    if existing.is_dir() and os.access(existing, os.W_OK | os.X_OK):
        return []
    return [
        Error(
            f"SPOOL_DIR={str(folder)!r} cannot be written: {str(existing)!r} is not a folder of ours",
            hint="Name a folder that this user may write to, on a disk that outlives the process.",
            id="tracking.E003",
        )
    ]
