"""Figures of items for formulas: what was counted of them, and the numbers of their catalogue rows."""

from __future__ import annotations

from typing import Final

import numpy as np

from features.state.windows import FIRST_OF_VISITORS, REGULARS
from features.store.item_stats import METRICS, WINDOWS, ItemStats
from recommendations.filters.formula import Values
from recommendations.filters.masks import NumberColumn
from recommendations.items.index import ItemIndex

COUNTED: Final = tuple(f"{metric}_{window}" for metric in METRICS[:REGULARS] for window in WINDOWS)
"""Events (views, carts, purchases), revenue, and people (viewers, carters, buyers) by window."""

OF_ITEMS: Final = ("price", "margin", "stock", "age_days", "on_sale", "in_stock", "popularity")
NAMES: Final = (*COUNTED, *OF_ITEMS)
"""The figures that every site has, beside ``attributes.<name>``."""

_FLAGS: Final = frozenset({"on_sale", "in_stock"})


class FiguresOf:
    """The figures of one catalogue, each made once when a formula first names it.

    Parameters
    ----------
    minor_units : float
        How many there are in a unit of the site's currency: 100 for EUR.
    """

    def __init__(self, item_index: ItemIndex, stats: ItemStats, *, minor_units: float = 100.0) -> None:
        self._item_index = item_index
        self._stats = stats
        self._minor_units = minor_units
        self._made: dict[str, Values] = {}

    def __call__(self, name: str) -> Values:
        """Return a figure; float64, shape (n_rows,), NaN where an item has none, so everywhere in one of texts."""
        known = self._made.get(name)
        if known is None:
            known = self._made[name] = self._counted(name) if name in COUNTED else self._of_items(name)
        return known

    def has(self, name: str) -> bool:
        """Return whether any item has a number of this name."""
        return name in NAMES or isinstance(self._item_index.column(name), NumberColumn)

    def _counted(self, name: str) -> Values:
        """Return a count; what was counted under the id of a product is that of each of its variants."""
        metric, _, window = name.rpartition("_")
        position = METRICS.index(metric)
        if FIRST_OF_VISITORS <= position < REGULARS:  # as far as they are plausible: ids are made up in no time
            counted = self._stats.plausible_visitors(window)[:, position - FIRST_OF_VISITORS]
        else:
            counted = self._stats.of(metric, window).astype(np.float64)
        if metric == "revenue":
            counted = counted / self._minor_units
        catalogue = self._item_index.catalogue
        rows = catalogue.rows(self._stats.item_ids)
        found = np.zeros(self._item_index.n_rows)
        known = rows >= 0
        found[rows[known]] = counted[known]
        groups = frozenset(catalogue.groups.names)
        for at, item_id in enumerate(self._stats.item_ids):
            if item_id in groups and (product := catalogue.product_of_group(item_id)) is not None:
                found[catalogue.products.variants(product)] += 0.0 if known[at] else counted[at]
        return found

    def _of_items(self, name: str) -> Values:
        if name == "popularity":
            return self._item_index.popularity.astype(np.float64)
        if name in _FLAGS:
            catalogue = self._item_index.catalogue
            return (catalogue.is_on_sale if name == "on_sale" else catalogue.is_recommendable).astype(np.float64)
        column = self._item_index.column(name)
        if not isinstance(column, NumberColumn):
            return np.full(self._item_index.n_rows, np.nan)
        return np.asarray(column.values, np.float64)
