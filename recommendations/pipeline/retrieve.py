"""The candidates step: ask the sources of a strategy, those of the model in one go."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from recommendations.core.deadline import Deadline
from recommendations.core.types import FallbackReason, RequestUser, RowArray, SourceList
from recommendations.exceptions import ModelUnavailable
from recommendations.pipeline.context import ServingContext
from recommendations.pipeline.query import ListQuery
from recommendations.pipeline.strategies import Strategy, Subject
from recommendations.retrieval.base import PER_SOURCE, Question, listed
from recommendations.retrieval.model import RANKED_SOURCES, ModelLink
from recommendations.retrieval.sources import SOURCES

logger = logging.getLogger(__name__)

MODEL_MS: Final = 4.0
"""What the model's sources and ranker may need (benchmarks/serve.py); with less time left they are not asked."""

LISTED_ONLY: Final = 1e-4
"""Weight of a source that fusion has no use for and the ranker reads: its items become candidates, at the end."""

DEFAULT_FUSION_K: Final = 10.0
MAX_CANDIDATES: Final = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What the sources proposed.

    Attributes
    ----------
    weights : mapping of source to weight
    order : int32 rows, optional
        What the ranker says of the model's candidates, best first.
    unlearned : mapping of row to place
        What the shopper looked at that is newer than the model, and how many items ago (0 is the newest).
    problem : FallbackReason, optional
        Why the model was not asked, or did not answer.
    """

    lists: tuple[SourceList, ...]
    weights: Mapping[str, float]
    fusion_k: float
    order: RowArray | None = None
    unlearned: Mapping[int, int] = field(default_factory=dict)
    problem: FallbackReason | None = None


def candidates(
    ask: ListQuery,
    shopper: RequestUser,
    serving: ServingContext,
    strategy: Strategy,
    about: Subject,
    *,
    deadline: Deadline,
) -> Found:
    """Return what every source of the strategy proposes; a source that fails is left out and named."""
    weights = _weights(ask, serving, strategy)
    given = serving.item_index.rows(ask.candidates[:MAX_CANDIDATES]) if ask.candidates is not None else None
    question = Question(
        item_index=serving.item_index,
        shopper=shopper,
        about=np.asarray(list(dict.fromkeys(about.rows)), np.int32),
        window=ask.placement.window,
        now_ms=serving.now_ms,
        k=PER_SOURCE,
    )
    lists = [SOURCES[name].retrieve(question) for name in weights if name in SOURCES]
    order: RowArray | None = None
    problem: FallbackReason | None = None
    fusion_k = DEFAULT_FUSION_K
    model = serving.model
    asked = tuple(name for name in weights if model is not None and name in model.sources)
    if model is None:
        problem = FallbackReason.NO_MODEL if _wants_model(strategy) else None
    elif asked and about.rows and model.knows(about.rows):
        fusion_k = model.fusion.k
        if not deadline.has(MODEL_MS):
            problem = FallbackReason.DEADLINE
        else:
            try:
                answer = model.ask(about.rows, sources=asked, candidates=given, k=PER_SOURCE)
                lists += model.lists(answer)
                if strategy.uses_ranker and model.has_ranker and given is None:
                    order = model.rank(
                        answer, k=2 * PER_SOURCE, shopper=shopper.features, counts=serving.item_index.counts
                    )
            except ModelUnavailable as error:
                logger.warning("retrieve.model_failed version=%s error=%s", model.version, error)
                problem = FallbackReason.MODEL_FAILED
    if given is not None:
        lists, weights = _only(lists, given), {**weights, "given": 0.2}
    return Found(
        lists=tuple(lists),
        weights=weights,
        fusion_k=fusion_k,
        order=order,
        unlearned=_unlearned(model, strategy, about) if given is None else {},
        problem=problem,
    )


def _weights(ask: ListQuery, serving: ServingContext, strategy: Strategy) -> dict[str, float]:
    """Return the weight of each source: the strategy's, the model's tuned ones, less what the placement left out."""
    weights = dict(strategy.weights)
    if strategy.uses_model_weights and serving.model is not None:
        # A source that fusion was tuned to leave out costs a graph run and changes nothing.
        tuned = {name: weight for name, weight in serving.model.fusion.weights.items() if weight > 0}
        weights = {**strategy.beside_model, **tuned}
        if strategy.uses_ranker and serving.model.has_ranker:
            # A ranker reads every source that it was trained on, also those that fusion gives no weight.
            weights.update({name: LISTED_ONLY for name in RANKED_SOURCES if not weights.get(name)})
    if ask.placement.sources:
        chosen = set(ask.placement.sources)
        weights = {name: weights.get(name) or 1.0 for name in [*weights, *chosen] if name in chosen}
    return weights


def _unlearned(model: ModelLink | None, strategy: Strategy, about: Subject) -> dict[int, int]:
    """Return the shopper's items that the model never saw: it cannot say that shoppers come back to them."""
    if model is None or not strategy.uses_model_weights or not about.is_of_shopper:
        return {}
    rows = tuple(dict.fromkeys(about.rows))
    return {
        row: place
        for place, (row, index) in enumerate(zip(rows, model.indices(rows), strict=True))
        if not index and row != about.context
    }


def _wants_model(strategy: Strategy) -> bool:
    return strategy.uses_model_weights or any(name not in SOURCES for name in strategy.weights)


def _only(lists: Sequence[SourceList], given: RowArray) -> list[SourceList]:
    """Return the lists without what was not given, and the given order as a source of its own."""
    kept = []
    for each in lists:
        mask = np.isin(each.rows, given)
        if mask.any():
            kept.append(SourceList(name=each.name, rows=each.rows[mask], scores=each.scores[mask]))
    return [*kept, listed("given", given)]
