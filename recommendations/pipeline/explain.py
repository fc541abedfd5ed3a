"""Why a list is what it is: what each step saw and did, kept only when somebody asks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import msgspec

from features.state.user_features import UserFeatures
from recommendations.core.types import Ranked, RequestUser
from recommendations.items.index import ItemIndex
from recommendations.pipeline import rules

if TYPE_CHECKING:
    from recommendations.pipeline.eligibility import Allowed
    from recommendations.pipeline.fallbacks import Filled
    from recommendations.pipeline.query import ListQuery
    from recommendations.pipeline.retrieve import Found
    from recommendations.pipeline.rules import ActiveRule, Pin
    from recommendations.pipeline.strategies import Subject

MAX_FILTERED: Final = 50
MAX_RUNNERS_UP: Final = 20


class SourceEvidence(msgspec.Struct, frozen=True, kw_only=True):
    """What one source said of an item; ranks from 1."""

    source: str
    rank: int
    score: float
    weight: float


class RuleEffect(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one rule did to an item."""

    rule_id: int
    name: str
    action: str
    factor: float | None = None
    position: int | None = None


class ItemWhy(msgspec.Struct, frozen=True, kw_only=True):
    """Why an item stands where it stands. ``position`` is None for runners-up, ``rank_before_rules`` for pins."""

    item_id: str
    title: str
    position: int | None
    reason: str
    score: float | None
    rank_before_rules: int | None
    sources: list[SourceEvidence]
    rules: list[RuleEffect]


class FilteredWhy(msgspec.Struct, frozen=True, kw_only=True):
    """A candidate that may not be shown, and why."""

    item_id: str
    reason: str
    rule_id: int | None


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """Everything about one list."""

    placement: str
    strategy_about: str
    about_items: list[str]
    features: dict[str, object]
    feature_age_ms: int | None
    segments: list[str]
    model_version: str | None
    fusion_weights: dict[str, float]
    candidates: int
    active_rules: list[RuleEffect]
    items: list[ItemWhy]
    runners_up: list[ItemWhy]
    filtered: list[FilteredWhy]


@dataclass(slots=True)
class Trace:
    """What the pipeline hands over while it makes one list; ``explanation`` is there once it is made."""

    explanation: Explanation | None = None

    def record(
        self,
        *,
        ask: ListQuery,
        shopper: RequestUser,
        item_index: ItemIndex,
        about: Subject,
        strategy_about: str,
        found: Found,
        fused: Ranked,
        ranked: Ranked,
        boosted: Ranked,
        filled: Filled,
        pins: Sequence[Pin],
        active: Sequence[ActiveRule],
        allowed: Allowed,
        rows: Sequence[int],
        reasons: Sequence[str],
        model_version: str,
    ) -> None:
        """Write down one list."""
        score_of = dict(zip(boosted.rows.tolist(), boosted.scores.tolist(), strict=True))
        rank_of = {row: rank for rank, row in enumerate(ranked.best_first().rows.tolist(), start=1)}
        evidence = _evidence(found)
        pin_of = {pin.row: pin for pin in pins}
        specs = {rule.spec.rule_id: rule.spec for rule in active}

        def why(row: int, position: int | None, reason: str) -> ItemWhy:
            return ItemWhy(
                item_id=item_index.item_id(row),
                title=card.title if (card := item_index.catalogue.cards[row]) else "",
                position=position,
                reason=reason,
                score=score_of.get(row),
                rank_before_rules=rank_of.get(row),
                sources=evidence.get(row, []),
                rules=_effects(row, active, pin_of, specs),
            )

        listed = set(rows)
        best = boosted.best_first().rows.tolist()
        runners_up = [row for row in best if row not in listed][:MAX_RUNNERS_UP]
        filtered: list[FilteredWhy] = []
        for row in fused.rows.tolist():
            if len(filtered) == MAX_FILTERED:
                break
            verdict = allowed.why_not(row)
            if verdict is not None:
                filtered.append(FilteredWhy(item_id=item_index.item_id(row), reason=verdict[0], rule_id=verdict[1]))
        self.explanation = Explanation(
            placement=ask.placement.name,
            strategy_about=strategy_about,
            about_items=[item_index.item_id(row) for row in about.rows],
            features=described(shopper.features) if shopper.features is not None else {},
            feature_age_ms=shopper.feature_age_ms,
            segments=sorted(shopper.segments),
            model_version=model_version or None,
            fusion_weights={name: round(weight, 6) for name, weight in found.weights.items()},
            candidates=len(fused),
            active_rules=[
                RuleEffect(rule_id=rule.spec.rule_id, name=rule.spec.name, action=rule.spec.action) for rule in active
            ],
            items=[why(row, place, reason) for place, (row, reason) in enumerate(zip(rows, reasons, strict=True))],
            runners_up=[why(row, None, "") for row in runners_up],
            filtered=filtered,
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
    }


def _evidence(found: Found) -> Mapping[int, list[SourceEvidence]]:
    evidence: dict[int, list[SourceEvidence]] = {}
    for each in found.lists:
        weight = float(found.weights.get(each.name, 0.0))
        for rank, (row, score) in enumerate(zip(each.rows.tolist(), each.scores.tolist(), strict=True), start=1):
            evidence.setdefault(row, []).append(
                SourceEvidence(source=each.name, rank=rank, score=round(score, 6), weight=weight)
            )
    return evidence


def _effects(
    row: int,
    active: Sequence[ActiveRule],
    pin_of: Mapping[int, Pin],
    specs: Mapping[int, rules.RuleSpec],
) -> list[RuleEffect]:
    effects = []
    for rule in active:
        spec = rule.spec
        if spec.action in ("boost", "bury") and rule.mask[row]:
            factor = spec.strength if spec.action == "boost" else 1.0 / spec.strength
            effects.append(RuleEffect(rule_id=spec.rule_id, name=spec.name, action=spec.action, factor=factor))
        elif spec.action == "include_only" and rule.mask[row]:
            effects.append(RuleEffect(rule_id=spec.rule_id, name=spec.name, action=spec.action))
    pin = pin_of.get(row)
    if pin is not None:
        spec = specs[pin.rule_id]
        effects.append(RuleEffect(rule_id=pin.rule_id, name=spec.name, action="pin", position=pin.position + 1))
    return effects
