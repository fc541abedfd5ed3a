"""Pytest plugin: an error in our own log that a test does not expect fails it.

A test that provokes one says so: ``@pytest.mark.expects_errors(r"stream.batch_failed")``, a regular expression for each
message that may come. Unless ``maybe=True``, a mark on the test itself must come true.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from typing import Final

import pytest

OURS: Final = ("recsite", "tracking", "features", "recommendations")


class _Kept(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        self.lines.append(f"{record.levelname} {record.name} {record.getMessage()}" + (f": {error!r}" if error else ""))


@pytest.fixture(autouse=True)
def no_unexpected_errors(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail the test when one of our loggers writes an error that no ``expects_errors`` of the test names."""
    kept = _Kept()
    loggers = [logging.getLogger(name) for name in OURS]
    for logger in loggers:
        logger.addHandler(kept)
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeHandler(kept)
    marks = list(request.node.iter_markers("expects_errors"))
    patterns = [pattern for mark in marks for pattern in mark.args]
    unexpected = [line for line in kept.lines if not any(re.search(pattern, line) for pattern in patterns)]
    assert not unexpected, "errors were logged that the test does not expect:\n" + "\n".join(unexpected)
    sure = [mark for mark in request.node.own_markers if mark.name == "expects_errors" and not mark.kwargs.get("maybe")]
    missing = [p for mark in sure for p in mark.args if not any(re.search(p, line) for line in kept.lines)]
    assert not missing, f"expected errors were not logged: {missing}; logged: {kept.lines}"
