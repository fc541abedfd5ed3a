"""No text of others is a formula to a spreadsheet."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracking.admin.spreadsheets import spreadsheet_text

BEGINNINGS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20", "|", "%")


@pytest.mark.parametrize("before", ["", " ", "\u00a0", "\u200b", "\ufeff", "\x00", "  \t"])
@pytest.mark.parametrize("beginning", BEGINNINGS)
def test_what_begins_like_a_formula_is_led_by_an_apostrophe(before: str, beginning: str) -> None:
    text = f"{before}{beginning}cmd|' /C calc'!A0"
    assert spreadsheet_text(text) == f"'{text}"


@given(st.text())
def test_a_text_is_itself_or_led_by_an_apostrophe(text: str) -> None:
    written = spreadsheet_text(text)
    assert written in (text, f"'{text}")
    assert not written.lstrip().startswith(BEGINNINGS)


@pytest.mark.parametrize("text", ["", "home_for_you", "Own brand", "10 % off", "a=b", "1-2"])
def test_names_stay(text: str) -> None:
    assert spreadsheet_text(text) == text
