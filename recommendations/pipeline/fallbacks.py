"""What users get when there is too little to go by: popular or editorial items, an empty list, never an error."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from recommendations.core.actions import RuleAction
from recommendations.core.strategies import About
from recommendations.core.types import FallbackReason, Stage
from recommendations.pipeline.rules.base import ActiveRule
from recommendations.pipeline.rules.limit import Limits
from recommendations.pipeline.state import PipelineState
from recommendations.retrieval.sources import Reason

LIMITED: Final = 10
"""How many times as many popular items are looked at where a limit holds back some."""


def fill(state: PipelineState, chosen: Sequence[int]) -> None:
    """Write the chosen rows, and as many popular or editorial ones as the placement wants to fill the list.

    Lists of a user's own past are never filled: nobody "recently viewed" a popular item. Given candidates are never
    added to.
    """
    query, item_index, allowed = state.query, state.context.item_index, state.eligibility
    rows = list(chosen)
    state.n_own = len(rows)
    policy = query.placement.fallback
    if len(rows) >= query.limit or policy == "empty" or state.strategy.lists_own_past or query.candidates is not None:
        state.rows = tuple(rows)
        return
    product_of = item_index.products.of_row
    listed = set(product_of[rows].tolist())
    named, may_show = allowed.with_variants(item_index.rows(query.placement.editorial_items))
    order = [(row, Reason.EDITORIAL) for row in named[may_show].tolist()]
    limits = limits_for(state, rows)
    if policy == "popular":
        # Items that merchandisers named come before what is merely popular only where they asked for that.
        n_popular = (LIMITED if limits else 1) * query.limit + 2 * len(listed)
        popular = allowed.popular(n_popular).tolist()
        order = [*((row, Reason.POPULAR) for row in popular), *order]
    for row, reason in order:
        if len(rows) == query.limit:
            break
        product = int(product_of[row])
        if product in listed or not limits.admit(row):
            continue
        listed.add(product)
        rows.append(row)
        state.filled[row] = reason.value
    state.rows = tuple(rows)


def limits_of(state: PipelineState) -> Sequence[ActiveRule]:
    """Return the rules that limit the list; of given candidates, such as search results, none is held back."""
    return state.active.of(RuleAction.LIMIT) if state.query.candidates is None else ()


def limits_for(state: PipelineState, rows: Iterable[int]) -> Limits:
    """Return the limits with what is listed, and what is pinned, counted."""
    limits = Limits(limits_of(state), state.context.item_index)
    if limits:
        limits.count({*rows, *(pin.row for pin in state.pins)})
    return limits


def admitted(state: PipelineState, rows: Sequence[int]) -> Sequence[int]:
    """Return the rows that the limits let into the list, in their order; what is pinned is counted and stays."""
    limits = limits_for(state, ())
    if not limits:
        return rows
    pinned = {pin.row for pin in state.pins}
    return [row for row in rows if row in pinned or limits.admit(row)]


def stage_of(state: PipelineState) -> tuple[Stage, FallbackReason | None]:
    """Return how good the list is, and why it is not better where it should be.

    A list is as good as its best item: one that the strategy itself found makes it personalised (by the user's
    history) or session (by what the request says).
    """
    strategy = state.strategy
    reason = (state.user.problem if strategy.is_personal else None) or state.problem
    if state.n_own:
        if strategy.about is About.NOTHING and not strategy.is_personal:
            return Stage.POPULAR, reason
        if state.is_of_user:
            return Stage.PERSONALISED, reason
        if state.about:
            return Stage.SESSION, reason
        return Stage.POPULAR, reason or FallbackReason.NO_HISTORY
    knows_nothing = not state.about if strategy.about is not About.NOTHING else strategy.is_personal
    if reason is None:
        is_new = knows_nothing and not state.is_of_user
        reason = FallbackReason.NO_HISTORY if is_new else FallbackReason.NO_CANDIDATES
    first = next(iter(state.filled.values()), None)  # in the order of the list, before anything was pinned
    if first is not None:
        return (Stage.EDITORIAL if first == Reason.EDITORIAL else Stage.POPULAR), reason
    return (Stage.EDITORIAL if state.pins else Stage.EMPTY), reason
