"""What sources, reasons, rules and states are called on the screens of merchandisers: plain words, no names of code."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from zoneinfo import ZoneInfo

from recommendations.core.actions import PinOrder, RuleAction
from recommendations.core.local_times import written
from recommendations.pipeline.eligibility import Filtered
from recommendations.pipeline.explanation import RuleEffect
from recommendations.pipeline.rules.base import RuleSpec
from recommendations.pipeline.rules.registry import ACTIONS
from recommendations.retrieval.sources import LABELS

MAX_NAMED: Final = 3
UTC: Final = ZoneInfo("UTC")

FIELD_LABELS: Final[Mapping[str, str]] = {
    "name": "Name", "action": "Action", "strength": "Strength", "position": "Position", "pin_count": "How many",
    "pin_order": "Which first", "priority": "Priority", "items": "Items", "categories": "Categories",
    "brands": "Brands", "tags": "Tags", "price_from": "Price from", "price_to": "Price to",
    "stock_from": "Stock from", "stock_to": "Stock to", "condition": "Condition", "placements": "Placements",
    "context_condition": "Only on pages of", "shoppers": "Shoppers", "segments": "Segments",
    "starts_at_ms": "From", "ends_at_ms": "Until",
}  # fmt: skip
"""Every field of ``RuleSpec`` but its id; a test holds the two to each other."""


def source_words(name: str) -> str:
    """Return what a source or reason says of an item; the name itself where a model of another release brought it."""
    return LABELS.get(name, name.replace("_", " "))


def filtered_words(reason: str) -> str:
    """Return why a candidate may not be shown."""
    return Filtered(reason).label


def effect_words(effect: RuleEffect) -> str:
    """Return what one rule did to one item."""
    return ACTIONS[effect.action].effect_words(factor=effect.factor, position=effect.position)


def rule_words(spec: RuleSpec, zone: ZoneInfo = UTC) -> str:
    """Return a rule as one sentence, with times as clocks of the zone show them."""
    action = ACTIONS[spec.action]
    sentence = f"{action.sentence_begin(spec)} {_targets(spec)}{action.sentence_end(spec)}"
    if spec.placements:
        sentence += f"; in {_some(spec.placements)}"
    if spec.shoppers != "all":
        sentence += f"; for {spec.shoppers} shoppers"
    if spec.segments:
        sentence += f"; for the segments {_some(spec.segments)}"
    if spec.context_condition:
        sentence += f"; on pages of items with {spec.context_condition}"
    return f"{sentence}{_schedule(spec, zone)}."


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One field that says something else than before; empty for nothing."""

    field: str
    old: str
    new: str


def differences(old: RuleSpec, new: RuleSpec, zone: ZoneInfo = UTC) -> list[Change]:
    """Return what a rule says otherwise than another, field by field in the order and the words of its form."""
    changes = []
    for name, label in FIELD_LABELS.items():
        before, after = (_value_words(name, getattr(spec, name), zone) for spec in (old, new))
        if before != after:
            changes.append(Change(field=label, old=before, new=after))
    return changes


def _value_words(name: str, value: Any, zone: ZoneInfo) -> str:
    if value is None or value in ("", ()):
        return ""
    if name in ("action", "pin_order"):
        return (RuleAction if name == "action" else PinOrder)(value).label
    if name in ("starts_at_ms", "ends_at_ms"):
        return written(dt.datetime.fromtimestamp(value / 1000, dt.UTC), zone)
    if isinstance(value, tuple):
        return ", ".join(value)
    return f"{value:g}" if isinstance(value, float) else str(value)


def state_words(*, is_published: bool, has_changes: bool, spec: RuleSpec, now_ms: int) -> str:
    """Return where a rule stands: draft, scheduled, live, ended, and whether its form says something else."""
    if not is_published:
        return "draft"
    if spec.ends_at_ms is not None and now_ms >= spec.ends_at_ms:
        state = "ended"
    elif spec.starts_at_ms is not None and now_ms < spec.starts_at_ms:
        state = "scheduled"
    else:
        state = "published"
    return f"{state}, with changes" if has_changes else state


def _targets(spec: RuleSpec) -> str:
    named = [
        _some(values, kind)
        for kind, values in (
            ("item", spec.items), ("category", spec.categories), ("brand", spec.brands), ("tag", spec.tags),
        )
        if values
    ]  # fmt: skip
    limits = [
        limit
        for limit in (
            _span("price", spec.price_from, spec.price_to),
            _span("stock", spec.stock_from, spec.stock_to),
            spec.condition,
        )
        if limit
    ]
    target = " or ".join(named) or "every item"
    return f"{target} with {' and '.join(limits)}" if limits else target


def _some(values: Sequence[str], kind: str = "") -> str:
    shown = ", ".join(values[:MAX_NAMED])
    more = f" and {len(values) - MAX_NAMED} more" if len(values) > MAX_NAMED else ""
    return f"{kind} {shown}{more}" if kind else f"{shown}{more}"


def _span(name: str, first: float | None, last: float | None) -> str:
    if first is None and last is None:
        return ""
    if last is None:
        return f"{name} from {first:g}"
    return f"{name} up to {last:g}" if first is None else f"{name} {first:g} to {last:g}"


def _schedule(spec: RuleSpec, zone: ZoneInfo) -> str:
    parts: Iterable[str] = (
        f"; {word} {written(dt.datetime.fromtimestamp(moment_ms / 1000, dt.UTC), zone)}"
        for word, moment_ms in (("from", spec.starts_at_ms), ("until", spec.ends_at_ms))
        if moment_ms is not None
    )
    return "".join(parts)
