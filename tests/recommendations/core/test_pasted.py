"""Lists are understood however they were pasted."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommendations.core.pasted import split_ids, split_names

_ids = st.lists(st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.\-/]{0,11}", fullmatch=True), unique=True, max_size=8)
_between = st.sampled_from(
    [",", ", ", ";", "\t", "\n", "\r\n", " ", "  ", "\n\n", " ; ", "|", ",\n", "\u00a0", "\u2028"]
)
_around = st.sampled_from(["{}", '"{}"', "'{}'", "“{}”", " {} ", "'{}", '="{}"'])
_whole = st.sampled_from(["{}", "[{}]", "({})", "\ufeff{}", "{}\n", "\n  {}"])


@pytest.mark.slow
@given(ids=_ids, data=st.data())
def test_ids_come_out_as_they_went_in_whatever_is_between_and_around_them(ids: list[str], data: st.DataObject) -> None:
    between, around, whole = data.draw(_between), data.draw(_around), data.draw(_whole)

    assert split_ids(whole.format(between.join(around.format(each) for each in ids))) == ids


@given(ids=_ids)
def test_bullets_are_no_part_of_an_id(ids: list[str]) -> None:
    assert split_ids("\n".join(f"- {each}" for each in ids)) == split_ids("\n".join(f"• {each}" for each in ids)) == ids


@pytest.mark.parametrize(
    ("text", "known", "names"),
    [
        ("Kite & Sons; Loam", (), ["Kite & Sons", "Loam"]),
        ("Wine, red\nBeer, Bread", ("Wine, red",), ["Wine, red", "Beer", "Bread"]),
        ("Boots (wide)", (), ["Boots (wide)"]),
        ("Loam\nloam\nLoam", (), ["Loam", "loam"]),
    ],
)
def test_names_keep_their_blanks_and_what_is_known_as_a_whole(
    text: str, known: tuple[str, ...], names: list[str]
) -> None:
    assert split_names(text, is_known=known.__contains__) == names


def test_an_id_with_a_blank_stays_whole_where_the_catalogue_has_it() -> None:
    assert split_ids("A 1\nB 2", is_known={"A 1"}.__contains__) == ["A 1", "B", "2"]
