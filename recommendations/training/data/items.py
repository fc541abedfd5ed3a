"""What the catalogue says of the items that are trained on, as arrays by item index."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from recommendations.ranking.columns import ITEM_FEATURES
from recommendations.ranking.item_features import NO_PRICE
from recommendations.ranking.rrf import FloatArray
from recommendations.training.data.dataset import SessionLog

PATH_SEPARATOR = ">"


class ItemFeatures(NamedTuple):
    """One item as the catalogue knows it now; prices in the main unit, None where unknown."""

    category: str = ""
    brand: str = ""
    price: float | None = None
    cost: float | None = None


NOTHING_KNOWN = ItemFeatures()


def item_features_of(log: SessionLog, items: Mapping[str, ItemFeatures]) -> FloatArray:
    """Return ``ranking.item_features.ITEM_FEATURES`` of each item of the log's vocabulary; float32, shape (n_items, 4).

    The catalogue keeps no history, so the features are today's. Where it has no price, the newest price of the log
    stands in.
    """
    known = [items.get(item_id, NOTHING_KNOWN) for item_id in log.item_ids]
    features = np.zeros((log.n_items, len(ITEM_FEATURES)), np.float32)
    prices = _newest_prices(log)
    listed = np.array([known_item.price or np.nan for known_item in known], np.float64)
    prices = np.where(listed > 0, listed, prices)
    features[:, 0] = np.where(prices > 0, np.log(np.where(prices > 0, prices, 1.0)), NO_PRICE)
    features[:, 1] = _codes([known_item.category.strip() for known_item in known])
    features[:, 2] = _codes([known_item.category.partition(PATH_SEPARATOR)[0].strip() for known_item in known])
    features[:, 3] = _codes([known_item.brand for known_item in known])
    features[0] = (NO_PRICE, 0, 0, 0)
    return features


def profits_of(log: SessionLog, items: Mapping[str, ItemFeatures]) -> FloatArray | None:
    """Return what is left of the price of each item after its cost; NaN where unknown, None where all are."""
    known = [items.get(item_id, NOTHING_KNOWN) for item_id in log.item_ids]
    profits = np.array(
        [
            known_item.price - known_item.cost if known_item.price and known_item.cost is not None else np.nan
            for known_item in known
        ],
        np.float32,
    )
    return profits if np.isfinite(profits).any() else None


def _newest_prices(log: SessionLog) -> FloatArray:
    prices = np.full(log.n_items, np.nan, np.float32)
    if log.prices is not None:
        has = np.flatnonzero(log.prices > 0)
        prices[log.items[has]] = log.prices[has]  # in the order of the log: the last one stays
    return prices


def _codes(words: Sequence[str]) -> FloatArray:
    """Return numbers from 1 by word; 0 for the empty word."""
    code_of = {"": 0}
    return np.fromiter((code_of.setdefault(word, len(code_of)) for word in words), np.float32, len(words))
