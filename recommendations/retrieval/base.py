"""What candidate sources are given, and what every source and every model version promises."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

import numpy as np

from recommendations.core.objectives import Weights
from recommendations.core.types import FloatArray, Ranked, RequestUser, RowArray
from recommendations.items.index import ItemIndex
from recommendations.ranking.rrf import FusionWeights

PER_SOURCE: Final = 100
"""How many items a source may propose."""


def _by_rank(n: int) -> FloatArray:
    scores: FloatArray = np.float32(1.0) / np.arange(1, n + 1, dtype=np.float32)
    return scores


_LONGEST: Final = 1_000
_BY_RANK: Final = _by_rank(_LONGEST)


Ranker = Callable[[RequestUser, Mapping[str, FloatArray], Weights], RowArray]
"""Returns rows in the order that suits a user, best first; beside the user it is given ``ItemIndex.counts`` and what
the placement weighs, nothing for the order as it was learnt."""


class CandidateModel(Protocol):
    """A trained model version, as the pipeline sees it: rows in, rows out; ``retrieval.model`` runs the real ones."""

    @property
    def version(self) -> str:
        """The version's name."""
        ...

    @property
    def sources(self) -> tuple[str, ...]:
        """The candidate sources that the version brings."""
        ...

    @property
    def fusion(self) -> FusionWeights:
        """The weights of its sources, as they were tuned in training."""
        ...

    @property
    def ranked_sources(self) -> tuple[str, ...]:
        """The sources that its ranker reads; none where it has no ranker."""
        ...

    def indices(self, rows: Sequence[int]) -> list[int]:
        """Return the item index of each row, 0 where the model does not know the item."""
        ...

    def knows(self, rows: Sequence[int]) -> bool:
        """Return whether the model knows any of these rows."""
        ...

    def candidates(
        self, newest_first: Sequence[int], *, sources: tuple[str, ...], given: RowArray | None
    ) -> tuple[dict[str, Ranked], Ranker | None]:
        """Return what sources of the model propose, and what asks its ranker about them, where it has one.

        Parameters
        ----------
        newest_first : sequence of int
            Rows that the list goes with.
        given : int32 rows, optional
            Propose these and no others.

        Raises
        ------
        ModelUnavailable
            ONNX Runtime failed; the ranker raises it, too.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ServingContext:
    """What a site serves from at one moment: catalogue, model version (where there is one) and time.

    Attributes
    ----------
    own : mapping of name to Source
        The site's own sources that may be asked for this list, beside those that every site has.
    own_weights : mapping of name to float
        What they weigh where a placement adds them to those of its strategy.
    """

    item_index: ItemIndex
    model: CandidateModel | None
    now_ms: int
    variant: str = "live"
    own: Mapping[str, Source] = field(default_factory=dict)
    own_weights: Mapping[str, float] = field(default_factory=dict)


class Source(Protocol):
    """Proposes candidates without a model: memory and arithmetic, no I/O, a bounded number of rows looked at.

    Attributes
    ----------
    name : str
        As placements, replies and explanations spell it.
    label : str
        Why an item is listed, as merchandisers read it.
    """

    name: str
    label: str

    def retrieve(self, about: RowArray, user: RequestUser, context: ServingContext, *, window: str) -> Ranked:
        """Return at most ``PER_SOURCE`` rows, best first, no row twice; what may not be shown is filtered later.

        Parameters
        ----------
        about : int32 rows
            Items that the list goes with, newest first, each once: the session, the page's item, or the cart.
        window : str
            What trending counts: ``1h``, ``24h`` or ``7d``.
        """
        ...


def listed(rows: RowArray, scores: FloatArray | None = None) -> Ranked:
    """Return rows that are in order already; without scores of their own they get 1 / rank."""
    if scores is None:
        scores = _BY_RANK[: len(rows)] if len(rows) <= _LONGEST else _by_rank(len(rows))
    return Ranked(rows=rows, scores=scores)


class Proposed:
    """A source whose answer for one list is there already, as that of a service that was asked before it is made."""

    def __init__(self, name: str, ranked: Ranked) -> None:
        self.name = name
        self.label = name
        self._ranked = ranked

    def retrieve(self, about: RowArray, user: RequestUser, context: ServingContext, *, window: str) -> Ranked:
        """Return the answer."""
        return self._ranked
