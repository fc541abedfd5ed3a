"""Conditions over columns of each kind: what matches, and that a missing value matches nothing but ``is empty``."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings

from recommendations.filters.language import (
    AllOf,
    AnyOf,
    Comparison,
    Condition,
    Not,
    Operator,
    normal_form,
    parse,
)
from recommendations.filters.masks import Column, KeyColumn, NumberColumn, OutOfTime, TagColumn, TextColumn, mask_of
from tests.recommendations.filters import naive
from tests.recommendations.filters.naive import conditions, tables

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


@pytest.mark.slow
@given(table=tables(), condition=conditions())
@settings(max_examples=400, deadline=None)
def test_a_mask_says_of_each_row_what_the_language_says_of_it(table: naive.Table, condition: Condition) -> None:
    assert mask_of(condition, table).tolist() == [naive.matches(condition, table, row) for row in range(table.n_rows)]


@pytest.mark.slow
@given(table=tables(), condition=conditions())
@settings(max_examples=100, deadline=None)
def test_conditions_of_one_normal_form_match_the_same(table: naive.Table, condition: Condition) -> None:
    turned = _turned(condition)

    assert normal_form(turned) == normal_form(condition)
    assert mask_of(turned, table).tolist() == mask_of(condition, table).tolist()


def test_true_and_one_have_two_normal_forms() -> None:
    assert Comparison("size", "=", (True,)) == Comparison("size", "=", (1.0,)), "what a cache must not go by"
    assert normal_form(Comparison("size", "=", (True,))) != normal_form(Comparison("size", "=", (1.0,)))


def test_time_is_looked_at_before_each_comparison() -> None:
    asked = iter([False, False, True])

    with pytest.raises(OutOfTime):
        mask_of(parse("price < 5 and price > 1 and price = 3 and price = 4"), Table(), is_late=lambda: next(asked))
    assert next(asked, None) is None


def _turned(condition: Condition) -> Condition:
    """Return the same with parts and values the other way round, and the first of them twice."""
    match condition:
        case Comparison(name=name, operator="in", values=values):
            return Comparison(name, "in", (*values[::-1], values[0]))
        case Not(part=part):
            return Not(_turned(part))
        case AllOf(parts=parts):
            return AllOf(tuple(map(_turned, (*parts[::-1], *parts[:1]))))
        case AnyOf(parts=parts):
            return AnyOf(tuple(map(_turned, (*parts[::-1], *parts[:1]))))
        case Comparison():
            return condition
