"""The id of the request that this task or thread answers, for its log lines; empty outside of requests."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Final

CURRENT: Final[ContextVar[str | None]] = ContextVar("recsite_request", default=None)
"""The id alone: timers keep the context in which they were set, and would keep a request with its body."""


def request_id() -> str | None:
    """Return the id of the request that is being answered; None outside of requests."""
    return CURRENT.get()
