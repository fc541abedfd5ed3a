"""What a candidate source is asked, and what every source promises."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Protocol

import numpy as np

from recommendations.core.types import NO_ROWS, FloatArray, RequestUser, RowArray, SourceList
from recommendations.items.index import ItemIndex

PER_SOURCE: Final = 100
"""How many items a source may propose."""


def _by_rank(n: int) -> FloatArray:
    scores: FloatArray = np.float32(1.0) / np.arange(1, n + 1, dtype=np.float32)
    return scores


_LONGEST: Final = 1_000
_BY_RANK: Final = _by_rank(_LONGEST)


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What a list is to be about.

    Attributes
    ----------
    about : int32 rows
        Items that the list goes with, newest first: the session, the page's item, or the cart.
    window : str
        What trending counts: ``1h``, ``24h`` or ``7d``.
    now_ms : int
    """

    item_index: ItemIndex
    shopper: RequestUser
    about: RowArray = field(default_factory=lambda: NO_ROWS)
    window: str = "24h"
    now_ms: int = 0
    k: int = PER_SOURCE


class Source(Protocol):
    """Proposes candidates. Pure: memory and arithmetic, no I/O, a bounded number of rows looked at."""

    name: str

    def retrieve(self, question: Question) -> SourceList:
        """Return at most ``question.k`` rows, best first, no row twice; what may not be shown is filtered later."""
        ...


def listed(name: str, rows: RowArray, scores: FloatArray | None = None) -> SourceList:
    """Return rows that are in order already; without scores of their own they get 1 / rank."""
    if scores is None:
        scores = _BY_RANK[: len(rows)] if len(rows) <= _LONGEST else _by_rank(len(rows))
    return SourceList(name=name, rows=rows, scores=scores)
