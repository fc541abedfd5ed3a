"""What can go wrong between a browser and the log; each class says what the caller can do."""

from __future__ import annotations

from tracking.error_codes import ErrorCode


class TrackingError(Exception):
    """Base of the errors of this application."""


class InvalidEvent(TrackingError):
    """The event breaks the contract: never retry; it goes to the dead letters.

    Parameters
    ----------
    field : str
        Path of the offending field, such as ``events[0].params.items[0].item_id``.
    reason : str
        What is wrong, the value where it is short, and the remedy.
    code : ErrorCode
        Stable word for programs.
    """

    def __init__(self, field: str, reason: str, *, code: ErrorCode = ErrorCode.INVALID_EVENT) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.reason = reason
        self.code = code


class FutureSchema(InvalidEvent):
    """The record was written by a newer major version: park it and replay it after an upgrade."""


class LogUnavailable(TrackingError):
    """The event log did not acknowledge in time: spool the record and try again."""


class ForeignPosition(TrackingError):
    """The position is of a log that is not there any more, or has lost records since: a person must say how to go on.

    Parameters
    ----------
    topic : str
    partition : int
    position : str
        The position that is stored.
    found : str
        What the log is instead.
    """

    def __init__(self, topic: str, partition: int, position: str, *, found: str) -> None:
        super().__init__(
            f"{topic}[{partition}]: the position {position!r} is not of this log: {found}. Events may be lost. "
            "`manage.py stream positions` shows where each reader stands, and the ways on"
        )
        self.partition = partition
        self.position = position


class SpoolFull(TrackingError):
    """The spool has reached its cap: refuse with 503 and Retry-After."""
