"""What a shop's server may have to handle; each class says what it can do."""

from __future__ import annotations


class RecsiteError(Exception):
    """Base of the errors of this client."""


class InvalidEvent(RecsiteError):
    """The event breaks the contract and was not queued; correct it.

    Parameters
    ----------
    field : str
        Path of the offending field, such as ``event.params.items[0].item_id``.
    reason : str
        What is wrong, the value where it is short, and the remedy.
    code : str
        The error code that the server would answer with, such as ``invalid_event``.
    """

    def __init__(self, field: str, reason: str, *, code: str = "invalid_event") -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.reason = reason
        self.code = code


class QueueFull(RecsiteError):
    """The cap of waiting events is reached: the server has been unavailable for long, or the key is wrong."""


class ApiError(RecsiteError):
    """The server refused; ``error`` is its code, ``field`` the path of what was wrong."""

    def __init__(self, *, status: int, error: str, message: str, field: str) -> None:
        super().__init__(f"{status} {error}: {message}")
        self.status = status
        self.error = error
        self.message = message
        self.field = field


class NoAnswer(RecsiteError):
    """No answer within the time-outs, after all retries; try again later."""
