from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracking.contract.mending.values import Done, as_id, as_integer, as_milliseconds, as_number, as_text, shown

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("written", "text", "done"),
    [
        ("Mug", "Mug", None),
        (1984, "1984", Done.REREAD),
        (7.0, "7", Done.REREAD),
        (["Red", 42], "Red, 42", Done.RESHAPED),
        ("x" * 12, "x" * 10, Done.CUT),
        ("a\x00b", "ab", Done.REREAD),
        ("half \ud83d", "half ", Done.REREAD),
        (False, None, Done.DROPPED),
        ({"de": "Tasse"}, None, Done.DROPPED),
        (None, None, None),
        ("", None, None),
    ],
)
def test_texts(written: object, text: str | None, done: Done | None) -> None:
    assert as_text(written, longest=10) == (text, done)


@pytest.mark.parametrize(
    ("written", "item_id"),
    [
        (39910.0, "39910"),
        (39910, "39910"),
        ("0071", "0071"),
        ("39910.0", "39910.0"),
        (" A B ", "A B"),
        ("\u200bA\u00a0\ufeff", "A"),
        ("Cafe\u0301", "Caf\u00e9"),
        ({"id": "A", "name": "Mug"}, "A"),
        (["SKU1"], "SKU1"),
        (True, None),
        (float("nan"), None),
        ("undefined", None),
        ("[object Object]", None),
        ("(not set)", None),
        ("x" * 129, None),
        ({}, None),
        (None, None),
        ("", None),
    ],
)
def test_ids(written: object, item_id: str | None) -> None:
    assert as_id(written)[0] == item_id


@pytest.mark.parametrize(
    ("written", "number"),
    [
        ("3", 3), (3.9, 3), ("1.0000", 1), ("1,5", 1), (True, None), ("abc", None), ("1e99", None), ("1,234", 1234),
        ("12.345.678", 12_345_678), ("1,000", 1),
    ],
)  # fmt: skip
def test_whole_numbers(written: object, number: int | None) -> None:
    assert as_integer(written)[0] == number


@pytest.mark.parametrize(
    ("written", "moment"),
    [
        (1_795_000_000_000, 1_795_000_000_000),
        ("1795000000000", 1_795_000_000_000),
        (1_795_000_000_000.4, 1_795_000_000_000),
        ("2026-11-28T10:00:00Z", 1_795_860_000_000),
        ("2026-11-28T11:00:00+01:00", 1_795_860_000_000),
        ("2026-11-28T10:00:00", None),
        ("Sat, 28 Nov 2026 10:00:00 GMT", 1_795_860_000_000),
        ("Sat Nov 28 2026 11:00:00 GMT+0100 (Central European Standard Time)", 1_795_860_000_000),
        ("yesterday", None),
    ],
)
def test_times_are_read_where_they_have_one_reading(written: object, moment: int | None) -> None:
    assert as_milliseconds(written)[0] == moment


@pytest.mark.slow
@given(JSON)
def test_any_json_is_read_or_left_out(value: object) -> None:
    text, _ = as_text(value, longest=20)
    item_id, _ = as_id(value, longest=20)
    as_integer(value)
    as_milliseconds(value)

    assert text is None or 0 < len(text) <= 20
    assert item_id is None or 0 < len(item_id) <= 20
    assert len(shown(value)) <= 80


@given(st.integers(-(10**17), 10**17))
def test_a_number_is_itself_however_it_is_written(number: int) -> None:
    assert [as_number(number), as_number(str(number)), as_integer(f" {number} ")[0]] == [number] * 3
