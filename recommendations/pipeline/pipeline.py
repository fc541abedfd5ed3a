"""How a list is made: features → candidates → filter → rank → rules → diversity → explain. Pure; no I/O, no clock."""

from __future__ import annotations

from collections.abc import Collection

from recommendations.core.deadline import Deadline
from recommendations.core.types import FallbackReason, Recommendation, RequestUser
from recommendations.pipeline import diversity, exploration, fallbacks, fusion, reasons, retrieve, rules, strategies
from recommendations.pipeline.context import ServingContext
from recommendations.pipeline.eligibility import Allowed, hidden_rows
from recommendations.pipeline.explain import Trace
from recommendations.pipeline.query import ListQuery


def recommend(
    ask: ListQuery,
    shopper: RequestUser,
    serving: ServingContext,
    *,
    deadline: Deadline,
    shown: Collection[int] = (),
    shopper_problem: FallbackReason | None = None,
    trace: Trace | None = None,
) -> Recommendation:
    """Return one list; never fails for want of data, see ``fallbacks``.

    Parameters
    ----------
    shown : collection of int
        Rows in other lists of the same page: not shown twice.
    shopper_problem : FallbackReason, optional
        Why ``shopper`` is not what it should be, as when the store is away.
    trace : Trace, optional
        Filled with the why of every step; costs about as much as the list itself.
    """
    item_index = serving.item_index
    strategy = strategies.of(ask.placement, shopper)
    # features: which items the list is about
    about = strategies.about(strategy, ask, shopper, item_index)
    active = rules.active_rules(ask.placement.rules, shopper, item_index, context=about.context, now_ms=serving.now_ms)
    # candidates
    found = retrieve.candidates(ask, shopper, serving, strategy, about, deadline=deadline)
    # filter
    hidden = hidden_rows(ask, shopper, item_index, about=about.rows, hides_about=strategy.hides_about)
    allowed = Allowed(ask, item_index, active, hidden=hidden.union(shown))
    # rank
    fused = fusion.fused(found.lists, found.weights, k=found.fusion_k)
    ranked = fused.keep(allowed.of(fused.rows))
    if found.order is not None:
        ranked = fusion.reordered(ranked, found.order)
    if found.unlearned:
        ranked = fusion.placed(ranked, found.unlearned)
    # rules
    boosted, used_rules = rules.with_boosts(ranked, active)
    # diversity
    chosen = diversity.choose(boosted, item_index.similarity, ask.placement.variety, size=ask.limit)
    # what is missing, and what merchandisers pinned
    filled = fallbacks.fill(chosen.rows.tolist(), ask, item_index, allowed, strategy=strategy)
    filled = exploration.with_new_items(filled, ask, item_index, allowed, key=shopper.key, now_ms=serving.now_ms)
    pins = rules.pins_of(active, item_index, allowed.keep, size=ask.limit)
    rows = rules.with_pins(filled.rows, pins, size=ask.limit)
    stage, reason = fallbacks.stage_of(strategy, about, filled, pins=pins, found=found, shopper_problem=shopper_problem)
    # explain
    said = reasons.of(rows, found, filled, pins)
    version = serving.model.version if serving.model else ""
    if trace is not None:
        trace.record(
            ask=ask,
            shopper=shopper,
            item_index=item_index,
            about=about,
            strategy_about=strategy.about,
            found=found,
            fused=fused,
            ranked=ranked,
            boosted=boosted,
            filled=filled,
            pins=pins,
            active=active,
            allowed=allowed,
            rows=rows,
            reasons=said,
            model_version=version,
        )
    return Recommendation(
        rows=tuple(rows),
        reasons=said,
        stage=stage,
        fallback_reason=reason,
        model_version=version,
        variant=serving.variant,
        rule_ids=tuple(dict.fromkeys([*(pin.rule_id for pin in pins), *used_rules])),
    )
