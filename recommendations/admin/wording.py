"""What sources, reasons, rules and states are called on the screens of merchandisers: plain words, no names of code."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from typing import Final

from recommendations.pipeline.explain import RuleEffect
from recommendations.pipeline.rules import RuleSpec

SOURCES: Final = {
    "sessions": "shoppers with a similar visit went on to it",
    "tfidf": "looked at by the same shoppers",
    "bm25": "looked at by the same shoppers",
    "covisitation": "often looked at in the same visit",
    "next": "often looked at next",
    "walk": "a few steps away in what shoppers look at",
    "around": "often looked at shortly before or after",
    "factors": "suits the visit as a whole",
    "als": "suits the taste of the shopper",
    "bpr": "suits the taste of the shopper",
    "baskets": "often bought together",
    "content": "alike in title, category, brand and price",
    "recents": "the shopper looked at it before",
    "purchases": "the shopper bought it before",
    "trending": "looked at much just now",
    "popular": "popular in the shop",
    "newest": "newly arrived",
    "fresh": "newly arrived, near to what the shopper looks at",
    "explore": "a new item that is given a chance",
    "editorial": "named in the placement for when there is too little",
    "pin": "pinned by a rule",
    "pinned": "pinned by a rule",
}
FILTERED: Final = {
    "not_recommendable": "sold out or inactive",
    "condition": "does not match the condition of the placement or the request",
    "rule": "kept out by a rule",
    "repeat": "seen, bought or on the page already",
}
ACTIONS: Final = {
    "pin": "Pins",
    "boost": "Moves up",
    "bury": "Moves down",
    "exclude": "Never shows",
    "include_only": "Shows nothing but",
}
MAX_NAMED: Final = 3


def source_words(name: str) -> str:
    """Return what a source or reason says of an item."""
    return SOURCES.get(name, name.replace("_", " "))


def effect_words(effect: RuleEffect) -> str:
    """Return what one rule did to one item."""
    if effect.action == "pin" and effect.position is not None:
        return f"pinned to place {effect.position}"
    if effect.action == "boost":
        return f"moved up: counts {effect.factor:g} times" if effect.factor else "moved up"
    if effect.action == "bury":
        return f"moved down: counts 1/{1 / effect.factor:g}" if effect.factor else "moved down"
    return {"include_only": "kept, as the rule names it", "exclude": "kept out"}.get(effect.action, effect.action)


def rule_words(spec: RuleSpec) -> str:
    """Return a rule as one sentence."""
    sentence = f"{ACTIONS[spec.action]} {_targets(spec)}"
    if spec.action == "pin":
        sentence += f" from place {spec.position} on" if len(spec.items) > 1 else f" to place {spec.position}"
    elif spec.action in ("boost", "bury"):
        sentence += f", {spec.strength:g} times" if spec.action == "boost" else f", to 1/{spec.strength:g}"
    if spec.placements:
        sentence += f"; in {_some(spec.placements)}"
    if spec.shoppers != "all":
        sentence += f"; for {spec.shoppers} shoppers"
    if spec.segments:
        sentence += f"; for the segments {_some(spec.segments)}"
    if spec.context_condition:
        sentence += f"; on pages of items with {spec.context_condition}"
    return f"{sentence}{_schedule(spec)}."


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


def _schedule(spec: RuleSpec) -> str:
    parts: Iterable[str] = (
        f"; {word} {dt.datetime.fromtimestamp(moment_ms / 1000, dt.UTC):%-d %b %Y %H:%M} UTC"
        for word, moment_ms in (("from", spec.starts_at_ms), ("until", spec.ends_at_ms))
        if moment_ms is not None
    )
    return "".join(parts)
