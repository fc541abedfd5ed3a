"""What was done to the values of one row; without one, a value that cannot be kept whole is refused. Pure."""

from __future__ import annotations

from features.feed_files.report import FeedReport


class BadValue(ValueError):
    """A value that cannot be taken; the message says why and what to write instead."""

    def __init__(self, field: str, value: object, reason: str) -> None:
        super().__init__(f"{field}={value!r}: {reason}")
        self.field = field
        self.value = value
        self.reason = reason


class Mends:
    """Counts mends of a row in the report of its feed."""

    __slots__ = ("_line", "_report")

    def __init__(self, report: FeedReport, line: int) -> None:
        self._report = report
        self._line = line

    def count(self, field: str, what: str, value: object) -> None:
        """Count what was done to a value."""
        self._report.mend(field, what, value, line=self._line)


def mend_or_refuse(mends: Mends | None, field: str, value: object, *, what: str, reason: str) -> None:
    """Count a mend; where nothing is mended, refuse the value for ``reason``.

    Raises
    ------
    BadValue
        There is nobody to count.
    """
    if mends is None:
        raise BadValue(field, value, reason)
    mends.count(field, what, value)
