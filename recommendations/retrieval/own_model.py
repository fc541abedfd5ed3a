"""A shop's own ONNX model as a source: rows of the catalogue in, rows out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recommendations.core.types import NOTHING_RANKED, Ranked, RequestUser, RowArray
from recommendations.inference.own_model import OwnModel
from recommendations.items.index import ItemIndex
from recommendations.retrieval.base import PER_SOURCE, ServingContext


@dataclass(frozen=True, slots=True)
class _Numbers:
    """Number of each row, 0 for none, int64; row of each number, -1 for none, int32."""

    of_row: NDArray[np.int64]
    rows: RowArray


class OwnModelSource:
    """Asks the model for what goes with the items of a list; run behind the fence of ``retrieval.installed``."""

    def __init__(self, name: str, label: str, model: OwnModel) -> None:
        self.name = name
        self.label = label
        self._model = model

    def make(self, item_index: ItemIndex) -> _Numbers:
        """Return how numbers of the model and rows of a catalogue belong together."""
        rows = item_index.catalogue.rows(self._model.item_ids)
        of_row = np.zeros(item_index.n_rows, np.int64)
        known = np.flatnonzero(rows >= 0)
        of_row[rows[known]] = known + 1
        return _Numbers(
            of_row, np.concatenate([np.array([-1], np.int32), np.where(rows >= 0, rows, -1)]).astype(np.int32)
        )

    def retrieve(self, about: RowArray, user: RequestUser, context: ServingContext, *, window: str) -> Ranked:
        """Return what the model proposes; nothing where it knows none of the items."""
        numbers = context.item_index.made(self)
        session = numbers.of_row[about]
        session = session[session > 0]
        if not len(session):
            return NOTHING_RANKED
        items, scores = self._model.run(session)
        if len(items) and (items.min() < 0 or items.max() >= len(numbers.rows)):
            raise ValueError(f"item {items.max()} is none of the model's {len(numbers.rows) - 1}")
        rows = numbers.rows[items]
        known = rows >= 0
        return Ranked(rows=rows[known][:PER_SOURCE], scores=scores[known][:PER_SOURCE])
