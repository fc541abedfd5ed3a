"""The choice of a list's items: one of each product, limits, difference."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommendations.core.types import NOTHING_RANKED, Ranked
from recommendations.items.similarity import SimilarityColumns
from recommendations.pipeline.diversity import NO_VARIETY, Variety, choose


def columns(*, group: list[int], category: list[int] | None = None) -> SimilarityColumns:
    zeros = [0] * len(group)
    product = [group.index(number) if number else row for row, number in enumerate(group)]
    return SimilarityColumns(
        product=np.array(product, np.int32),
        category=np.array(category or zeros, np.int32),
        brand=np.array(zeros, np.int32),
    )


def best_first(n: int) -> Ranked:
    return Ranked(rows=np.arange(n, dtype=np.int32), scores=np.arange(n, 0, -1).astype(np.float32))


def test_without_variety_the_best_are_chosen_in_their_order() -> None:
    assert choose(best_first(6), columns(group=[0] * 6), NO_VARIETY, size=3).rows.tolist() == [0, 1, 2]


def test_of_the_variants_of_a_product_the_best_alone_is_chosen() -> None:
    assert choose(best_first(5), columns(group=[7, 7, 0, 8, 8]), NO_VARIETY, size=5).rows.tolist() == [0, 2, 3]


def test_what_a_limit_held_back_fills_a_short_list() -> None:
    similarity = columns(group=[0] * 4, category=[1, 1, 2, 1])

    assert choose(best_first(4), similarity, Variety(max_per_category=1), size=2).rows.tolist() == [0, 2]
    assert choose(best_first(4), similarity, Variety(max_per_category=1), size=4).rows.tolist() == [0, 2, 1, 3]


def test_nothing_comes_of_nothing() -> None:
    assert choose(NOTHING_RANKED, columns(group=[]), NO_VARIETY, size=3) is NOTHING_RANKED
    assert choose(best_first(2), columns(group=[0, 0]), NO_VARIETY, size=0) is NOTHING_RANKED


@pytest.mark.slow
@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=30),
    st.floats(0.0, 1.0),
    st.integers(1, 12),
)
def test_a_choice_repeats_no_row_and_no_product(traits: list[tuple[int, int]], difference: float, size: int) -> None:
    similarity = columns(group=[group for group, _ in traits], category=[category for _, category in traits])

    rows = choose(best_first(len(traits)), similarity, Variety(difference=difference), size=size).rows.tolist()

    groups = [traits[row][0] for row in rows if traits[row][0]]
    assert len(rows) == len(set(rows)) <= size
    assert len(groups) == len(set(groups))
