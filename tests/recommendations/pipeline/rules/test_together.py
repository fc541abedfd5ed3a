"""Conditions asked together: which of them each row matches, as bits."""

from __future__ import annotations

import numpy as np
import pytest

from recommendations.filters import language
from recommendations.filters.targets import Targets
from recommendations.pipeline.rules.together import Together, bits_of, numbers_of, products_of, table_of_products
from tests.recommendations.worlds import item_index

ON = item_index(
    {"brand": "Loam", "tags": ["new"], "stock": 3}, {"brand": "Isle", "tags": ["new", "eco"], "stock": None},
    {"brand": "", "tags": [], "stock": 9}, {"brand": "Loam", "tags": ["eco"], "stock": 0},
)  # fmt: skip
ROWS = np.arange(4, dtype=np.int32)


def matched(*texts: str, leaves_out: frozenset[str] = frozenset()) -> list[list[int]]:
    """Return, for each condition, the rows that match it."""
    together = Together([language.parse(text) for text in texts], ON, leaves_out=leaves_out)
    lines = [numbers_of(line) for line in together.of(ROWS)]
    return [[row for row, line in enumerate(lines) if number in line] for number in range(len(texts))]


@pytest.mark.parametrize(
    "text",
    [
        'brand = "Loam"', 'brand != "Loam"', "brand is empty", 'tags has "eco"', "tags is empty", "stock >= 3",
        "stock > 3", "stock < 3", "stock <= 3", "price >= 2 and price < 4", 'brand = "Isle" or tags has "new"',
        'item_id in ("sku0", "sku3", "gone")', 'brand = "Loam" and tags has "eco" and stock < 5', 'brand = "Nobody"',
    ],
)  # fmt: skip
def test_a_condition_matches_what_it_matches_by_itself(text: str) -> None:
    others = ["price > 1", 'brand = "Isle"', 'item_id = "sku2"'] * 30

    assert matched(*others, text)[-1] == Targets(language.parse(text), ON).take(ROWS).nonzero()[0].tolist()


def test_what_cannot_be_looked_up_is_left_to_be_asked_by_itself() -> None:
    texts = [
        "price = 2",
        'not brand = "Loam"',
        "price > 1 and price > 2",
        "age_days > 3",
        'brand = "Loam" or price < 2',
        'brand = "Loam"',
        "attributes.gone is empty",
    ]
    together = Together([language.parse(text) for text in texts], ON, leaves_out=frozenset({"age_days"}))

    assert together.others == {0, 1, 2, 3, 4, 6}
    assert [numbers_of(line) for line in together.of(ROWS)] == [[5], [], [], [5]]


def test_bits_are_numbers_and_their_factors_are_multiplied() -> None:
    numbers = [[0, 7, 63, 64, 127], [], [1, 64]]
    bits = np.stack([bits_of(each, 2) for each in numbers])
    factors = np.linspace(0.5, 2.0, 128).astype(np.float32)

    assert [numbers_of(line) for line in bits] == numbers
    found = products_of(bits, table_of_products(factors))
    np.testing.assert_allclose(found, [factors[each].prod() for each in numbers], rtol=1e-5)


@pytest.mark.parametrize("factor", [10.0, 0.1])
def test_of_hundreds_of_boosts_the_product_is_a_number(factor: float) -> None:
    mixed = np.array([10.0, 0.1] * 512, np.float32)
    factors = np.where(np.arange(1024) < 900, np.float32(factor), mixed)
    all_bits = np.full((2, 16), ~np.uint64(0))

    found = products_of(all_bits, table_of_products(factors))

    assert np.isfinite(found).all()
    assert (np.zeros(2, np.float32) * found == 0).all(), "what has no score gets none"
