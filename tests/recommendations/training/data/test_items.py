from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from recommendations.ranking.columns import ITEM_FEATURES
from recommendations.ranking.item_features import NO_PRICE
from recommendations.training.data.building import log_from_frame
from recommendations.training.data.items import ItemFeatures, item_features_of, profits_of

LOG = log_from_frame(
    pl.DataFrame(
        {
            "user_key": ["u"] * 4,
            "session_id": ["s"] * 4,
            "occurred_at_ms": [1, 2, 3, 4],
            "item_id": ["a", "b", "c", "b"],
            "kind": ["view"] * 4,
            "price": [1.0, 2.0, None, 4.0],
        }
    )
)
ITEMS = {
    "a": ItemFeatures(category="Shoes > Boots", brand="X", price=10.0, cost=4.0),
    "b": ItemFeatures(category="Shoes > Sandals", brand="X"),
}


def feature(item_id, name):
    return item_features_of(LOG, ITEMS)[LOG.item_ids.index(item_id), ITEM_FEATURES.index(name)]


def test_the_catalogues_price_counts_before_that_of_the_log_and_then_the_newest():
    assert np.exp(feature("a", "log_price")) == pytest.approx(10)
    assert np.exp(feature("b", "log_price")) == pytest.approx(4)
    assert feature("c", "log_price") == NO_PRICE


def test_codes_tell_what_is_the_same_and_0_what_is_unknown():
    assert feature("a", "department") == feature("b", "department") > 0
    assert feature("a", "category") != feature("b", "category")
    assert feature("a", "brand") == feature("b", "brand") > 0
    assert [feature("c", name) for name in ITEM_FEATURES[1:]] == [0, 0, 0]
    assert item_features_of(LOG, ITEMS)[0].tolist() == [NO_PRICE, 0, 0, 0]


def test_profit_needs_price_and_cost():
    profits = profits_of(LOG, ITEMS)

    assert profits[LOG.item_ids.index("a")] == 6
    assert np.isnan(profits[LOG.item_ids.index("b")])
    assert profits_of(LOG, {}) is None
