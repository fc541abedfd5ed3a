"""How a list is made: features → candidates → filter → rank → rules → diversity → fill → explain. Pure; no I/O."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from typing import Final

import numpy as np

from recommendations.core.actions import RuleAction
from recommendations.core.deadline import Deadline
from recommendations.core.row_index import is_first
from recommendations.core.types import FallbackReason, RequestUser, Stage
from recommendations.pipeline import diversity, explain, exploration, fallbacks, fusion, retrieve, strategies, variants
from recommendations.pipeline.eligibility import Eligibility
from recommendations.pipeline.exclusions import hidden_rows
from recommendations.pipeline.query import ListQuery
from recommendations.pipeline.rules import pin
from recommendations.pipeline.rules.applying import Rules
from recommendations.pipeline.rules.limit import within_limits
from recommendations.pipeline.rules.replace import replaced
from recommendations.pipeline.state import (
    CANDIDATE_FIELDS,
    RANK_FIELDS,
    ListResult,
    PipelineError,
    PipelineState,
    Step,
)
from recommendations.retrieval.base import ServingContext
from recommendations.retrieval.sources import Reason


def recommend(
    query: ListQuery,
    user: RequestUser,
    context: ServingContext,
    *,
    deadline: Deadline,
    shown: Collection[int] = (),
    began: list[tuple[str, int]] | None = None,
) -> ListResult:
    """Return one list; never fails for want of data, see ``fallbacks``.

    Parameters
    ----------
    shown : collection of int
        Rows in other lists of the same page: not shown twice.
    began : list of (str, int), optional
        Where it is noted when each step began (``time.perf_counter_ns``).

    Raises
    ------
    PipelineError
        A step failed, which is a mistake in the code; ``recover`` returns what can be had without it.
    """
    state = PipelineState(query=query, user=user, context=context, deadline=deadline, shown=shown)
    try:
        for step, run in STEPS.items():
            state.step = step
            if began is not None:
                began.append((step.value, time.perf_counter_ns()))
            run(state)
    except Exception as error:
        raise PipelineError(state) from error
    return _result(state)


def rows_of(
    query: ListQuery,
    user: RequestUser,
    context: ServingContext,
    *,
    deadline: Deadline,
    like: PipelineState | None = None,
) -> PipelineState:
    """Return a list with its rows, and no reasons; what it has in common with a list that is like it is not made again.

    Parameters
    ----------
    like : PipelineState, optional
        The same query of the same user under other rules: sources are not asked again, and where the same rules keep
        items out, nothing is filtered and ranked again either.

    Raises
    ------
    PipelineError
        A step failed.
    """
    state = PipelineState(query=query, user=user, context=context, deadline=deadline)
    try:
        for step, run in STEPS.items():
            state.step = step
            if (
                like is not None
                and step in _TAKEN_OVER
                and (step is Step.CANDIDATES or state.active.keeps_out_as(like.active))
            ):
                for name in _TAKEN_OVER[step]:
                    setattr(state, name, getattr(like, name))
            elif step is not Step.EXPLAIN:
                run(state)
    except Exception as error:
        raise PipelineError(state) from error
    return state


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
    state.active = Rules().active(state.user, state.context.item_index, page_row=None, now_ms=state.context.now_ms)
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
    state.active = state.query.placement.indexed_rules.active(
        state.user,
        state.context.item_index,
        page_row=state.page_row,
        now_ms=state.context.now_ms,
        visit=state.query.visit,
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
    state.votes = fusion.votes_of(state.candidates, state.weights, k=state.fusion_k)
    state.fused = fusion.fused(state.votes, product_of=variants.products_to_fuse(state))
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
    state.ranked = fusion.moved_up(state.ranked, exploration.positions_of_arrivals(state))


def _rules(state: PipelineState) -> None:
    """Move candidates up and down, and find what is pinned where."""
    state.boosted, state.used_rules = state.active.with_boosts(state.ranked)
    state.pins = pin.pins_of(
        state.active.of(RuleAction.PIN), state.context.item_index, state.eligibility.of, size=state.query.limit
    )


def _diversity(state: PipelineState) -> None:
    query = state.query
    pinned = np.fromiter((each.row for each in state.pins), np.int32)
    candidates = within_limits(state.boosted, fallbacks.limits_of(state), state.context.item_index, pinned=pinned)
    state.chosen = diversity.choose(
        candidates, state.context.item_index.similarity, query.placement.variety, size=query.limit
    )


def _fill(state: PipelineState) -> None:
    """Fill what is missing, give positions to new items, put in what replaces others and what is pinned."""
    item_index, size = state.context.item_index, state.query.limit
    fallbacks.fill(state, state.chosen.rows.tolist())
    exploration.add_new_items(state)
    variants.suit(state)
    _replace(state)
    state.rows = tuple(pin.with_pins(state.rows, state.pins, product_of=item_index.products.of_row, size=size))


def _replace(state: PipelineState) -> None:
    """Put replacements in the place of what they replace, and keep to the limits; given candidates are not added to."""
    rules = state.active.of(RuleAction.REPLACE)
    if rules and state.query.candidates is None:
        rows, stand_ins = replaced(state.rows, rules, state.context.item_index, state.eligibility.keep)
        state.rows = tuple(rows)
        for row, (replaced_row, rule_id) in stand_ins.items():
            state.stands_for[row], state.replacements[row] = replaced_row, rule_id
    state.rows = tuple(fallbacks.admitted(state, state.rows))


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


_TAKEN_OVER: Final = {Step.CANDIDATES: CANDIDATE_FIELDS, Step.FILTER: RANK_FIELDS, Step.RANK: ()}
"""What a list takes over of one that is like it, by the step that would have made it."""


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
        rule_ids=tuple(
            dict.fromkeys([*(pinned.rule_id for pinned in state.pins), *state.used_rules, *state.replacements.values()])
        ),
        failed_step=state.failed_step,
        explanation=state.explanation,
        chance=exploration.chance_of(state) if state.drawn_from else None,
    )
