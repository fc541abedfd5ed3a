"""Prices: known before anything is evaluated, never below what evaluating costs, and the same whatever is cached."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings

from recommendations.filters.language import AllOf, Comparison, Condition, parse
from recommendations.filters.masks import Column, NumberColumn, TagColumn, TextColumn, mask_of
from recommendations.filters.price import MAX_PRICE, price_of
from tests.recommendations.filters.naive import Table, conditions, tables

N_ROWS = 100_000
SLACK = 5.0
"""How much slower than the machine of the prices, and how noisy, this one may be."""


class Large:
    """As many rows as the goal names, each with a text of its own: the dearest catalogue there is of that size."""

    n_rows = N_ROWS

    def __init__(self) -> None:
        rng = np.random.default_rng(1)
        codes = rng.permutation(N_ROWS).astype(np.int32)
        labels = tuple(f"Label number {n} > of the shop" for n in range(N_ROWS))
        self.columns: dict[str, Column] = {
            "text": TextColumn(codes=codes, labels=labels, is_path=True),
            "number": NumberColumn(values=rng.random(N_ROWS)),
            "tags": TagColumn(rows={"sale": codes[: N_ROWS // 2]}),
        }

    def column(self, name: str) -> Column | None:
        return self.columns.get(name)


@pytest.fixture(scope="module")
def large() -> Large:
    return Large()


@pytest.mark.slow
@pytest.mark.parametrize(
    "text",
    [
        'text has "9999"',
        'text under "of the shop"',
        'text = "gone"',
        'text != "gone"',
        "text > 3",
        "number < 0.5",
        "number != 0.5",
        f"number in ({', '.join(str(n) for n in range(300))})",
        'tags has "sale"',
        "tags is empty",
        "gone is empty",
        " or ".join(["number < 0.5", "number > 0.9", "not number = 0.7"] * 10),
    ],
)
def test_evaluating_costs_no_more_than_the_price(text: str, large: Large) -> None:
    condition = parse(text)
    mask_of(condition, large)  # columns are prepared in the background
    costs = []
    for _ in range(5):
        started = time.thread_time()
        mask_of(condition, large)
        costs.append((time.thread_time() - started) * 1e6)

    assert min(costs) <= SLACK * price_of([condition], large)


def test_what_nobody_needs_cannot_be_paid(large: Large) -> None:
    searches = AllOf(tuple(Comparison("text", "has", (f"{n}",)) for n in range(64)))

    assert price_of([searches], large) > 10 * MAX_PRICE
    assert price_of([parse('number < 0.5 and text = "gone" and tags has "sale"')], large) < MAX_PRICE / 10


@pytest.mark.slow
@given(table=tables(), first=conditions(), second=conditions())
@settings(max_examples=50, deadline=None)
def test_the_same_condition_costs_once_and_more_conditions_cost_no_less(
    table: Table, first: Condition, second: Condition
) -> None:
    assert price_of([first, first], table) == price_of([first], table)
    assert price_of([first, second], table) >= price_of([first], table)
    assert price_of([AllOf((first, second))], table) >= price_of([second], table)
