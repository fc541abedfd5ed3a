"""How a list is made: features → candidates → filter → rank → rules → diversity → fill → explain. Pure; no I/O."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Final

import numpy as np

from recommendations.core.deadline import Deadline
from recommendations.core.row_index import is_first
from recommendations.core.types import FallbackReason, RequestUser, Stage
from recommendations.pipeline import diversity, explain, exploration, fallbacks, fusion, retrieve, strategies, variants
from recommendations.pipeline.eligibility import Eligibility
from recommendations.pipeline.exclusions import hidden_rows
from recommendations.pipeline.query import ListQuery
from recommendations.pipeline.rules import pin, registry
from recommendations.pipeline.rules.base import active_rules
from recommendations.pipeline.state import ListResult, PipelineError, PipelineState, Step
from recommendations.retrieval.base import ServingContext
from recommendations.retrieval.sources import Reason


def recommend(
    query: ListQuery,
    user: RequestUser,
    context: ServingContext,
    *,
    deadline: Deadline,
    shown: Collection[int] = (),
) -> ListResult:
    """Return one list; never fails for want of data, see ``fallbacks``.

    Parameters
    ----------
    shown : collection of int
        Rows in other lists of the same page: not shown twice.

    Raises
    ------
    PipelineError
        A step failed, which is a mistake in the code; ``recover`` returns what can be had without it.
    """
    state = PipelineState(query=query, user=user, context=context, deadline=deadline, shown=shown)
    try:
        for step, run in STEPS.items():
            state.step = step
            run(state)
    except Exception as error:
        raise PipelineError(state) from error
    return _result(state)


def recover(error: PipelineError) -> ListResult:
    """Return what can be had without the step that failed: the given items, popular or editorial ones, or none.

    What the filter keeps out is never listed: where the filter, or the rules that it needs, is what failed, the list
    is empty.
    """
    failed = error.state
    state = PipelineState(
        query=failed.query, user=failed.user, context=failed.context, deadline=failed.deadline, shown=failed.shown
    )
    state.step = state.failed_step = failed.step
    state.strategy = strategies.strategy_for(state.query.placement, state.user)
    if failed.step not in (Step.FEATURES, Step.FILTER):
        state.about, state.page_row, state.active = failed.about, failed.page_row, failed.active
        _make_eligibility(state)
        if state.query.candidates is not None:
            given = state.eligibility.keep(state.context.item_index.rows(state.query.candidates)).tolist()
            state.rows = tuple(given[: state.query.limit])
            state.filled = dict.fromkeys(state.rows, Reason.GIVEN.value)
        elif failed.step is not Step.FILL:
            fallbacks.fill(state, [])
    state.reasons = tuple(state.filled[row] for row in state.rows)
    state.stage = Stage.POPULAR if state.rows else Stage.EMPTY
    state.fallback_reason = FallbackReason.PIPELINE_ERROR
    if state.query.explains and failed.step is not Step.EXPLAIN:
        state.explanation = explain.explanation_of(state)
    return _result(state)


def without_candidates(
    query: ListQuery,
    user: RequestUser,
    context: ServingContext,
    *,
    deadline: Deadline,
    shown: Collection[int] = (),
) -> ListResult:
    """Return what the placement falls back on when no source can be asked, such as popular items; see ``recommend``."""
    state = PipelineState(query=query, user=user, context=context, deadline=deadline, shown=shown)
    _features(state)
    state.step = Step.CANDIDATES
    result = recover(PipelineError(state))
    result.failed_step = None
    return result


def _features(state: PipelineState) -> None:
    strategies.find_subject(state)
    state.active = active_rules(
        state.query.placement.rules,
        state.user,
        state.context.item_index,
        page_row=state.page_row,
        now_ms=state.context.now_ms,
    )


def _make_eligibility(state: PipelineState) -> None:
    item_index = state.context.item_index
    hidden = hidden_rows(
        state.query,
        state.user,
        item_index,
        strategy=state.strategy,
        about=state.about,
        now_ms=state.context.now_ms,
    )
    state.eligibility = Eligibility(
        state.query, item_index, state.active, hidden=hidden.union(state.shown), deadline=state.deadline
    )
    if state.eligibility.is_late:
        state.problem = FallbackReason.DEADLINE


def _filter(state: PipelineState) -> None:
    _make_eligibility(state)
    state.fused = fusion.fused(
        state.candidates, state.weights, k=state.fusion_k, product_of=variants.products_to_fuse(state)
    )
    state.ranked = variants.eligible(state)


def _rank(state: PipelineState) -> None:
    if state.order is not None:
        order = variants.standing_for(state, state.order)
        order = order if order is state.order else order[is_first(order)]
        state.ranked = fusion.reordered(state.ranked, order)
    if state.unlearned:
        rows = variants.standing_for(state, np.fromiter(state.unlearned, np.int32)).tolist()
        newest_last = reversed(list(zip(rows, state.unlearned.values(), strict=True)))
        state.ranked = fusion.moved_up(state.ranked, dict(newest_last))


def _rules(state: PipelineState) -> None:
    state.boosted, state.used_rules = registry.with_boosts(state.ranked, state.active)


def _diversity(state: PipelineState) -> None:
    query = state.query
    state.chosen = diversity.choose(
        state.boosted, state.context.item_index.similarity, query.placement.variety, size=query.limit
    )


def _fill(state: PipelineState) -> None:
    """Fill what is missing, give positions to new items, then to what merchandisers pinned."""
    item_index, size = state.context.item_index, state.query.limit
    fallbacks.fill(state, state.chosen.rows.tolist())
    exploration.add_new_items(state)
    variants.suit(state)
    state.pins = pin.pins_of(registry.pinning(state.active), item_index, state.eligibility.keep, size=size)
    state.rows = tuple(pin.with_pins(state.rows, state.pins, product_of=item_index.products.of_row, size=size))


STEPS: Final[dict[Step, Callable[[PipelineState], None]]] = {
    Step.FEATURES: _features,
    Step.CANDIDATES: retrieve.find_candidates,
    Step.FILTER: _filter,
    Step.RANK: _rank,
    Step.RULES: _rules,
    Step.DIVERSITY: _diversity,
    Step.FILL: _fill,
    Step.EXPLAIN: explain.explain,
}


def _result(state: PipelineState) -> ListResult:
    model = state.context.model
    return ListResult(
        query=state.query,
        rows=state.rows,
        reasons=state.reasons,
        stage=state.stage,
        fallback_reason=state.fallback_reason,
        model_version=model.version if model is not None else "",
        variant=state.context.variant,
        rule_ids=tuple(dict.fromkeys([*(pinned.rule_id for pinned in state.pins), *state.used_rules])),
        failed_step=state.failed_step,
        explanation=state.explanation,
    )
