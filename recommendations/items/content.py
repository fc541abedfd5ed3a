"""Items that are alike by what they are: a content table joined to the rows of a catalogue. Pure arrays."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from features.catalogue.snapshot import CatalogueSnapshot
from recommendations.core.content_table import ContentTable
from recommendations.core.types import FloatArray, RowArray


class ContentIndex:
    """A table joined to the rows of a catalogue; never changed afterwards.

    Parameters
    ----------
    popularity : float32, shape (n_rows,)
        Of a product's variants that can be had, the most popular one is listed.
    older : ContentIndex, optional
        Where it joins the same table to the same catalogue, item ids are not looked up again.

    Attributes
    ----------
    unit_of_row : int32, shape (n_rows,)
        -1 where the table does not know the item.
    row_of_unit : int32, shape (n_units,)
        -1 where nothing of it can be had.
    """

    def __init__(
        self,
        table: ContentTable,
        catalogue: CatalogueSnapshot,
        *,
        popularity: FloatArray,
        older: ContentIndex | None = None,
    ) -> None:
        self.table = table
        self._catalogue = catalogue
        if older is not None and older.table is table and older._catalogue is catalogue:
            self.unit_of_row: RowArray = older.unit_of_row
        else:
            rows = catalogue.rows(table.load_ids())
            known = rows >= 0
            self.unit_of_row = np.full(catalogue.n_rows, -1, np.int32)
            self.unit_of_row[rows[known]] = table.unit_of_item[known]
        listed = np.flatnonzero((self.unit_of_row >= 0) & catalogue.is_recommendable)
        listed = listed[np.argsort(popularity[listed], kind="stable")]
        self.row_of_unit: RowArray = np.full(len(table.neighbours), -1, np.int32)
        self.row_of_unit[self.unit_of_row[listed]] = listed  # the most popular one is written last

    def like(self, about: RowArray) -> tuple[RowArray, FloatArray, NDArray[np.int64]]:
        """Return recommendable rows that are like the given ones, how much, and which one each is like.

        Returns
        -------
        rows : int32
            Those of one of ``about`` stand together, the most alike first; a row may be like several.
        similarity : float32
            Cosine.
        origin : int64
            Positions in ``about``.
        """
        units = self.unit_of_row.take(about)
        origin = (units >= 0).nonzero()[0]
        known = units.take(origin)
        found = self.table.neighbours[known]
        rows = self.row_of_unit.take(np.maximum(found, 0))
        is_there = (found >= 0) & (rows >= 0)
        similarity = self.table.similarity[known][is_there].astype(np.float32)
        return rows[is_there], similarity, origin.repeat(is_there.sum(axis=1))

    def vectors_of(self, rows: RowArray) -> FloatArray:
        """Return the vector of each row, zeros where nothing is known; float32, shape (n, d)."""
        units = self.unit_of_row.take(rows)
        vectors = np.zeros((len(rows), self.table.vectors.shape[1]), np.float32)
        known = (units >= 0).nonzero()[0]
        vectors[known] = self.table.vectors[units.take(known)]
        return vectors
