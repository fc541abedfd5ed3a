"""Names are understood whatever their case, and the nearest is offered for those that nothing has."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommendations.lint.vocabulary import Vocabulary, nearest, vocabulary_of
from tests.recommendations.worlds import item_index

ON = item_index(
    {"item_id": "SKU-1", "brand": "Loam", "category": "Women > Shoes > Boots", "tags": ["New"]},
    {"item_id": "Sku-1b", "brand": "Kite & Sons", "category": "Home", "attributes": {"colour": "moss", "weight": 2.0}},
    {"item_id": "39910", "group_id": "Parent-7"},
    {"item_id": "same", "brand": "Alta"},
    {"item_id": "SAME"},
)
KNOWN = Vocabulary(ON)


@pytest.mark.parametrize(
    ("written", "near"),
    [
        ("SKU-1", "SKU-1"), ("sku-1", "SKU-1"), ("SKU-1B", "Sku-1b"), ("39910.0", "39910"), ("39910.00", "39910"),
        ("Parent-7", "Parent-7"), ("PARENT-7", "Parent-7"), ("same", "same"), ("Same", None), ("39910.5", None),
        ("nothing", None),
    ],
)  # fmt: skip
def test_an_id_is_what_it_says_or_what_differs_in_case_alone(written: str, near: str | None) -> None:
    assert KNOWN.item(written) == near


@pytest.mark.parametrize(
    ("name", "value", "is_unknown", "near"),
    [
        ("brand", "LOAM", False, "Loam"), ("brand", "Laom", True, "Loam"),
        ("brand", "kite and sons", True, "Kite & Sons"),
        ("category", "women>shoes", False, "Women > Shoes"), ("category", "Boots", False, "Boots"),
        ("category", "Women > Shoe", True, "Women > Shoes"), ("tags", "NEW", False, "new"),
        ("availability", "in stock", False, "in_stock"), ("availability", "Out-Of-Stock", False, "out_of_stock"),
        ("availability", "instok", True, "in_stock"), ("attributes.colour", "mos", True, "moss"),
        ("attributes.weight", "9", False, None), ("on_sale", "true", False, "true"),
    ],
)  # fmt: skip
def test_values_are_known_or_the_nearest_is_offered(name: str, value: str, is_unknown: bool, near: str | None) -> None:
    assert KNOWN.unknown_value(name, value) is is_unknown
    assert KNOWN.nearest_value(name, value) == near


@pytest.mark.parametrize(
    ("name", "near"),
    [("colour", "attributes.colour"), ("prize", "price"), ("attributes.color", "attributes.colour"), ("zzzzzz", None)],
)
def test_an_attribute_that_nothing_has_is_told_with_the_nearest(name: str, near: str | None) -> None:
    assert not KNOWN.has_attribute(name)
    assert KNOWN.nearest_attribute(name) == near


@pytest.mark.slow
@given(st.text(max_size=12), st.lists(st.text(min_size=1, max_size=12), max_size=6))
def test_what_is_offered_is_always_known_and_a_known_name_is_its_own_nearest(text: str, known: list[str]) -> None:
    found = nearest(text, known)

    assert found is None or found in known
    assert all(
        (offered := nearest(name, known)) is not None and offered.casefold() == name.casefold() for name in known
    )


def test_values_are_spelt_as_the_catalogue_spells_them() -> None:
    assert KNOWN.spelling("brand", "kite & SONS") == "Kite & Sons"
    assert KNOWN.spelling("category", "women >shoes") == "Women > Shoes"
    assert KNOWN.spelling("brand", "Kite") is None


def test_a_state_of_the_catalogue_has_one_vocabulary() -> None:
    assert vocabulary_of(ON) is vocabulary_of(ON)
