"""Traits are few, short and typed; what is not is changed or left out, and counted."""

from __future__ import annotations

import math

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracking.contract.traits import MAX_BYTES, MAX_TEXT_CHARS, MAX_TRAITS, n_bytes_of, read_traits

VALUES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=300) | st.lists(st.integers())


def test_tidy_traits_are_kept_as_they_are() -> None:
    said = {"tier": "gold", "age": 41, "score": 0.5, "has_card": True, "gone": None}

    assert read_traits(said) == (said, 0)


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ({"Loyalty Tier": "gold"}, {"loyalty_tier": "gold"}),
        ({"tier": "  very   gold "}, {"tier": "very gold"}),
        ({"note": "x" * 200}, {"note": "x" * 100}),
        ({"score": math.nan}, {}),
        ({"number": 2**60}, {}),
        ({"list": [1]}, {}),
        ({"7": "seven"}, {}),
        ({"": 1}, {}),
        ({"tier": "a", "Tier": "b"}, {"tier": "a"}),
    ],
)
def test_what_is_untidy_is_mended_or_left_out_and_counted(said: dict[str, object], kept: dict[str, object]) -> None:
    found = read_traits(said)

    assert found.traits == kept
    assert found.n_mended == 1


@pytest.mark.slow
@given(st.dictionaries(st.text(max_size=60), VALUES, max_size=60))
def test_whatever_is_said_what_is_kept_is_bounded_and_stays_so(said: dict[str, object]) -> None:
    kept = read_traits(said).traits

    assert len(kept) <= MAX_TRAITS
    assert sum(n_bytes_of(name, value) for name, value in kept.items()) <= MAX_BYTES
    assert all(len(value) <= MAX_TEXT_CHARS for value in kept.values() if isinstance(value, str))
    assert read_traits(kept) == (kept, 0)
    assert msgspec.json.decode(msgspec.json.encode(kept)) == kept
