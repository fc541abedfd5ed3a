"""What fails outside the pipeline's steps: logged, counted, and kept from breaking what does not depend on it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum

from recommendations.metrics import PIPELINE_ERRORS

logger = logging.getLogger(__name__)


class Part(StrEnum):
    """Where a request failed, other than in a step of the pipeline; a value of the label ``step``."""

    USER = "user"
    PAGE = "page"
    LIST = "list"
    ASIDE = "aside"


def note_failure(site: str, part: Part, error: Exception, *, placement: str = "") -> None:
    """Log an error with its traceback, and count it."""
    logger.error("lists.failed site=%s placement=%s step=%s", site, placement, part, exc_info=error)
    PIPELINE_ERRORS.labels(site, part.value).inc()


@contextmanager
def aside(site: str) -> Iterator[None]:
    """Run what no answer depends on, such as samples and receipts; an error is noted and costs nothing else."""
    try:
        yield
    except Exception as error:
        note_failure(site, Part.ASIDE, error)
