"""What sources, reasons, rules and states are called on the screens of merchandisers: plain words, no names of code."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from typing import Final
from zoneinfo import ZoneInfo

from recommendations.core.local_times import written
from recommendations.pipeline.eligibility import Filtered
from recommendations.pipeline.explanation import RuleEffect
from recommendations.pipeline.rules.base import RuleSpec
from recommendations.pipeline.rules.registry import ACTIONS
from recommendations.retrieval.sources import LABELS

MAX_NAMED: Final = 3
UTC: Final = ZoneInfo("UTC")


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
    sentence = f"{action.verb} {_targets(spec)}{action.sentence_end(spec)}"
    if spec.placements:
        sentence += f"; in {_some(spec.placements)}"
    if spec.shoppers != "all":
        sentence += f"; for {spec.shoppers} shoppers"
    if spec.segments:
        sentence += f"; for the segments {_some(spec.segments)}"
    if spec.context_condition:
        sentence += f"; on pages of items with {spec.context_condition}"
    return f"{sentence}{_schedule(spec, zone)}."


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
