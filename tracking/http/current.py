"""The request that this task or thread answers, for its log lines; empty outside of requests."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Final, Protocol


class Identified(Protocol):
    """What has an id by which its lines are found."""

    @property
    def id(self) -> str:
        """The caller's ``X-Request-Id``, or our own."""


CURRENT: Final[ContextVar[Identified | None]] = ContextVar("recsite_request", default=None)


def request_id() -> str | None:
    """Return the id of the request that is being answered; None outside of requests."""
    request = CURRENT.get()
    return None if request is None else request.id
