"""Figures of items: counts by window, under products, too, and numbers of the catalogue."""

from __future__ import annotations

import numpy as np
import pytest

from features.store.item_stats import METRICS, WINDOWS, ItemStats
from recommendations.state.figures import NAMES, FiguresOf
from tests.recommendations.worlds import item_index


def figures(**counted: dict[str, int]) -> FiguresOf:
    """Return the figures of sku0, sku1 and two variants of ``shoe``; counts are those of the last week."""
    on = item_index(
        {"cost_minor": 50, "attributes": {"rating": 4, "colour": "red"}},
        {"sale_price_minor": 150},
        {"group_id": "shoe"},
        {"group_id": "shoe"},
    )
    counts = np.zeros((len(counted), len(WINDOWS), len(METRICS)), np.int64)
    for position, each in enumerate(counted.values()):
        for metric, count in each.items():
            counts[position, WINDOWS.index("7d"), METRICS.index(metric)] = count
    stats = ItemStats(site="shop", made_at_ms=1, event_time_ms=1, item_ids=tuple(counted), counts=counts)
    return FiguresOf(on, stats)


def test_counts_stand_with_their_items_and_those_of_a_product_with_each_variant() -> None:
    found = figures(sku1={"views": 7, "revenue": 12_345}, gone={"views": 3}, shoe={"views": 2}, sku3={"views": 5})

    assert found("views_7d").tolist() == [0.0, 7.0, 2.0, 7.0]
    assert found("views_1h").tolist() == [0.0] * 4
    assert found("revenue_7d").tolist() == [0.0, 123.45, 0.0, 0.0]


def test_numbers_of_the_catalogue_are_figures_and_texts_are_none() -> None:
    found = figures()

    assert found("price").tolist() == pytest.approx([1.0, 1.5, 3.0, 4.0])
    assert found("margin")[0] == pytest.approx(0.5)
    assert np.isnan(found("margin")[1:]).all()
    assert found("on_sale").tolist() == [0.0, 1.0, 0.0, 0.0]
    assert found("attributes.rating")[0] == 4.0
    assert np.isnan(found("attributes.rating")[1])
    assert found.has("attributes.rating")
    assert not found.has("attributes.colour")
    assert not found.has("attributes.none")
    assert np.isnan(found("attributes.colour")).all()


def test_every_figure_that_a_formula_may_name_has_a_value_for_each_item() -> None:
    found = figures(sku0={"views": 1})

    assert {name: found(name).shape for name in NAMES} == dict.fromkeys(NAMES, (4,))
