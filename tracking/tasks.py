"""Periodic work of tracking: forget old dead letters and expired tokens."""

from __future__ import annotations

import logging
from typing import Final

from celery import shared_task

from tracking.dead_letters import rows
from tracking.http import oauth

logger = logging.getLogger(__name__)

KEEP_DAYS: Final = 90


@shared_task(name="tracking.forget_dead_letters")  # type: ignore[untyped-decorator]  # celery ships no types
def forget_dead_letters() -> None:
    """Delete letters older than ``KEEP_DAYS``; every day."""
    logger.info("tasks.dead_letters_forgotten letters=%s", rows.forget_old(days=KEEP_DAYS))


@shared_task(name="tracking.forget_expired_tokens")  # type: ignore[untyped-decorator]
def forget_expired_tokens() -> None:
    """Delete OAuth2 tokens that expired; every hour."""
    logger.info("tasks.tokens_forgotten tokens=%s", oauth.forget_expired_tokens())
