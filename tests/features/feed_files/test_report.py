"""What a report names of refused rows: printable, short, and not more than it has room for."""

from __future__ import annotations

from features.feed_files.report import MAX_BAD_ROWS, FeedReport, shortened


def test_all_refused_rows_are_counted_and_the_first_named() -> None:
    report = FeedReport()
    for line in range(MAX_BAD_ROWS + 5):
        report.refuse(line, field="price", value="free", reason="is not a price")

    assert report.rejected == MAX_BAD_ROWS + 5
    assert [row.line for row in report.bad_rows] == list(range(MAX_BAD_ROWS))


def test_values_are_printable_and_short() -> None:
    assert shortened("a\x00b\ud800") == "a\\0b\\ud800"
    assert len(shortened("x" * 500)) == 100


def test_the_summary_counts_and_names_deactivated_items_only_if_there_are_any() -> None:
    report = FeedReport(created=1, updated=2, unchanged=3, rejected=4)
    assert report.summary() == "1 created, 2 changed, 3 unchanged, 4 refused"
    report.deactivated = 5
    assert report.summary().endswith(", 5 deactivated")
    assert report.accepted == 6
