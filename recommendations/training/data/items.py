"""What the catalogue says of the items that are trained on, as arrays by item index."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from recommendations.ranking.item_features import FACTS, NO_PRICE
from recommendations.ranking.rrf import FloatArray
from recommendations.training.data.dataset import SessionLog

PATH_SEPARATOR = ">"


class ItemFacts(NamedTuple):
    """One item as the catalogue knows it now; prices in the main unit, None where unknown."""

    category: str = ""
    brand: str = ""
    price: float | None = None
    cost: float | None = None


NOTHING_KNOWN = ItemFacts()


def facts_of(log: SessionLog, items: Mapping[str, ItemFacts]) -> FloatArray:
    """Return ``ranking_facts.FACTS`` of each item of the log's vocabulary; float32, shape (n_items, 4).

    The catalogue keeps no history, so its facts are today's. Where it has no price, the newest price of the log
    stands in.
    """
    known = [items.get(item_id, NOTHING_KNOWN) for item_id in log.item_ids]
    facts = np.zeros((log.n_items, len(FACTS)), np.float32)
    prices = _newest_prices(log)
    listed = np.array([fact.price or np.nan for fact in known], np.float64)
    prices = np.where(listed > 0, listed, prices)
    facts[:, 0] = np.where(prices > 0, np.log(np.where(prices > 0, prices, 1.0)), NO_PRICE)
    facts[:, 1] = _codes([fact.category.strip() for fact in known])
    facts[:, 2] = _codes([fact.category.partition(PATH_SEPARATOR)[0].strip() for fact in known])
    facts[:, 3] = _codes([fact.brand for fact in known])
    facts[0] = (NO_PRICE, 0, 0, 0)
    return facts


def profits_of(log: SessionLog, items: Mapping[str, ItemFacts]) -> FloatArray | None:
    """Return what is left of the price of each item after its cost; NaN where unknown, None where all are."""
    known = [items.get(item_id, NOTHING_KNOWN) for item_id in log.item_ids]
    profits = np.array(
        [fact.price - fact.cost if fact.price and fact.cost is not None else np.nan for fact in known], np.float32
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
