"""Which row of a catalogue stands for which item of a model version, and the other way round. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recommendations.core.types import FloatArray, Mask, RowArray
from recommendations.items.index import ItemIndex


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemRows:
    """A model's items joined to a catalogue.

    A model may know variants, whole products by the id of their group, or both: whatever of a product it knows stands
    for each variant that it does not know.

    Attributes
    ----------
    row_of_index : int32, shape (n_items,)
        -1 where the catalogue does not have the item.
    index_of_row : int64, shape (n_rows,)
        0 where the model knows neither the item nor another variant of its product.
    can_be_had : bool, shape (n_items,)
        Whether a variant of the item's product is recommendable.
    variants : int
        How many of the model's items there are to a product, on average and rounded up.
    """

    row_of_index: RowArray
    index_of_row: NDArray[np.int64]
    can_be_had: Mask
    variants: int


def item_rows(item_ids: Sequence[str], popularity: FloatArray, item_index: ItemIndex) -> ItemRows:
    """Return which rows stand for the items of a model.

    Parameters
    ----------
    item_ids : sequence of str
        By item index; the first is that of padding.
    popularity : float32, shape (n_items,)
        Interactions in the training data: of several items of one product the most popular stands for its others.
    """
    catalogue, products = item_index.catalogue, item_index.products.of_row
    row_of_index: RowArray = catalogue.rows(item_ids)
    names = frozenset(catalogue.groups.names)
    groups = {
        index: row
        for index, item_id in enumerate(item_ids)
        if item_id in names and (row := item_index.row_of_group(item_id)) is not None
    }
    row_of_index[list(groups)] = list(groups.values())
    row_of_index[0] = -1
    known = np.flatnonzero(row_of_index >= 0)
    of_item = products[row_of_index[known]]
    order = np.argsort(popularity[known], kind="stable")
    index_of_product = np.zeros(item_index.n_rows, np.int64)
    index_of_product[of_item[order]] = known[order]  # the most popular one is written last
    index_of_row = index_of_product[products]
    own = np.setdiff1d(known, list(groups))
    index_of_row[row_of_index[own]] = own
    product_can_be_had = np.zeros(item_index.n_rows, np.bool_)
    product_can_be_had[products[catalogue.is_recommendable]] = True
    can_be_had = np.zeros(len(item_ids), np.bool_)
    can_be_had[known] = product_can_be_had[of_item]
    offered = of_item[can_be_had[known]]
    n_products = max(len(np.unique(offered)), 1)
    return ItemRows(
        row_of_index=row_of_index,
        index_of_row=index_of_row,
        can_be_had=can_be_had,
        variants=max(-(-len(offered) // n_products), 1),
    )
