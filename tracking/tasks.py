"""Periodic work of tracking: bring dead letters into the admin, and forget old ones."""

from __future__ import annotations

import logging
from typing import Final

from celery import shared_task

from tracking import dead_letter_rows, oauth
from tracking.exceptions import LogUnavailable
from tracking.redis_client import UNAVAILABLE

log = logging.getLogger(__name__)

KEEP_DAYS: Final = 90


@shared_task(name="tracking.import_dead_letters")  # type: ignore[untyped-decorator]  # celery ships no types
def import_dead_letters() -> None:
    """Bring new dead letters into the database; every ten seconds."""
    try:
        added = dead_letter_rows.import_dead_letters()
    except (LogUnavailable, *UNAVAILABLE) as error:
        log.warning("tasks.dead_letters_delayed error=%s", error)
        return
    if added:
        log.info("tasks.dead_letters_imported letters=%s", added)


@shared_task(name="tracking.forget_dead_letters")  # type: ignore[untyped-decorator]
def forget_dead_letters() -> None:
    """Delete letters older than ``KEEP_DAYS``; every day."""
    log.info("tasks.dead_letters_forgotten letters=%s", dead_letter_rows.forget_old(days=KEEP_DAYS))


@shared_task(name="tracking.forget_expired_tokens")  # type: ignore[untyped-decorator]
def forget_expired_tokens() -> None:
    """Delete OAuth2 tokens that expired; every hour."""
    log.info("tasks.tokens_forgotten tokens=%s", oauth.forget_expired_tokens())
