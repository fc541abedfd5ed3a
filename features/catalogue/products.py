"""Products above variants: which rows of a catalogue are sizes or colours of one thing. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

IntArray = npt.NDArray[np.int32]
LongArray = npt.NDArray[np.int64]

NO_PRODUCT: Final = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class Products:
    """The product of each row, and the rows of each product.

    Attributes
    ----------
    of_row : int32, shape (n_rows,)
        The lowest row of the item's group; the item's own row where it has no group. So products are rows, too.
    of_group : int32, shape (n_groups,)
        The product of each number of the vocabulary of groups; ``NO_PRODUCT`` for one that no row has.
    has_variants : bool
        Whether any product has more than one row.
    """

    of_row: IntArray
    of_group: IntArray
    has_variants: bool
    _rows: IntArray
    _starts: LongArray

    def variants(self, product: int) -> IntArray:
        """Return the rows of a product, the lowest first."""
        return self._rows[self._starts[product] : self._starts[product + 1]]

    def variants_of_all(self, products: IntArray) -> tuple[IntArray, LongArray]:
        """Return the rows of several products, one product after the other, and how many each has."""
        starts = self._starts.take(products)
        lengths = self._starts.take(products + 1) - starts
        ends = np.cumsum(lengths)
        total = int(ends[-1]) if len(ends) else 0
        positions = np.arange(total) + (starts - (ends - lengths)).repeat(lengths)
        return self._rows.take(positions), lengths


def products_of(group: IntArray, *, group_names: Sequence[str], row_of: Mapping[str, int]) -> Products:
    """Return the products of a catalogue.

    Parameters
    ----------
    group : int32, shape (n_rows,)
        Number of the group of each row, 0 for none.
    group_names : sequence of str
        By number.
    row_of : mapping of item id to row
        An item that bears the id of a group (a parent that feeds list beside its variants) belongs to that group.
    """
    n_rows = len(group)
    parents = [
        (row, number)
        for number, name in enumerate(group_names)
        if number and (row := row_of.get(name)) is not None and not group[row]
    ]
    if parents:
        group = group.copy()
        group[[row for row, _ in parents]] = [number for _, number in parents]
    grouped = np.flatnonzero(group > 0)
    of_group = np.full(max(len(group_names), int(group.max(initial=0)) + 1), NO_PRODUCT, np.int32)
    of_group[group[grouped[::-1]]] = grouped[::-1]  # of several rows of a group the lowest is written last
    of_row = np.arange(n_rows, dtype=np.int32)
    of_row[grouped] = of_group[group[grouped]]
    counts = np.bincount(of_row, minlength=n_rows)
    starts = np.zeros(n_rows + 1, np.int64)
    np.cumsum(counts, out=starts[1:])
    return Products(
        of_row=of_row,
        of_group=of_group,
        has_variants=bool((counts > 1).any()),
        _rows=np.argsort(of_row, kind="stable").astype(np.int32),
        _starts=starts,
    )
