"""The candidates step: run the sources of a strategy, those of the model together."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Final

import numpy as np

from recommendations.core.strategies import Strategy
from recommendations.core.types import FallbackReason, Ranked, RowArray
from recommendations.exceptions import ModelUnavailable
from recommendations.pipeline.state import PipelineState
from recommendations.retrieval.base import CandidateModel, listed
from recommendations.retrieval.installed import InstalledSource
from recommendations.retrieval.sources import INSTALLED, SOURCES, Reason

logger = logging.getLogger(__name__)

MODEL_MS: Final = 4.0
"""What the model's sources and ranker may need (benchmarks/serve.py); with less time left they are not run."""

KEPT_MS: Final = 2 * MODEL_MS
"""What sources of installed packages leave of a list's time to the model and the steps that follow."""

LISTED_ONLY: Final = 1e-4
"""Weight of a source that fusion has no use for and the ranker reads: its items become candidates, at the end."""

GIVEN_WEIGHT: Final = 0.2
MAX_CANDIDATES: Final = 1_000


def find_candidates(state: PipelineState) -> None:
    """Write what every source of the strategy proposes; a model that fails is left out and named as the problem."""
    query, context, strategy, about = state.query, state.context, state.strategy, state.about
    item_index, model = context.item_index, context.model
    weights = _weights(state)
    given = item_index.rows(query.candidates[:MAX_CANDIDATES]) if query.candidates is not None else None
    unique = np.asarray(list(dict.fromkeys(about)), np.int32)
    window = query.placement.window
    candidates = {
        name: SOURCES[name].retrieve(unique, state.user, context, window=window)
        for name in weights
        if name in SOURCES and name not in INSTALLED
    }
    beside = {**INSTALLED, **context.own}
    for name in [name for name in weights if name in beside]:
        source = beside[name]
        if isinstance(source, InstalledSource):
            left_ms = max(state.deadline.left_ms - KEPT_MS, 0.0)
            candidates[name] = source.retrieve_within(left_ms, unique, state.user, context, window=window)
        else:
            candidates[name] = source.retrieve(unique, state.user, context, window=window)
    if model is None:
        state.problem = FallbackReason.NO_MODEL if _wants_model(strategy) else None
    else:
        candidates |= _model_candidates(state, model, weights, given)
    if given is not None:
        candidates, weights = _only(candidates, given), {**weights, Reason.GIVEN.value: GIVEN_WEIGHT}
    elif model is not None and strategy.uses_model_weights and state.is_of_user:
        state.unlearned = _unlearned(model, state)
    state.candidates, state.weights = candidates, weights


def _model_candidates(
    state: PipelineState, model: CandidateModel, weights: Mapping[str, float], given: RowArray | None
) -> dict[str, Ranked]:
    """Return what the model's sources propose; write the ranker's order, or why the model did not answer."""
    sources = tuple(name for name in weights if name in model.sources)
    if not sources or not state.about or not model.knows(state.about):
        return {}
    state.fusion_k = model.fusion.k
    if not state.deadline.has(MODEL_MS):
        state.problem = FallbackReason.DEADLINE
        return {}
    found: dict[str, Ranked] = {}
    try:
        found, ranker = model.candidates(state.about, sources=sources, given=given)
        if ranker is not None and state.strategy.uses_ranker and given is None:
            state.order = ranker(state.user, state.context.item_index.counts, state.query.placement.objectives)
    except ModelUnavailable as error:
        logger.warning("retrieve.model_failed version=%s error=%s", model.version, error)
        state.problem = FallbackReason.MODEL_FAILED
    return found


def _weights(state: PipelineState) -> dict[str, float]:
    """Return the weight of each source: the strategy's, the model's tuned ones, less what the placement left out."""
    strategy, model, placement = state.strategy, state.context.model, state.query.placement
    weights = dict(strategy.weights)
    if strategy.uses_model_weights and model is not None:
        # A source that fusion was tuned to leave out costs a graph run and changes nothing.
        tuned = {name: weight for name, weight in model.fusion.weights.items() if weight > 0}
        weights = {**strategy.beside_model, **tuned}
        if strategy.uses_ranker:
            # A ranker reads every source that it was trained on, also those that fusion gives no weight.
            weights.update({name: LISTED_ONLY for name in model.ranked_sources if not weights.get(name)})
    if placement.sources:
        chosen = set(placement.sources)
        weights = {name: weights.get(name) or 1.0 for name in [*weights, *chosen] if name in chosen}
    for name in placement.added_sources:
        weights[name] = weights.get(name) or state.context.own_weights.get(name, 1.0)
    return weights


def _unlearned(model: CandidateModel, state: PipelineState) -> dict[int, int]:
    """Return the user's items that the model never saw: it cannot say that users come back to them."""
    rows = tuple(dict.fromkeys(state.about))
    return {
        row: position
        for position, (row, index) in enumerate(zip(rows, model.indices(rows), strict=True))
        if not index and row != state.page_row
    }


def _wants_model(strategy: Strategy) -> bool:
    return strategy.uses_model_weights or any(name not in SOURCES for name in strategy.weights)


def _only(candidates: Mapping[str, Ranked], given: RowArray) -> dict[str, Ranked]:
    """Return the candidates without what was not given, and the given order as a source of its own."""
    kept = {}
    for name, each in candidates.items():
        mask = np.isin(each.rows, given)
        if mask.any():
            kept[name] = each.keep(mask)
    return {**kept, Reason.GIVEN.value: listed(given)}
