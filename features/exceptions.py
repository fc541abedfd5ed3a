"""What can go wrong between the log and a feature; each class says what the caller can do."""

from __future__ import annotations


class FeatureError(Exception):
    """Base of the errors of this application."""


class StoreUnavailable(FeatureError):
    """Redis did not answer in time: commit nothing, back off, keep the order, try again."""


class Fenced(FeatureError):
    """Another worker has written for this partition since: drop the batch, go on where that one stopped.

    Parameters
    ----------
    partition : int
    expected, found : str
        The position this worker started from, and the one that is stored now.
    """

    def __init__(self, partition: int, *, expected: str, found: str) -> None:
        super().__init__(
            f"partition {partition} stands at position {found!r}, not at {expected!r}: another worker owns it"
        )
        self.partition = partition
        self.expected = expected
        self.found = found


class UnknownState(FeatureError):
    """The bytes are of a version this program cannot read; rebuild them with ``manage.py replay``."""
