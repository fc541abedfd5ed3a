"""Texts without markup and escapes, and without what no database takes."""

from __future__ import annotations

import html

import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.feed_files.report import FeedReport
from features.feeds.mends import BadValue, Mends
from features.feeds.texts import as_text, readable, without_markup


@given(st.text(st.sampled_from("ab &<>\"'äß;3"), max_size=30), st.integers(1, 3))
def test_a_text_that_was_escaped_several_times_is_read_as_it_was(text: str, times: int) -> None:
    escaped = text
    for _ in range(times):
        escaped = html.escape(escaped)

    assert without_markup(escaped) == without_markup(text)


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("<p>Dry</p><p>and warm</p>", "Dry and warm"), ("Bj&amp;ouml;rn&#39;s pan", "Björn's pan"),
        ("I <3 tea", "I <3 tea"),
        ("5 < 6 > 4", "5 < 6 > 4"), ("a<br/>b", "a b"), ("<style>p{}</style>Pan<!-- x -->", "Pan"),
        ("Size <M>", "Size <M>"),
        ("R&D", "R&D"), ("&copy;2026", "©2026"),
    ],
)  # fmt: skip
def test_a_text_is_read_as_a_browser_shows_it(written: str, shown: str) -> None:
    assert without_markup(written) == shown


@given(st.text(max_size=50), st.integers(1, 20))
def test_whatever_a_file_holds_becomes_a_text_that_a_database_takes(text: str, longest: int) -> None:
    report = FeedReport()

    found = readable("title", text, longest=longest, mends=Mends(report, 1))

    assert len(found) <= longest
    assert "\x00" not in found
    found.encode()


def test_a_program_is_told() -> None:
    with pytest.raises(BadValue, match="the most is 3"):
        as_text("title", "long", longest=3)
    assert readable("title", "Salt &amp; pepper", longest=99) == "Salt &amp; pepper"
