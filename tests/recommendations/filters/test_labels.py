"""Labels looked up by comparisons: one answer a distinct label."""

from __future__ import annotations

import pytest

from recommendations.filters.labels import Labels
from recommendations.filters.language import Comparison, Operator

PATHS = Labels(["", "Women > Shoes", "women>shoes > Boots", "Shoes"], is_path=True)


@pytest.mark.parametrize(
    ("operator", "value", "found"),
    [
        ("=", "SHOES", [False, True, False, True]),  # the last part names a path, too
        ("!=", "shoes", [False, True, True, False]),  # another than this very path
        ("under", "Women > Shoes", [False, True, True, False]),
        ("under", "Shoe", [False, False, False, False]),
        ("under", "", [False, False, False, False]),  # what has no value is under nothing
        ("has", "oot", [False, False, True, False]),
        ("empty", "", [True, False, False, False]),
    ],
)
def test_each_label_is_compared_once(operator: Operator, value: str, found: list[bool]) -> None:
    assert PATHS.matching(Comparison("category", operator, (value,))).tolist() == found


def test_the_length_of_all_labels_is_what_a_search_costs() -> None:
    prepared = Labels(["ab", "", "cde"], is_path=False)
    prepared.prepare()

    assert prepared.n_characters == 5
