"""A model version that is asked once for what several lists of a page have in common."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence

from recommendations.core.objectives import Weights
from recommendations.core.types import FloatArray, Ranked, RequestUser, RowArray
from recommendations.ranking.rrf import FusionWeights
from recommendations.retrieval.base import CandidateModel, Ranker


class OnceAPage:
    """Asks ``model`` once for the same sources and items; a page of ten lists for one user is ten times the same.

    Made for one page of one user: an order of the ranker is kept without looking at whose it is.
    """

    def __init__(self, model: CandidateModel) -> None:
        self._model = model
        self._answers: dict[Hashable, tuple[dict[str, Ranked], Ranker | None]] = {}

    @property
    def version(self) -> str:
        """The version's name."""
        return self._model.version

    @property
    def sources(self) -> tuple[str, ...]:
        """The candidate sources that the version brings."""
        return self._model.sources

    @property
    def fusion(self) -> FusionWeights:
        """The weights of its sources, as they were tuned in training."""
        return self._model.fusion

    @property
    def ranked_sources(self) -> tuple[str, ...]:
        """The sources that its ranker reads; none where it has no ranker."""
        return self._model.ranked_sources

    def indices(self, rows: Sequence[int]) -> list[int]:
        """Return the item index of each row, 0 where the model does not know the item."""
        return self._model.indices(rows)

    def knows(self, rows: Sequence[int]) -> bool:
        """Return whether the model knows any of these rows."""
        return self._model.knows(rows)

    def candidates(
        self, newest_first: Sequence[int], *, sources: tuple[str, ...], given: RowArray | None
    ) -> tuple[dict[str, Ranked], Ranker | None]:
        """Return what the model says, or said already; see ``CandidateModel``. A failure is not kept."""
        key = (tuple(newest_first), sources, None if given is None else given.tobytes())
        known = self._answers.get(key)
        if known is None:
            found, ranker = self._model.candidates(newest_first, sources=sources, given=given)
            known = self._answers[key] = found, None if ranker is None else _once(ranker)
        return dict(known[0]), known[1]


def _once(ranker: Ranker) -> Ranker:
    orders: dict[Weights, RowArray] = {}

    def ranked(user: RequestUser, counts: Mapping[str, FloatArray], objectives: Weights) -> RowArray:
        known = orders.get(objectives)
        if known is None:
            known = orders[objectives] = ranker(user, counts, objectives)
        return known

    return ranked
