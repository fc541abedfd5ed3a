"""A snapshot of the catalogue: its arrays and masks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from features.models import Item
from tests.features.catalogue.making import row, snapshot


def test_category_holds_what_lies_below_it_and_nothing_beside() -> None:
    catalogue = snapshot(
        row(1),
        row(2, category="Kitchen"),
        row(3, category="Kitchenware > Mugs"),
        row(4, category="Kitchen > Mugs > Tin"),
    )

    assert catalogue.in_category("Kitchen").tolist() == [True, True, False, True]
    assert catalogue.in_category("Kitchen>Mugs").tolist() == [True, False, False, True]
    assert not catalogue.in_category("Mugs").any()
    assert not catalogue.in_category("").any()


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, True),
        ({"is_active": False}, False),
        ({"availability": "out_of_stock"}, False),
        ({"availability": "preorder"}, True),
        ({"stock": 0}, False),
        ({"stock": 1}, True),
    ],
)
def test_serving_and_model_agree_on_what_is_recommendable(changes: dict[str, Any], expected: bool) -> None:
    kept = {
        name: value
        for name, value in row(1, **changes)._asdict().items()
        if name in ("is_active", "availability", "stock")
    }

    assert snapshot(row(1, **changes)).recommendable("i1") is expected
    assert Item(**kept).is_recommendable is expected


def test_margin_is_the_share_left_of_what_is_paid() -> None:
    catalogue = snapshot(row(1, cost_minor=600), row(2, cost_minor=600, sale_price_minor=800), row(3))

    np.testing.assert_allclose(catalogue.margin, [0.4, 0.25, np.nan], rtol=1e-6)
