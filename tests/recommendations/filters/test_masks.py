"""Conditions over columns of each kind: what matches, and that a missing value matches nothing but ``is empty``."""

from __future__ import annotations

import numpy as np
import pytest

from recommendations.filters.language import AllOf, AnyOf, Comparison, Not, Operator, parse
from recommendations.filters.masks import Column, KeyColumn, NumberColumn, TagColumn, TextColumn, mask_of

IDS = {"a": 0, "A": 1, "c": 2}


class Table:
    """Three rows with a column of each kind; the third row has no values."""

    n_rows = 3
    columns: dict[str, Column] = {  # never changed
        "price": NumberColumn(values=np.array([19.99, 5, np.nan], np.float32)),
        "size": TextColumn(codes=np.array([1, 2, 0], np.int32), labels=("", "40", "wide")),
        "category": TextColumn(codes=np.array([1, 2, 0], np.int32), labels=("", "Women > Shoes", "Hats"), is_path=True),
        "tags": TagColumn(rows={"sale": np.array([0, 1], np.int32), "warm": np.array([1], np.int32)}),
        "item_id": KeyColumn(row_of=IDS.get),
    }

    def column(self, name: str) -> Column | None:
        return self.columns.get(name)


def matching(text: str) -> list[int]:
    return np.flatnonzero(mask_of(parse(text), Table())).tolist()


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("price = 19.99", [0]),  # rounded to the column's type before it is compared
        ("price != 5", [0]),
        ('price in (5, "19.99")', [0, 1]),
        ("price is empty", [2]),
        ("price <= 5", [1]),
        ('size = "WIDE"', [1]),
        ("size > 39", [0]),  # what is no number is neither more nor less
        ('size != "40"', [1]),
        ('category = "shoes"', [0]),
        ('category under "Women"', [0]),
        ('tags has "SALE"', [0, 1]),
        ('tags != "warm"', [0, 2]),
        ("tags is empty", [2]),
        ('item_id = "a"', [0]),  # ids differ by case
        ('item_id in ("A", "gone")', [1]),
        ('colour = "red"', []),
        ("colour is empty", [0, 1, 2]),
    ],
)
def test_a_comparison_matches_rows_by_the_kind_of_its_column(text: str, rows: list[int]) -> None:
    assert matching(text) == rows


@pytest.mark.parametrize("operator", ["=", "<", "<=", ">", ">=", "in"])
def test_a_number_is_never_compared_with_a_text_that_is_none(operator: Operator) -> None:
    assert not mask_of(Comparison("price", operator, ("cheap",)), Table()).any()


def test_of_no_parts_all_is_every_row_and_any_is_none() -> None:
    assert mask_of(AllOf(()), Table()).all()
    assert not mask_of(AnyOf(()), Table()).any()
    assert mask_of(Not(AnyOf(())), Table()).all()


def test_a_part_of_a_path_is_a_whole_name() -> None:
    assert matching('category under "Shoe"') == []
    assert matching('category under "Women > Shoes"') == [0]
    assert matching('category under "Shoes > Women"') == []
