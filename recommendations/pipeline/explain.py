"""The last step: a reason for each item, how good the list is, and, when the query asks for it, the whole why."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, TypeVar

from features.state.user_features import UserFeatures
from recommendations.core.actions import RuleAction
from recommendations.pipeline import fallbacks, reasons
from recommendations.pipeline.explanation import Explanation, FilteredWhy, ItemWhy, RuleEffect, SourceEvidence
from recommendations.pipeline.rules.base import Pin
from recommendations.pipeline.rules.registry import ACTIONS
from recommendations.pipeline.state import PipelineState

T = TypeVar("T")

MAX_FILTERED: Final = 50
MAX_RUNNERS_UP: Final = 20


def explain(state: PipelineState) -> None:
    """Write the reasons, the stage and the fallback reason, and the explanation where the query asks for one."""
    state.reasons = reasons.of(state)
    state.stage, state.fallback_reason = fallbacks.stage_of(state)
    if state.query.explains:
        state.explanation = explanation_of(state)


def explanation_of(state: PipelineState) -> Explanation:
    """Return what each step saw and did."""
    item_index, user, model = state.context.item_index, state.user, state.context.model
    score_of = dict(zip(state.boosted.rows.tolist(), state.boosted.scores.tolist(), strict=True))
    rank_of = {row: rank for rank, row in enumerate(state.ranked.best_first().rows.tolist(), start=1)}
    evidence = _evidence(state)
    pin_of = {pin.row: pin for pin in state.pins}

    def of(row: int, known: Mapping[int, T]) -> T | None:
        return next((known[origin] for origin in state.origins(row) if origin in known), None)

    def why(row: int, position: int | None, reason: str) -> ItemWhy:
        return ItemWhy(
            item_id=item_index.item_id(row),
            title=card.title if (card := item_index.catalogue.cards[row]) else "",
            position=position,
            reason=reason,
            score=of(row, score_of),
            rank_before_rules=of(row, rank_of),
            sources=of(row, evidence) or [],
            rules=_effects(row, state, pin_of.get(row)),
        )

    listed = {origin for row in state.rows for origin in state.origins(row)}
    runners_up = [row for row in state.boosted.best_first().rows.tolist() if row not in listed][:MAX_RUNNERS_UP]
    return Explanation(
        placement=state.query.placement.name,
        strategy_about=state.strategy.about,
        about_items=[item_index.item_id(row) for row in state.about],
        features=described(user.features) if user.features is not None else {},
        feature_age_ms=user.feature_age_ms,
        segments=sorted(user.segments),
        model_version=model.version if model is not None else None,
        fusion_weights={name: round(weight, 6) for name, weight in state.weights.items()},
        candidates=len(state.fused),
        active_rules=[
            RuleEffect(rule_id=rule.spec.rule_id, name=rule.spec.name, action=rule.spec.action) for rule in state.active
        ],
        items=[
            why(row, position, reason)
            for position, (row, reason) in enumerate(zip(state.rows, state.reasons, strict=True))
        ],
        runners_up=[why(row, None, "") for row in runners_up],
        filtered=_filtered(state),
        failed_step=state.failed_step,
    )


def described(found: UserFeatures) -> dict[str, object]:
    """Return the feature values that an explanation shows."""
    return {
        "recents": [{"item_id": each.item_id, "kind": each.kind, "age_ms": each.age_ms} for each in found.recents[:20]],
        "session_items": len(found.session),
        "searches": list(found.searches),
        "cart": dict(found.cart),
        "bought": list(found.bought)[:20],
        "counts": dict(found.counts),
        "rfm": found.rfm._asdict(),
        "segment": found.segment.name if found.segment is not None else None,
        "sessions": len(found.sessions),
        "attributes": dict(found.attributes),
    }


def _filtered(state: PipelineState) -> list[FilteredWhy]:
    """Return candidates that may not be shown, best first."""
    filtered: list[FilteredWhy] = []
    for row in state.fused.rows.tolist():
        if len(filtered) == MAX_FILTERED:
            break
        verdict = state.eligibility.why_not(row)
        if verdict is not None:
            item_id = state.context.item_index.item_id(row)
            filtered.append(FilteredWhy(item_id=item_id, reason=verdict[0], rule_id=verdict[1]))
    return filtered


def _evidence(state: PipelineState) -> Mapping[int, list[SourceEvidence]]:
    evidence: dict[int, list[SourceEvidence]] = {}
    for name, each in state.candidates.items():
        weight = float(state.weights.get(name, 0.0))
        for rank, (row, score) in enumerate(zip(each.rows.tolist(), each.scores.tolist(), strict=True), start=1):
            evidence.setdefault(row, []).append(
                SourceEvidence(source=name, rank=rank, score=round(score, 6), weight=weight)
            )
    return evidence


def _effects(row: int, state: PipelineState, pin: Pin | None) -> list[RuleEffect]:
    """Return what rules did to one item: scores multiplied, let through by a filter, pinned."""
    effects = []
    for rule in state.active:
        spec, action = rule.spec, ACTIONS[rule.spec.action]
        if not rule.targets(row):
            continue
        factor = action.factor(spec)
        if factor is not None or (action.is_filter and action.kept(rule.mask.take([row]))[0]):
            effects.append(RuleEffect(rule_id=spec.rule_id, name=spec.name, action=spec.action, factor=factor))
    if pin is not None:
        spec = next(rule.spec for rule in state.active if rule.spec.rule_id == pin.rule_id)
        position = pin.position + 1
        effects.append(RuleEffect(rule_id=pin.rule_id, name=spec.name, action=RuleAction.PIN, position=position))
    if row in state.replacements:
        number = state.replacements[row]
        name = next(rule.spec.name for rule in state.active if rule.spec.rule_id == number)
        effects.append(RuleEffect(rule_id=number, name=name, action=RuleAction.REPLACE))
    return effects
