"""Candidate sources of a model set: one graph each, the same question, the same kind of answer."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from recommendations.exceptions import ModelUnavailable
from recommendations.inference.batching import MAX_EXCLUDED, BatchedScorer, DenseRequest
from recommendations.inference.device import GpuShortfall, Shortfall, count_fallback
from recommendations.inference.queries import (
    EMPTY_RESULT,
    IS_HIDDEN,
    FloatArray,
    History,
    IndexArray,
    SourceResult,
)
from recommendations.inference.runtime import GraphSession, Provider

logger = logging.getLogger(__name__)

DEVICE_REST_S: Final = 30.0
_NOTHING: Final = np.float32(0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One checked query, in the shapes that graphs take.

    Attributes
    ----------
    item_bias, hidden_bias : float32, shape (n_rows,)
        Added to scores that are comparable with it; 0 or ``HIDDEN``, for sums of neighbours.
    exclude : int64, shape (E,), E ≥ 1
        Padded with item 0.
    candidates : int64, shape (C,)
        Empty: the whole catalogue.
    has_shared_bias : bool
        Whether other requests come with the very same ``item_bias``.
    wanted : tuple of str
        Names of the sources that are asked; empty: all.
    """

    history: History
    item_bias: FloatArray
    hidden_bias: FloatArray
    exclude: IndexArray
    candidates: IndexArray
    has_shared_bias: bool
    k: int
    wanted: tuple[str, ...] = ()


class Source(Protocol):
    """One graph: a candidate source, or several that share their work."""

    names: tuple[str, ...]
    n_rows: int
    provider: Provider

    @property
    def shortfall(self) -> GpuShortfall | None:
        """Why the CPU answers for its GPU at the moment."""
        ...

    def retrieve(self, question: Question) -> dict[str, SourceResult]:
        """Return the best items of each of its sources that is asked."""
        ...

    def close(self) -> None:
        """End its threads; the source is not used again."""
        ...


class SparseSource:
    """Item-item tables or session kNN: only what was seen together has a score above 0.

    Parameters
    ----------
    names : tuple of str
        In the order of the graph's rows; one name for a graph without rows.
    """

    def __init__(self, names: tuple[str, ...], session: GraphSession, *, last_n: int) -> None:
        self.names = names
        self.provider: Provider = "cpu"
        self.n_rows = int(session.input_shapes["hidden_bias"][0])
        self._session = session
        self._last_n = last_n
        self._takes_is_last = "is_last" in session.input_shapes
        self._takes_from_newest = "place" in session.input_shapes
        self._takes_tables = "tables" in session.input_shapes
        self.shortfall: GpuShortfall | None = None

    def retrieve(self, question: Question) -> dict[str, SourceResult]:
        """Return the best items of each source that is asked; one run of one graph."""
        history = question.history.newest(self._last_n)
        names = self.names
        feeds: dict[str, NDArray[Any]] = {
            "item_index": history.indices,
            "weight": history.weight,
            "age": history.age,
            "exclude": question.exclude,
            "hidden_bias": question.hidden_bias,
            # With candidates, the best of the catalogue are computed and not looked at: ask for one.
            "k": np.array([1 if len(question.candidates) else question.k], np.int64),
            "candidates": question.candidates,
        }
        if self._takes_is_last:
            feeds["is_last"] = history.is_last
        if self._takes_from_newest:
            feeds["place"] = history.from_newest
        if self._takes_tables:
            names, feeds["tables"] = _tables_asked(names, question.wanted)
        index, score, given_score = self._session.run(feeds)
        shape = (len(names), -1)
        if len(question.candidates):
            return {
                name: result_of(question.candidates, given, question, least=_NOTHING)
                for name, given in zip(names, given_score.reshape(shape), strict=True)
            }
        index, score = index.reshape(shape), score.reshape(shape)
        if score.shape[1] and score[:, -1].min() > _NOTHING:  # most often every list is full, and nothing is looked for
            return {name: SourceResult(indices=index[row], score=score[row]) for row, name in enumerate(names)}
        return {
            name: result_of(items, scores, question, least=_NOTHING)
            for name, items, scores in zip(names, index, score, strict=True)
        }

    def close(self) -> None:
        """Nothing to end."""


@lru_cache(maxsize=256)
def _tables_asked(names: tuple[str, ...], wanted: tuple[str, ...]) -> tuple[tuple[str, ...], IndexArray]:
    """Return which of a graph's sources are asked, in its order, and their numbers."""
    numbers = [number for number, name in enumerate(names) if not wanted or name in wanted]
    asked = np.array(numbers, np.int64)
    asked.setflags(write=False)
    return tuple(names[number] for number in numbers), asked


class FoldInSource:
    """ALS whose user factor is solved from the history, inside the graph; on the GPU where there is one.

    Parameters
    ----------
    scorer : BatchedScorer, optional
        The GPU. What does not fit its fixed shapes (candidates, more answers, many exclusions) and what is asked
        with a bias of its own stays on the CPU.
    """

    def __init__(self, name: str, session: GraphSession, *, last_n: int, scorer: BatchedScorer | None = None) -> None:
        self.names: tuple[str, ...] = (name,)
        self._scorer = scorer
        self._failure: GpuShortfall | None = None
        self._rest_until_s = 0.0  # after a failure the CPU answers for a while, so that not every request waits
        self.provider: Provider = "cpu" if scorer is None else scorer.provider
        self.n_rows = int(session.input_shapes["item_bias"][0])
        self._session = session
        self._last_n = last_n

    @property
    def shortfall(self) -> GpuShortfall | None:
        """Why the CPU answers for the GPU; None once the device may be asked again."""
        return self._failure if time.monotonic() < self._rest_until_s else None

    def retrieve(self, question: Question) -> dict[str, SourceResult]:
        """Return the best items of this source; one run of one graph, on the GPU a part of one."""
        history = question.history.newest(self._last_n)
        fits = self._scorer is not None and self._fits(question)
        if fits and (resting := self.shortfall) is not None:
            count_fallback(resting)
        elif fits and self._scorer is not None:
            request = DenseRequest(history=history, item_bias=question.item_bias, exclude=question.exclude)
            try:
                index, score = self._scorer.score(request)
            except ModelUnavailable as error:
                self._failure = count_fallback(GpuShortfall(reason=Shortfall.NO_ANSWER, detail=str(error)))
                self._rest_until_s = time.monotonic() + DEVICE_REST_S
                logger.warning("inference.device_failed rest_s=%s detail=%r", DEVICE_REST_S, str(error))
            else:
                return {self.names[0]: result_of(index[: question.k], score[: question.k], question, least=IS_HIDDEN)}
        index, score = self._session.run(
            {
                "item_index": history.indices[None],
                "weight": history.weight[None],
                "age": history.age[None],
                "is_last": history.is_last[None],
                "exclude": question.exclude[None],
                "item_bias": question.item_bias,
                "k": np.array([question.k], np.int64),
                "candidates": question.candidates,
            }
        )
        return {self.names[0]: result_of(index[0], score[0], question, least=IS_HIDDEN)}

    def close(self) -> None:
        """End the GPU's thread."""
        if self._scorer is not None:
            self._scorer.close()

    def _fits(self, question: Question) -> bool:
        return (
            self._scorer is not None
            and question.has_shared_bias
            and len(question.candidates) == 0
            and question.k <= self._scorer.n_answers
            and len(question.exclude) <= MAX_EXCLUDED
        )


def result_of(index: IndexArray, score: FloatArray, question: Question, *, least: np.float32) -> SourceResult:
    """Keep what is a recommendation (a score above ``least``), best first, at most k."""
    if len(question.candidates):
        keep = (score > least) & ~np.isin(index, question.exclude)
        index, score = index[keep], score[keep]
        order = np.argsort(-score, kind="stable")[: question.k]
        return SourceResult(indices=index[order], score=score[order])
    # Scores fall, so what is kept comes first, and most often it is all.
    if not len(score) or score[-1] > least:
        return SourceResult(indices=index, score=score)
    count = int(np.count_nonzero(score > least))
    return SourceResult(indices=index[:count], score=score[:count]) if count else EMPTY_RESULT
