"""One site's failure never stops another's: what a loop over sites wraps its turns in."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator

from celery.exceptions import SoftTimeLimitExceeded

from features import metrics
from features.exceptions import StoreUnavailable
from tracking.exceptions import LogUnavailable

logger = logging.getLogger(__name__)


@contextlib.contextmanager
def isolated(task: str, site: str) -> Iterator[None]:
    """Log and count what fails for ``site``, so that the loop goes on with the next one.

    Raises
    ------
    StoreUnavailable, LogUnavailable, SoftTimeLimitExceeded, MemoryError
        These are not of one site: whoever loops stops, and the next run does it all.
    """
    try:
        yield
    except (StoreUnavailable, LogUnavailable, SoftTimeLimitExceeded, MemoryError):
        raise
    except Exception:
        metrics.SITE_FAILURES.labels(task=task, site=site).inc()
        logger.exception("tasks.site_failed task=%s site=%s", task, site)
