"""Watermarks and totals of a partition, as bytes and back."""

from __future__ import annotations

from features.state import progress


def test_progress_is_what_was_written() -> None:
    made = progress.Progress(watermarks={"shop|live": 5}, records=3)
    made.count(progress.APPLIED, 2)
    made.count(progress.APPLIED, 1)
    made.count(progress.LATE, 0)

    assert made.ledger == {"applied": 3}
    assert progress.decode(progress.encode(made)) == made
    assert progress.decode(None) == progress.Progress()
